//! The network's input: a cube of 32 x 32 x 32 samples in HU, and its normalisation.

use serde::{Deserialize, Serialize};

use super::voxels::Volume;
use crate::error::{Error, Result, check_finite};

/// Samples an axis.
pub const SIDE: usize = 32;
/// Samples in a crop.
pub const VOXELS: usize = SIDE * SIDE * SIDE;

/// A crop of 32 x 32 x 32 samples in HU, axes (z, y, x), z ascending towards the head.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop(Vec<f32>);

impl Crop {
    /// A crop from its HU samples; `source` names them in errors.
    ///
    /// # Errors
    /// When there are not 32768 samples or one of them is not finite.
    pub fn new(hu: Vec<f32>, source: &str) -> Result<Self> {
        if hu.len() != VOXELS {
            return Err(Error::Shape {
                file: source.into(),
                name: "crop".into(),
                expected: vec![SIDE; 3],
                found: vec![hu.len()],
            });
        }
        check_finite(source, "crop", &hu)?;
        Ok(Self(hu))
    }

    /// The cube of side 2 x `diameter_mm` around `centre` (voxel coordinates z, y, x), sampled at 32 cell centres an axis,
    /// trilinear, air outside of the volume.
    ///
    /// # Errors
    /// When the diameter is not positive or the centre not finite.
    pub fn take(volume: &Volume, centre: [f64; 3], diameter_mm: f64) -> Result<Self> {
        if !(diameter_mm.is_finite() && diameter_mm > 0.0) {
            return Err(Error::OutOfRange {
                what: "the nodule's diameter".into(),
                value: format!("{diameter_mm} mm"),
                expected: "positive".into(),
            });
        }
        if centre.iter().any(|c| !c.is_finite()) {
            return Err(Error::OutOfRange {
                what: "the nodule's centre".into(),
                value: format!("{centre:?}"),
                expected: "finite".into(),
            });
        }
        let axis = |i: usize| -> Vec<f64> {
            (0..SIDE).map(|k| centre[i] + cell_offset(k, SIDE, 2.0 * diameter_mm) / volume.spacing()[i]).collect()
        };
        Self::sampled(volume, &[axis(0), axis(1), axis(2)])
    }

    /// The volume at the product of three axes of 32 voxel coordinates each (z, y, x), trilinear, air outside.
    ///
    /// # Errors
    /// When an axis has another length.
    pub fn sampled(volume: &Volume, axes: &[Vec<f64>; 3]) -> Result<Self> {
        let [zs, ys, xs] = axes;
        let mut hu = Vec::with_capacity(VOXELS);
        for &z in zs {
            for &y in ys {
                hu.extend(xs.iter().map(|&x| volume.sample([z, y, x]) as f32));
            }
        }
        Self::new(hu, "crop")
    }

    /// The HU samples, (z, y, x).
    pub fn hu(&self) -> &[f32] {
        &self.0
    }
}

/// The side of a crop's cube, in words that a data set's notes and a model's configuration share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// Twice the nodule's equivalent diameter, as published; it hides the size.
    TwiceDiameter,
    /// The same number of mm for all.
    Fixed(f64),
}

impl Side {
    /// The side for a nodule of this diameter, in mm.
    pub fn mm(self, diameter_mm: f64) -> f64 {
        match self {
            Self::TwiceDiameter => 2.0 * diameter_mm,
            Self::Fixed(side) => side,
        }
    }

    /// The side that a text names: fixed where it says `fixed N mm cube`.
    pub fn parse(text: &str) -> Self {
        let fixed = text.split("fixed ").skip(1).find_map(|rest| {
            let (number, unit) = rest.split_once(' ')?;
            number.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0 && unit.starts_with("mm cube"))
        });
        fixed.map_or(Self::TwiceDiameter, Self::Fixed)
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TwiceDiameter => f.write_str("2x equivalent diameter"),
            Self::Fixed(side) => write!(f, "fixed {side} mm cube"),
        }
    }
}

