//! What people see: tables, pictures, pages, progress.

pub mod audit;
pub mod command;
pub mod comparison;
pub mod curves;
pub mod figure;
pub mod gallery;
pub mod markdown;
pub mod picture;
pub mod predictions;
pub mod progress;
pub mod report;
pub mod scan;
pub mod study_progress;
pub mod table;
