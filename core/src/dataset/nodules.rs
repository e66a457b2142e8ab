//! A part of a data set.

use super::crops::Dataset;

/// Nodules by their rows in a data set, which may be another than the training's.
#[derive(Clone, Copy)]
pub struct Nodules<'a> {
    pub data: &'a Dataset,
    pub rows: &'a [usize],
}
