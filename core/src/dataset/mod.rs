//! Nodules with their crops: classes, tasks, tables, folds and augmentation.

pub mod augment;
pub mod class;
pub mod crops;
pub mod folds;
pub mod header;
pub mod jitter;
pub mod list;
#[cfg(feature = "lidc")]
pub mod medmnist;
pub mod nodules;
pub mod table;
pub mod task;
