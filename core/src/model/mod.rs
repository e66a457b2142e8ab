//! The networks: image network, text tower, prompts, and how their weights are stored.

pub mod config;
pub mod directory;
pub mod image_net;
pub mod layers;
pub mod predict;
pub mod resnet;
pub mod weights;

#[cfg(feature = "train")]
pub mod prompts;
#[cfg(feature = "train")]
pub mod text_tower;
#[cfg(feature = "train")]
pub mod text_weights;
#[cfg(feature = "train")]
pub mod tokenizer;
