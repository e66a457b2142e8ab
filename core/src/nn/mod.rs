//! Networks: kernels, layers, the image encoder, the text towers.

pub mod image_net;
pub mod kernels;
pub mod layers;
pub mod parameters;
pub mod resnet;
#[cfg(feature = "train")]
pub mod text;
