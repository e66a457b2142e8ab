//! The network's input: 32 x 32 x 32 samples in HU, alone or with a margin around them, and their normalisation.

use serde::{Deserialize, Serialize};

use super::frame::{Point, Voxel};
use super::geometry::CropSize;
use super::grid::Margin;
pub use super::grid::{SIDE, VOXELS, cell_offset};
use super::voxels::Volume;
use crate::error::{Error, Result, check_finite};

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

    /// The box of `size` around `centre`, sampled at 32 cell centres an axis, trilinear, air outside of the volume.
    ///
    /// # Errors
    /// When a sample is not finite.
    pub fn take(volume: &Volume, centre: Point<Voxel>, size: CropSize) -> Result<Self> {
        Patch::take(volume, centre, size, Margin::default())?.crop()
    }

    /// The HU samples, (z, y, x).
    pub fn hu(&self) -> &[f32] {
        &self.0
    }
}

/// A crop with the cells of its margin around it, in HU, axes as the crop's.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    hu: Vec<f32>,
    margin: Margin,
}

impl Patch {
    /// As [`Crop::take`], with a margin.
    ///
    /// # Errors
    /// When a sample is not finite.
    pub fn take(volume: &Volume, centre: Point<Voxel>, size: CropSize, margin: Margin) -> Result<Self> {
        let [x, y, z] = centre.xyz();
        let (middle, spacing) = ([z, y, x], volume.spacing());
        let mut axes = size.offsets(margin);
        for ((axis, middle), spacing) in axes.iter_mut().zip(middle).zip(spacing) {
            axis.iter_mut().for_each(|o| *o = middle + *o / spacing);
        }
        Self::sampled(volume, &axes, margin)
    }

    /// The volume at the product of three axes of voxel coordinates (z, y, x), as many as the margin makes them, trilinear, air
    /// outside.
    ///
    /// # Errors
    /// When an axis has another length.
    pub fn sampled(volume: &Volume, axes: &[Vec<f64>; 3], margin: Margin) -> Result<Self> {
        let [zs, ys, xs] = axes;
        let (found, expected) = ([zs.len(), ys.len(), xs.len()], margin.shape());
        if found != expected {
            let (expected, found) = (expected.to_vec(), found.to_vec());
            return Err(Error::Shape { file: "crop".into(), name: "axes".into(), expected, found });
        }
        let mut hu = Vec::with_capacity(margin.voxels());
        for &z in zs {
            for &y in ys {
                hu.extend(xs.iter().map(|&x| volume.sample([z, y, x]) as f32));
            }
        }
        check_finite("crop", "crop", &hu)?;
        Ok(Self { hu, margin })
    }

    /// The HU samples with the margin's, (z, y, x).
    pub fn hu(&self) -> &[f32] {
        &self.hu
    }

    /// The crop in its middle.
    ///
    /// # Errors
    /// Never: its samples are finite.
    pub fn crop(&self) -> Result<Crop> {
        let lines = (0..SIDE * SIDE).map(|k| self.margin.line(k / SIDE, k % SIDE));
        Crop::new(lines.flat_map(|start| &self.hu[start..start + SIDE]).copied().collect(), "crop")
    }
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
    use crate::volume::geometry::CropGeometry;

    /// Reference values: HU -1200, -600, 0, 400, 900 -> 0, .285714, .714286, 1, 1.
    #[test]
    fn window_golden() {
        let n = Normalisation::window([-1000.0, 400.0]);
        for (hu, expected) in [(-1200.0, 0.0), (-600.0, 0.285714), (0.0, 0.714286), (400.0, 1.0), (900.0, 1.0)] {
            assert!((n.apply(hu) - expected).abs() < 1e-6);
        }
    }

    /// Boxes cut by numpy and scipy (tests/golden/crops.py): two diameters in the plane and one along z; mm and diameters mixed, with a
    /// margin, over the border.
    #[test]
    fn anisotropic_boxes_golden() {
        #[derive(serde::Deserialize)]
        struct Case {
            name: String,
            crop: CropGeometry,
            margin: Margin,
            centre: [f64; 3],
            diameter_mm: f64,
        }
        let bytes = include_bytes!("../../../tests/golden/crops.safetensors");
        let (_, header) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
        let metadata = header.metadata().as_ref().unwrap();
        let tensors = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let words = |name: &str| -> Vec<f32> {
            let data = tensors.tensor(name).unwrap().data().to_vec();
            data.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))).collect()
        };
        let dims = tensors.tensor("volume").unwrap().shape().try_into().unwrap();
        let volume = Volume::new(words("volume"), dims, serde_json::from_str(&metadata["spacing"]).unwrap()).unwrap();
        let cases: Vec<Case> = serde_json::from_str(&metadata["cases"]).unwrap();
        assert_eq!(cases.len(), 2);
        for case in cases {
            let (centre, size) = (Point::new(case.centre).unwrap(), case.crop.size(case.diameter_mm).unwrap());
            let patch = Patch::take(&volume, centre, size, case.margin).unwrap();
            let known = words(&case.name);
            assert_eq!(patch.hu().len(), known.len());
            let worst = patch.hu().iter().zip(&known).map(|(a, b)| (a - b / 16.0).abs()).fold(0.0, f32::max);
            assert!(worst < 0.04, "{}: {worst} HU", case.name);
            assert_eq!(patch.crop().unwrap(), Crop::take(&volume, centre, size).unwrap());
        }
    }

    #[test]
    fn outside_is_air() {
        let volume = Volume::new(vec![100.0; 8], [2; 3], [1.0; 3]).unwrap();
        let size = CropGeometry::PUBLISHED.size(30.0).unwrap();
        let crop = Crop::take(&volume, Point::new([0.5; 3]).unwrap(), size).unwrap();
        assert_eq!(crop.hu()[0], -1000.0);
    }
}
