//! The machine: devices, memory, kernels that are kept.

pub mod device;
pub mod memory;
#[cfg(feature = "cuda")]
pub mod tuning;
