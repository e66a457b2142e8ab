//! Comparing methods over folds: predictions pooled and paired, anchors without images, t-SNE, audits, the cells of a study and
//! its summary.

pub mod anchors;
pub mod audit;
pub mod calibration;
mod cell_id;
pub mod cells;
pub mod embedding;
pub mod grid;
pub mod measures;
pub mod numbers;
pub mod paired;
pub mod pooled;
pub mod ranking;
pub mod resampling;
pub mod summary;
pub mod variants;
