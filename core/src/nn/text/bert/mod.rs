//! Towers of BERT's kind: all-MiniLM-L6-v2, the text side of BiomedCLIP.

pub mod config;
pub mod tokenizer;
pub mod tower;
pub mod weights;
