//! CLIP's text tower: its dimensions, tokenizer, weights and layers.

pub mod geometry;
pub mod tokenizer;
pub mod tower;
pub mod weights;
