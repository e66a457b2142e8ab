//! A whole series as one volume on a regular grid, for viewers.

use super::series::Series;
use crate::error::Result;
use crate::volume::frame::{Lps, Point};

/// A series resampled along z to its median slice spacing; axes (z, y, x) towards head, back and left.
#[derive(Clone, Debug, PartialEq)]
pub struct Regular {
    /// HU, rounded; x runs fastest.
    pub hu: Vec<i16>,
    /// Voxels (z, y, x).
    pub dims: [usize; 3],
    /// mm (z, y, x).
    pub spacing: [f64; 3],
    /// Centre of the first voxel.
    pub first: Point<Lps>,
    /// The way from a voxel to the next along x, y and z, LPS, mm: near the patient's axes, but for a tilt.
    pub steps: [[f64; 3]; 3],
}

impl Regular {
    /// Reads every slice once, linear between neighbouring ones, over gaps too. `decode` gives a slice in HU by the caller's number of its
    /// file.
    ///
    /// # Errors
    /// When a slice can't be given.
    pub fn read(series: &Series, mut decode: impl FnMut(usize) -> Result<Vec<f32>>) -> Result<Self> {
        // the last two slices
        let mut near: Vec<(usize, Vec<f32>)> = Vec::new();
        let mut slice = |z: usize| -> Result<Vec<f32>> {
            if let Some((_, hu)) = near.iter().find(|(at, _)| *at == z) {
                return Ok(hu.clone());
            }
            let hu = decode(series.slices[z].file)?;
            near.push((z, hu.clone()));
            near.drain(..near.len().saturating_sub(2));
            Ok(hu)
        };
        let [last, rows, columns] = series.dims().map(|d| d - 1);
        let ends = [0, last].map(|i| series.slices[i].height);
        let count = ((ends[1] - ends[0]) / series.slice_spacing).round() as usize + 1;
        let h = &series.header;
        // a direction against the patient's axis is read backwards
        let [backwards_x, backwards_y] = [h.orientation[0][0] < 0.0, h.orientation[1][1] < 0.0];
        let order = |n: usize, backwards: bool| (0..=n).map(move |i| if backwards { n - i } else { i });
        let mut hu = Vec::with_capacity(count * (rows + 1) * (columns + 1));
        for k in 0..count {
            let height = (ends[0] + k as f64 * series.slice_spacing).min(ends[1]);
            let at = series.slice_index(height).clamp(0.0, last as f64);
            let (low, t) = (at as usize, at.fract() as f32);
            let high = (low + 1).min(last);
            let below = slice(low)?;
            let above = if t > 0.0 { slice(high)? } else { below.clone() };
            for y in order(rows, backwards_y) {
                hu.extend(order(columns, backwards_x).map(|x| {
                    let i = y * (columns + 1) + x;
                    (below[i] * (1.0 - t) + above[i] * t).round() as i16
                }));
            }
        }
        let corner = |backwards: bool, n: usize| if backwards { n as f64 } else { 0.0 };
        let [row_mm, column_mm] = h.pixel_spacing;
        let along =
            |direction: [f64; 3], mm: f64, backwards: bool| direction.map(|v| if backwards { -v } else { v } * mm);
        Ok(Self {
            hu,
            dims: [count, rows + 1, columns + 1],
            spacing: [series.slice_spacing, row_mm, column_mm],
            first: series.mm(Point::new([corner(backwards_x, columns), corner(backwards_y, rows), 0.0])?)?,
            steps: [
                along(h.orientation[0], column_mm, backwards_x),
                along(h.orientation[1], row_mm, backwards_y),
                series.step(),
            ],
        })
    }
}
