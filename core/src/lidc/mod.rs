//! LIDC-IDRI: the embedded reader annotations and how they become nodules.

pub mod annotations;
pub mod cluster;
pub mod nodule;
