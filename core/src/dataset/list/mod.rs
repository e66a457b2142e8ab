//! Lists of nodules as people have them: CSV of any spreadsheet, JSON, boxes of detectors.
//!
//! A table has a header row; its columns may go by several names (see `COLUMNS`), and a cell may be empty. Delimiters are comma,
//! semicolon and tab; with the latter two a comma within a number is a decimal one. JSON is a list of `{id, centre, diameter_mm, ...}`,
//! MONAI's detection list or one file of nnDetection.

mod boxes;
mod json;
mod row;
mod table;

pub use row::Found;

use super::class::Class;
use crate::error::{Error, Result};
use crate::volume::frame::Frame;

/// How large a nodule is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Size {
    /// Its equivalent diameter in mm.
    Diameter(f64),
    /// The sides of the box around it in voxels of the scan (column, row, slice or i, j, k).
    Voxels([f64; 3]),
}

impl Size {
    /// The diameter in mm, in a scan of voxels of this size (mm, in the same order): a box has the cube's of its volume.
    pub fn diameter_mm(self, spacing: [f64; 3]) -> f64 {
        match self {
            Self::Diameter(mm) => mm,
            Self::Voxels(sides) => (0..3).map(|i| sides[i] * spacing[i]).product::<f64>().cbrt(),
        }
    }
}

/// A nodule as a list describes it; what the list does not say is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: Option<String>,
    pub frame: Option<Frame>,
    /// x, y, z in the frame: mm, or voxels.
    pub centre: [f64; 3],
    pub size: Option<Size>,
    /// Where it lies: a SeriesInstanceUID, or a file's name with or without its folders and endings.
    pub scan: Option<String>,
    pub patient_id: Option<String>,
    pub class: Option<Class>,
    /// Mean malignancy, 1 to 5.
    pub malignancy: Option<f64>,
    /// The readers' mean ratings, in the order of the data set's columns.
    pub ratings: Option<[f64; 8]>,
    pub readers: Option<u32>,
    /// The fold that the user deals it to.
    pub fold: Option<usize>,
}

impl Listed {
    /// A nodule of which only the place is known.
    pub fn at(centre: [f64; 3]) -> Self {
        Self {
            id: None,
            frame: None,
            centre,
            size: None,
            scan: None,
            patient_id: None,
            class: None,
            malignancy: None,
            ratings: None,
            readers: None,
            fold: None,
        }
    }

    /// Whether the list means a scan by this: a UID, or a file by its path, its name, or its name without endings.
    pub fn lies_in(&self, scan: &str) -> bool {
        self.scan.as_ref().is_some_and(|named| same_scan(named, scan))
    }
}

/// Whether two names mean one scan: equal, or equal without folders and endings.
pub fn same_scan(a: &str, b: &str) -> bool {
    a == b || file_stem(a) == file_stem(b)
}

/// A file's name without folders and the endings of images; a UID, which ends in no such, stays as it is.
pub fn file_stem(name: &str) -> &str {
    let mut stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
    for end in [".gz", ".nii", ".npy", ".mhd", ".mha", ".nrrd", ".nhdr", ".dcm", ".json"] {
        if let Some(cut) = stem.len().checked_sub(end.len())
            && stem.is_char_boundary(cut)
            && stem[cut..].eq_ignore_ascii_case(end)
        {
            stem = &stem[..cut];
        }
    }
    stem
}

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

/// UTF-8 or UTF-16, with or without a byte order mark.
fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|b| read([b[0], b[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests;
