//! CLIP-Lung (Lei et al., MICCAI 2023): the malignancy of a lung nodule from a 32x32x32 CT crop, trained with the words
//! radiologists use.
//!
//! The crate is pure: it reads bytes and returns values, with no file system, clock or logging. Research software, not a
//! medical device.
//!
//! # Rooms
//! From the ground up; a room takes only from rooms below it, which a test checks (`tests/rooms.rs`):
//! `error`, `base`, `volume`, `dataset`, `lidc`, `phantom`, `nn`, `methods`, `metrics`, `train`, `model`, `study`.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod base;
pub mod dataset;
pub mod error;
#[cfg(feature = "lidc")]
pub mod lidc;
pub mod methods;
pub mod metrics;
pub mod model;
pub mod nn;
#[cfg(feature = "lidc")]
pub mod phantom;
#[cfg(feature = "study")]
pub mod study;
#[cfg(feature = "train")]
pub mod train;
pub mod volume;

pub use error::{Error, Result};
