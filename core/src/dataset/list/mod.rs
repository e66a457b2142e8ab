//! Lists of nodules as people have them: CSV of any spreadsheet, JSON, boxes of detectors.
//!
//! A table has a header row; its columns may go by several names (see `COLUMNS`), and a cell may be empty. Delimiters are comma,
//! semicolon and tab; with the latter two a comma within a number is a decimal one. JSON is a list of `{id, centre, diameter_mm, ...}`,
//! MONAI's detection list or one file of nnDetection.

mod boxes;
mod json;
mod listed;
mod row;
mod table;

pub use listed::{Listed, Size, file_stem, same_scan};
pub use row::Found;

use crate::base::unicode::decode;
use crate::error::{Error, Result};

/// Reads a list; `file` names it in errors.
///
/// # Errors
/// When it is no list of a known kind, lacks a column, or a cell can't be read without doubt.
pub fn parse(bytes: &[u8], file: &str) -> Result<Vec<Listed>> {
    let text = decode(bytes).ok_or_else(|| Error::BadTable {
        file: file.into(),
        reason: "not text in UTF-8 or UTF-16; save it again in UTF-8".into(),
    })?;
    match text.trim_start().chars().next() {
        Some('[' | '{') => json::parse(&text, file),
        _ => table::parse(&text, file),
    }
}

#[cfg(test)]
mod tests;
