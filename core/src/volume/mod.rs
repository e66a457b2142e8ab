//! Scans and pieces of them: a volume in HU, the crop that a network sees, where it lies and how large it is, and the file formats.

#[cfg(feature = "lidc")]
pub mod block;
pub mod crop;
#[cfg(feature = "lidc")]
pub mod dicom;
pub mod displaced;
pub mod frame;
pub mod geometry;
pub mod grid;
#[cfg(feature = "lidc")]
pub mod image;
#[cfg(feature = "lidc")]
pub mod nifti;
#[cfg(feature = "lidc")]
pub mod npy;
#[cfg(feature = "lidc")]
pub mod placed;
#[cfg(feature = "lidc")]
pub mod stored;
pub mod voxels;
pub mod warning;
