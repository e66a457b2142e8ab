//! NIfTI-1 volumes, read and written.

mod read;
mod write;

pub use crate::error::NiftiFault;
pub use read::NiftiScan;
pub use write::nifti_gz;
