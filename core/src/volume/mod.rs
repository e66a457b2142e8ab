//! Scans and pieces of them: a volume in HU, the crop that a network sees, and the file formats they come in.

pub mod crop;
#[cfg(feature = "lidc")]
pub mod dicom;
#[cfg(feature = "lidc")]
pub mod nifti;
pub mod voxels;
