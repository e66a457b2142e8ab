//! What is read and written: files, archives of DICOM, scans, data sets, run directories.

pub mod anchor_files;
pub mod archive;
pub mod contender;
pub mod default_model;
pub mod dicomweb;
pub mod events;
pub mod files;
pub mod input;
pub mod installed;
pub mod kept;
pub mod kind;
pub mod lock;
pub mod model_dir;
pub mod nodules;
pub mod opened;
pub mod own;
pub mod places;
pub mod predictions;
pub mod run_dir;
pub mod scan;
pub mod sr;
pub mod study_dir;
pub mod study_results;
pub mod targets;
pub mod whole;
pub mod word;
