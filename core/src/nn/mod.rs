//! Networks: kernels, layers, the image encoder, the text towers.

pub mod backbone;
pub mod kernels;
pub mod layers;
pub mod parameters;
#[cfg(feature = "train")]
pub mod text;
