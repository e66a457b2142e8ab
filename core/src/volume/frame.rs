//! Points of a scan, each with its frame in its type: none can be read in another.
//!
//! LPS (DICOM): mm towards the patient's left, back and head. RAS (NIfTI): mm towards right, front and head. Voxel: counted from 0 in
//! the scan's own order, column, row, slice of a DICOM series (slices from the feet), i, j, k of a NIfTI file.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// DICOM's patient coordinates, mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lps;
/// NIfTI's world coordinates, mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ras;
/// Voxels from 0, fractions between their centres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Voxel;

/// A frame by its name in files and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    Lps,
    Ras,
    Voxel,
}

impl Frame {
    /// The name as it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lps => "LPS",
            Self::Ras => "RAS",
            Self::Voxel => "voxel",
        }
    }
}

/// A point (x, y, z) in the frame `F`; its coordinates are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point<F> {
    xyz: [f64; 3],
    frame: PhantomData<F>,
}

impl<F> Point<F> {
    /// # Errors
    /// When a coordinate is not finite.
    pub fn new(xyz: [f64; 3]) -> Result<Self> {
        if xyz.iter().any(|v| !v.is_finite()) {
            let (what, value) = ("a point's place".into(), format!("{xyz:?}"));
            return Err(Error::OutOfRange { what, value, expected: "finite".into() });
        }
        Ok(Self { xyz, frame: PhantomData })
    }

    /// The coordinates.
    pub fn xyz(self) -> [f64; 3] {
        self.xyz
    }
}

/// x and y turn round.
fn turned<A, B>(point: Point<A>) -> Point<B> {
    let [x, y, z] = point.xyz;
    Point { xyz: [-x, -y, z], frame: PhantomData }
}

impl From<Point<Lps>> for Point<Ras> {
    fn from(point: Point<Lps>) -> Self {
        turned(point)
    }
}

impl From<Point<Ras>> for Point<Lps> {
    fn from(point: Point<Ras>) -> Self {
        turned(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_and_y_turn_round_between_lps_and_ras() {
        let lps = Point::<Lps>::new([1.0, -2.0, 3.0]).unwrap();
        assert_eq!(Point::<Ras>::from(lps).xyz(), [-1.0, 2.0, 3.0]);
        assert_eq!(Point::<Lps>::from(Point::<Ras>::from(lps)), lps);
        assert!(Point::<Voxel>::new([0.0, f64::NAN, 0.0]).is_err() && Point::<Lps>::new([f64::INFINITY; 3]).is_err());
    }

    #[test]
    fn frames_by_name() {
        for (frame, name) in [(Frame::Lps, "lps"), (Frame::Ras, "ras"), (Frame::Voxel, "voxel")] {
            assert_eq!(serde_json::to_value(frame).unwrap(), name);
            assert_eq!(frame.name().to_lowercase(), name);
        }
    }
}
