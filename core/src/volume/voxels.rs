//! A CT volume in Hounsfield units with its geometry.

use crate::error::{Error, Result, check_finite};

/// What lies outside of a volume: air, in HU (padding, not clamping).
pub const OUTSIDE_HU: f32 = -1000.0;

/// A CT volume: voxels in HU, axes (z, y, x), z ascending towards the head.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    voxels: Vec<f32>,
    dims: [usize; 3],
    spacing: [f64; 3],
}

impl Volume {
    /// A volume of `dims` (z, y, x) voxels, `spacing` in mm in the same order.
    ///
    /// # Errors
    /// When an axis is empty, the voxel count differs, a spacing is not positive, or a voxel is not finite.
    pub fn new(voxels: Vec<f32>, dims: [usize; 3], spacing: [f64; 3]) -> Result<Self> {
        let count = dims.iter().try_fold(1usize, |a, &d| a.checked_mul(d)).filter(|&n| n > 0);
        if count != Some(voxels.len()) {
            return Err(Error::Shape {
                file: "volume".into(),
                name: "voxels".into(),
                expected: dims.to_vec(),
                found: vec![voxels.len()],
            });
        }
        if let Some(s) = spacing.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(Error::OutOfRange {
                what: "voxel spacing".into(),
                value: format!("{s} mm"),
                expected: "positive".into(),
            });
        }
        check_finite("volume", "voxels", &voxels)?;
        Ok(Self { voxels, dims, spacing })
    }

    /// The number of voxels an axis, (z, y, x).
    pub fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// The voxels in HU, x running fastest.
    pub fn voxels(&self) -> &[f32] {
        &self.voxels
    }

    /// The distance of neighbouring voxel centres in mm, (z, y, x).
    pub fn spacing(&self) -> [f64; 3] {
        self.spacing
    }

    fn voxel(&self, z: isize, y: isize, x: isize) -> f64 {
        let inside = |i: isize, n: usize| i >= 0 && (i as usize) < n;
        let [nz, ny, nx] = self.dims;
        if inside(z, nz) && inside(y, ny) && inside(x, nx) {
            f64::from(self.voxels[(z as usize * ny + y as usize) * nx + x as usize])
        } else {
            f64::from(OUTSIDE_HU)
        }
    }

    /// The HU at fractional voxel coordinates (z, y, x), trilinear; voxels outside read as [`OUTSIDE_HU`].
    pub fn sample(&self, at: [f64; 3]) -> f64 {
        let low = at.map(f64::floor);
        let t = [at[0] - low[0], at[1] - low[1], at[2] - low[2]];
        let [z, y, x] = low.map(|v| v as isize);
        let mut sum = 0.0;
        for corner in 0..8usize {
            let bit = [corner >> 2 & 1, corner >> 1 & 1, corner & 1];
            let weight: f64 = (0..3).map(|i| if bit[i] == 1 { t[i] } else { 1.0 - t[i] }).product();
            if weight > 0.0 {
                sum += weight * self.voxel(z + bit[0] as isize, y + bit[1] as isize, x + bit[2] as isize);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: trilinear on 0..26 (3x3x3) at (.5, 1.25, 1.75) = 10.0.
    #[test]
    fn trilinear_golden() {
        let volume = Volume::new((0..27).map(|v| v as f32).collect(), [3; 3], [1.0; 3]).unwrap();
        assert!((volume.sample([0.5, 1.25, 1.75]) - 10.0).abs() < 1e-12);
        assert_eq!(volume.sample([-5.0, 0.0, 0.0]), -1000.0);
    }

    #[test]
    fn bad_volumes_are_refused() {
        assert!(Volume::new(vec![0.0; 8], [2, 2, 3], [1.0; 3]).is_err());
        assert!(Volume::new(vec![], [0, 2, 3], [1.0; 3]).is_err());
        assert!(Volume::new(vec![0.0; 8], [2; 3], [1.0, 0.0, 1.0]).is_err());
        assert!(Volume::new(vec![f32::NAN; 8], [2; 3], [1.0; 3]).is_err());
        assert!(Volume::new(vec![], [usize::MAX, usize::MAX, 2], [1.0; 3]).is_err());
    }
}
