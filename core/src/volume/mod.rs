//! Scans and pieces of them: a volume in HU, the crop that a network sees, where it lies and how large it is, and the file formats.

pub mod crop;
#[cfg(feature = "lidc")]
pub mod dicom;
pub mod displaced;
pub mod frame;
pub mod geometry;
pub mod grid;
#[cfg(feature = "lidc")]
pub mod nifti;
pub mod voxels;
