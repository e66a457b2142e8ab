//! From volumes to crops to data sets: what a network sees, and how it is split and augmented.

pub mod augment;
pub mod class;
pub mod crop;
pub mod dataset;
pub mod folds;
#[cfg(feature = "lidc")]
pub mod nifti;
#[cfg(feature = "lidc")]
pub mod nifti_write;
#[cfg(feature = "lidc")]
pub mod phantom;
pub mod random;
pub mod table;
pub mod volume;
