//! The machine: devices, memory, kernels that are kept.

pub mod device;
#[cfg(feature = "cuda")]
pub mod kernel_bundles;
pub mod memory;
#[cfg(feature = "cuda")]
pub mod tuning;
