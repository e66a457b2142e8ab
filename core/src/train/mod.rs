//! Training: one step at a time, so that the caller owns the loop, the clock and the files.

pub mod batch;
pub mod best;
#[cfg(feature = "cube")]
mod changing;
pub mod config;
pub mod ema;
pub mod evaluate;
mod flat;
pub mod log;
pub mod network;
pub mod numbers;
pub mod optimizer;
pub mod recipe;
pub mod recompute;
#[cfg(feature = "cube")]
pub mod replay;
pub mod resident;
pub mod schedule;
pub mod split;
pub mod state;
pub mod step;
pub mod steps;
pub mod validate;

/// Of training's arithmetic: a change that gives other weights from the same settings and data raises it, so that results
/// of before and after are not averaged.
pub const ARITHMETIC: u32 = 1;
