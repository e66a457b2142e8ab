//! LIDC-IDRI: the embedded reader annotations and how they become nodules (methods 3.1-3.3).

pub mod annotations;
pub mod cluster;
pub mod nodule;
