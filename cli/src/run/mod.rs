//! A training run, from the text encoder to a scored model directory.

pub mod bundle;
pub mod card;
pub mod encoder;
pub mod hub;
pub mod reports;
pub mod results;
pub mod scoring;
pub mod training;
