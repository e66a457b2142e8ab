//! The words: tokenizers, prompts, the text towers and the constant text side of a run.

pub mod bert;
pub mod clip;
pub mod directory;
pub mod encoder;
pub mod layers;
pub mod products;
pub mod prompts;
pub mod side;
pub mod tokens;
pub mod tower;
