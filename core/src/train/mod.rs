//! Training: one step at a time, so that the caller owns the loop, the clock and the files.

pub mod batch;
pub mod best;
pub mod config;
pub mod ema;
pub mod evaluate;
pub mod log;
pub mod network;
pub mod optimizer;
pub mod recompute;
pub mod schedule;
pub mod split;
pub mod state;
pub mod step;
pub mod validate;
