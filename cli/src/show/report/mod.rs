//! The report of a study: files that are views of its summary.

pub mod drawn;
mod files;
mod latex;
mod levels;
mod markdown;
mod page;
mod results;
mod table;
mod tables;

pub use files::files;
