//! CLIP-Lung (Lei et al., MICCAI 2023): the malignancy of a lung nodule from a 32x32x32 CT crop, trained with the words
//! radiologists use.
//!
//! The crate is pure: it reads bytes and returns values, with no file system, clock or logging. Research software, not a
//! medical device.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod data;
pub mod error;
pub mod explain;
pub mod kernels;
#[cfg(feature = "lidc")]
pub mod lidc;
pub mod methods;
pub mod metrics;
pub mod model;
#[cfg(feature = "train")]
pub mod train;

pub use error::{Error, Result};
