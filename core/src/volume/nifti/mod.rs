//! NIfTI-1 volumes, read and written.

mod place;
mod read;
mod values;
mod write;

pub use crate::error::NiftiFault;
pub use read::parse;
pub use write::nifti_gz;

#[cfg(test)]
mod tests;