/// The offset in mm of cell centre `i` of `n` from the middle of a side of `side_mm`.
pub fn cell_offset(i: usize, n: usize, side_mm: f64) -> f64 {
    (i as f64 + 0.5) / n as f64 * side_mm - side_mm / 2.0
}

/// HU window and the training fold's statistics: HU -> clip -> 0..1 -> (v - mean) / std.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Lower and upper end of the window in HU.
    pub hu_window: [f32; 2],
    /// Mean of the training fold on the 0..1 scale.
    pub mean: f32,
    /// Standard deviation of the training fold on the 0..1 scale.
    pub std: f32,
}

impl Normalisation {
    /// The window alone: mean 0, deviation 1.
    pub fn window(hu_window: [f32; 2]) -> Self {
        Self { hu_window, mean: 0.0, std: 1.0 }
    }

    /// One value, HU -> network input.
    pub fn apply(&self, hu: f32) -> f32 {
        let [low, high] = self.hu_window;
        ((hu.clamp(low, high) - low) / (high - low) - self.mean) / self.std
    }

    /// The inverse within the window: network input -> HU.
    pub fn invert(&self, value: f32) -> f32 {
        let [low, high] = self.hu_window;
        (value * self.std + self.mean) * (high - low) + low
    }

    /// Checks what a configuration file may have got wrong.
    ///
    /// # Errors
    /// When the window is empty or the deviation not positive.
    pub fn check(&self) -> Result<()> {
        let [low, high] = self.hu_window;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(Error::OutOfRange {
                what: "hu_window".into(),
                value: format!("{:?}", self.hu_window),
                expected: "[low, high] with low < high".into(),
            });
        }
        if !(self.std.is_finite() && self.std > 0.0 && self.mean.is_finite()) {
            return Err(Error::OutOfRange {
                what: "input mean/std".into(),
                value: format!("{}/{}", self.mean, self.std),
                expected: "finite, std above 0".into(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: HU -1200, -600, 0, 400, 900 -> 0, .285714, .714286, 1, 1.
    #[test]
    fn window_golden() {
        let n = Normalisation::window([-1000.0, 400.0]);
        for (hu, expected) in [(-1200.0, 0.0), (-600.0, 0.285714), (0.0, 0.714286), (400.0, 1.0), (900.0, 1.0)] {
            assert!((n.apply(hu) - expected).abs() < 1e-6);
        }
    }

    /// Reference values: n = 4, side 8 mm, centre 20 mm, spacing .8 -> voxels 21.25, 23.75, 26.25, 28.75.
    #[test]
    fn cell_centres_golden() {
        for (i, expected) in [21.25, 23.75, 26.25, 28.75].into_iter().enumerate() {
            assert!(((20.0 + cell_offset(i, 4, 8.0)) / 0.8 - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn sides_read_what_they_write() {
        for side in [Side::TwiceDiameter, Side::Fixed(50.0), Side::Fixed(37.5)] {
            assert_eq!(Side::parse(&format!("Crops: {side}, trilinear")), side);
        }
        assert_eq!(
            Side::parse("Masked, fixed 32 mm cube at 1 mm instead of 2x equivalent diameter"),
            Side::Fixed(32.0)
        );
        assert_eq!(Side::parse("fixed -1 mm cube, fixed up"), Side::TwiceDiameter);
        assert_eq!((Side::TwiceDiameter.mm(7.0), Side::Fixed(50.0).mm(7.0)), (14.0, 50.0));
    }

    #[test]
    fn outside_is_air() {
        let volume = Volume::new(vec![100.0; 8], [2; 3], [1.0; 3]).unwrap();
        let crop = Crop::take(&volume, [0.5, 0.5, 0.5], 30.0).unwrap();
        assert_eq!(crop.hu()[0], -1000.0);
        assert!(Crop::take(&volume, [0.5; 3], -1.0).is_err());
        assert!(Crop::take(&volume, [f64::NAN; 3], 1.0).is_err());
    }
}
