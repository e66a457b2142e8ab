//! The browser facade over the core: typed arrays cross the boundary, every error is one of [`clip_lung_core::Error`], in words.
//! Research software, not a medical device.
//!
//! Two modules are built of it: `cpu`, and `gpu` for WebGPU, whose reads are asynchronous.

#![forbid(unsafe_code)]

mod device;
mod engine;
