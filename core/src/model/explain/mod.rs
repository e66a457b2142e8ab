//! Why a prediction came out as it did.

pub mod attributes;
pub mod gradcam;
