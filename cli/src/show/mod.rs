//! What people see: tables, pictures, pages, progress.

pub mod curves;
pub mod gallery;
pub mod picture;
pub mod progress;
pub mod study_progress;
pub mod table;
