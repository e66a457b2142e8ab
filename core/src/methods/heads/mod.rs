//! What several methods share: pooling with the classifier, prompts and their alignment, leaves of trees.

pub mod trunk;

#[cfg(feature = "train")]
pub mod alignment;
#[cfg(feature = "train")]
pub mod attribute_weights;
#[cfg(feature = "train")]
pub mod leaves;
#[cfg(feature = "train")]
pub mod prompt;
#[cfg(feature = "train")]
pub mod temperature;
#[cfg(feature = "train")]
pub mod text_map;
