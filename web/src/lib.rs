//! The browser facade over the core: typed arrays cross the boundary, every error is one of [`clip_lung_core::Error`], in words.
//! Research software, not a medical device.
//!
//! Three modules are built of it: `cpu`; `gpu` for WebGPU, whose reads are asynchronous; and `scans`, which reads DICOM for the
//! demo page.

#![forbid(unsafe_code)]

#[cfg(any(feature = "cpu", feature = "gpu"))]
mod device;
#[cfg(any(feature = "cpu", feature = "gpu"))]
mod engine;
#[cfg(feature = "scans")]
mod scans;
