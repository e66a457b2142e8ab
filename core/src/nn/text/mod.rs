//! The words: tokenizer, prompts and the frozen text towers.

pub mod geometry;
pub mod prompts;
pub mod tokenizer;
pub mod tower;
pub mod weights;
