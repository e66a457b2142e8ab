//! What one annotation file says.

use crate::lidc::annotations::ReaderRatings;

/// One outline on one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Roi {
    pub inclusion: bool,
    /// As written; the slice's own position counts where its SOP instance is known.
    pub z: f64,
    pub sop_uid: String,
    /// (column, row).
    pub points: Vec<(i32, i32)>,
}

/// One reader's nodule of 3 mm or more.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The reader's own label.
    pub label: String,
    pub ratings: ReaderRatings,
    pub rois: Vec<Roi>,
}

/// One annotation file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    pub series_uid: String,
    pub study_uid: String,
    pub nodules: Vec<Reading>,
    /// Nodules left out for their ratings: label and reason.
    pub unrated: Vec<(String, String)>,
    /// How many marks were under 3 mm.
    pub small: usize,
    /// How many marks were non-nodules.
    pub non_nodules: usize,
}
