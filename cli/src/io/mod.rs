//! What is read and written: files, archives of DICOM, scans, data sets, run directories.

pub mod archive;
pub mod files;
pub mod input;
pub mod nodules;
pub mod run_dir;
pub mod scan;
pub mod sr;
