//! A trained model, ready to answer: its configuration, its directory, predictions and explanations.

pub mod answer;
pub mod answer_set;
pub mod average;
pub mod config;
pub mod directory;
pub mod ensemble;
pub mod explain;
pub mod guard;
pub mod network;
pub mod predict;
pub mod readout_file;
pub mod robustness;
