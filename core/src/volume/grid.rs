//! The grid of a crop's samples: 32 cells an axis, and the cells of the same pitch around them that a data set may hold too.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Samples an axis.
pub const SIDE: usize = 32;
/// Samples in a crop.
pub const VOXELS: usize = SIDE * SIDE * SIDE;

/// The offset in mm of cell centre `i` of `n` from the middle of a side of `side_mm`.
pub fn cell_offset(i: usize, n: usize, side_mm: f64) -> f64 {
    offset(i as f64, n, side_mm)
}

fn offset(i: f64, n: usize, side_mm: f64) -> f64 {
    (i + 0.5) / n as f64 * side_mm - side_mm / 2.0
}

/// How many cells lie beyond the crop on either side of each axis, (z, y, x).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[usize; 3]", into = "[usize; 3]")]
pub struct Margin([usize; 3]);

impl Margin {
    /// The most cells: a crop's side again.
    pub const MOST: usize = SIDE;

    /// A margin of so many cells, (z, y, x).
    ///
    /// # Errors
    /// When an axis has more than [`Margin::MOST`].
    pub fn new(cells: [usize; 3]) -> Result<Self> {
        if cells.iter().any(|c| *c > Self::MOST) {
            return Err(Error::OutOfRange {
                what: "the crops' margin".into(),
                value: format!("{cells:?}"),
                expected: format!("at most {} cells on a side", Self::MOST),
            });
        }
        Ok(Self(cells))
    }

    /// Cells on a side, (z, y, x).
    pub fn cells(self) -> [usize; 3] {
        self.0
    }

    /// Samples an axis of a crop with its margin, (z, y, x).
    pub fn shape(self) -> [usize; 3] {
        self.0.map(|m| SIDE + 2 * m)
    }

    /// Samples of a crop with its margin.
    pub fn voxels(self) -> usize {
        self.shape().iter().product()
    }

    /// Where the crop's own line (z, y), of 32 samples along x, starts among the samples with the margin.
    pub fn line(self, z: usize, y: usize) -> usize {
        let ([mz, my, mx], [_, height, width]) = (self.0, self.shape());
        ((z + mz) * height + y + my) * width + mx
    }

    /// The offsets in mm of the cell centres along axis `axis` (0 z, 1 y, 2 x) from the middle, of a crop of side `side_mm`.
    pub fn offsets(self, axis: usize, side_mm: f64) -> impl Iterator<Item = f64> {
        let margin = self.0[axis];
        (0..self.shape()[axis]).map(move |i| offset(i as f64 - margin as f64, SIDE, side_mm))
    }
}

impl TryFrom<[usize; 3]> for Margin {
    type Error = Error;

    fn try_from(cells: [usize; 3]) -> Result<Self> {
        Self::new(cells)
    }
}

impl From<Margin> for [usize; 3] {
    fn from(margin: Margin) -> Self {
        margin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: n = 4, side 8 mm, centre 20 mm, spacing .8 -> voxels 21.25, 23.75, 26.25, 28.75.
    #[test]
    fn cell_centres_golden() {
        for (i, expected) in [21.25, 23.75, 26.25, 28.75].into_iter().enumerate() {
            assert!(((20.0 + cell_offset(i, 4, 8.0)) / 0.8 - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_margin_goes_on_at_the_same_pitch() {
        let margin = Margin::new([0, 2, 5]).unwrap();
        assert_eq!((margin.shape(), margin.voxels()), ([32, 36, 42], 32 * 36 * 42));
        for axis in 0..3 {
            let all: Vec<f64> = margin.offsets(axis, 12.0).collect();
            let m = margin.cells()[axis];
            assert_eq!(all.len(), 32 + 2 * m);
            (0..SIDE).for_each(|i| assert_eq!(all[i + m], cell_offset(i, SIDE, 12.0)));
            all.windows(2).for_each(|w| assert!((w[1] - w[0] - 12.0 / 32.0).abs() < 1e-12));
        }
        assert_eq!(margin.line(0, 0), 2 * 42 + 5);
        assert_eq!(margin.line(31, 31), (31 * 36 + 33) * 42 + 5);
        assert!(serde_json::from_str::<Margin>("[0, 33, 0]").is_err());
        assert_eq!(serde_json::to_string(&margin).unwrap(), "[0,2,5]");
    }
}
