//! A training run, from the text encoder to a scored model directory.

pub mod ahead;
pub mod anchors;
pub mod audit;
pub mod bundle;
pub mod card;
pub mod cell;
pub mod drawn;
pub mod encoder;
pub mod evidence;
#[cfg(any(test, feature = "cuda"))]
pub mod exercise;
pub mod fit;
pub mod hub;
pub mod init;
pub mod leaks;
pub mod out_of_fold;
pub mod recipe;
pub mod results;
pub mod robustness;
pub mod rules;
pub mod scoring;
pub mod shared;
pub mod structured_reports;
pub mod training;
#[cfg(feature = "cuda")]
pub mod warm;
