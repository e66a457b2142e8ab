//! LIDC-IDRI: reader annotations (embedded, or the archive's XML), how they become nodules, and crops from its DICOM series.

pub mod annotations;
pub mod cluster;
pub mod dicom;
pub mod nodule;
pub mod part;
pub mod prepare;
pub mod source;
pub mod xml;
