//! A whole scan as viewers have it: HU on a regular grid whose axes run towards left, back and head, and its place. The page and
//! `clip-lung inspect` show this one reading. Triples are x, y, z.

use super::dicom::{Regular, Series, SliceHeader, slice_hu};
use super::frame::{Lps, Point};
use super::placed::{PlacedVolume, invert};
use super::warning::{Warning, not_hu};
use crate::error::{Error, Result};

/// HU, x running fastest.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Whole(Vec<i16>),
    /// Of files that have others than whole numbers of 16 bits.
    Fractions(Vec<f32>),
}

/// A whole scan.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub values: Values,
    pub dims: [usize; 3],
    /// mm.
    pub spacing: [f64; 3],
    /// Centre of the first voxel.
    pub first: Point<Lps>,
    /// The way from a voxel to the next along x, along y and along z, LPS, mm.
    pub steps: [[f64; 3]; 3],
    /// What its reader should know.
    pub warnings: Vec<Warning>,
    /// Slices of a DICOM series as its files name them, from the feet: patient z (mm) and SOPInstanceUID.
    pub slices: Vec<(f64, String)>,
    /// Patient z (mm) between which slices of the series are missing.
    pub gaps: Vec<(f64, f64)>,
}

impl View {
    /// A DICOM series. `files` pairs each header with the caller's number of its file, `name` gives its name and `bytes` what is in it,
    /// which is asked for once. Slices that can't be decoded are left aside and named.
    ///
    /// # Errors
    /// When a file can't be given, or the slices make no axial volume.
    pub fn of_series(
        uid: &str,
        files: &[(usize, SliceHeader)],
        name: &dyn Fn(usize) -> String,
        mut bytes: impl FnMut(usize) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let ordered = |headers, name: &dyn Fn(usize) -> String| {
            Series::order(headers, name).map_err(|fault| Error::Series { series: uid.into(), fault })
        };
        // nothing is decoded of what makes no volume
        ordered(files.to_vec(), name)?;
        let (mut headers, mut decoded, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
        for (index, header) in files {
            match slice_hu(&bytes(*index)?, header) {
                // half the memory
                Ok(hu) => {
                    headers.push((decoded.len(), header.clone()));
                    decoded.push((*index, hu.iter().map(|v| v.round() as i16).collect::<Vec<i16>>()));
                }
                Err(fault) => damaged.push(format!("{} ({fault})", name(*index))),
            }
        }
        let series = ordered(headers, &|i| name(decoded[i].0))?;
        let regular = Regular::read(&series, |i| Ok(decoded[i].1.iter().map(|v| f32::from(*v)).collect()))?;
        let count = damaged.len();
        let damaged = damaged.into_iter().next().map(|first| Warning::LeftAside { first, count });
        let unlike = not_hu(regular.hu.iter().map(|v| f32::from(*v)));
        let Regular { hu, dims: [nz, ny, nx], spacing: [dz, dy, dx], first, steps } = regular;
        Ok(Self {
            values: Values::Whole(hu),
            dims: [nx, ny, nz],
            spacing: [dx, dy, dz],
            first,
            steps,
            warnings: damaged.into_iter().chain(series.warnings.iter().cloned()).chain(unlike).collect(),
            slices: series.slices.iter().map(|s| (s.z, s.sop_uid.clone())).collect(),
            gaps: series.gaps.clone(),
        })
    }

    /// A NIfTI, NRRD or MetaImage volume.
    ///
    /// # Errors
    /// When its coordinates are too large for a number.
    pub fn of_volume(placed: &PlacedVolume) -> Result<Self> {
        let volume = placed.volume();
        let ([nz, ny, nx], [dz, dy, dx]) = (volume.dims(), volume.spacing());
        let voxels = volume.voxels();
        let is_whole = |v: &f32| f32::from(*v as i16) == *v;
        let values = if voxels.iter().all(is_whole) {
            Values::Whole(voxels.iter().map(|v| *v as i16).collect())
        } else {
            Values::Fractions(voxels.to_vec())
        };
        Ok(Self {
            values,
            dims: [nx, ny, nz],
            spacing: [dx, dy, dz],
            first: placed.first()?,
            steps: placed.steps(),
            warnings: placed.warnings.clone(),
            slices: Vec::new(),
            gaps: Vec::new(),
        })
    }

    /// The voxel nearest to a point, `None` off the scan.
    pub fn nearest(&self, at: Point<Lps>) -> Option<[usize; 3]> {
        let first = self.first.xyz();
        let row = |r: usize| [self.steps[0][r], self.steps[1][r], self.steps[2][r], first[r]];
        let voxel = invert(&[row(0), row(1), row(2)], at.xyz())?.map(f64::round);
        let on = (0..3).all(|i| voxel[i] >= 0.0 && voxel[i] < self.dims[i] as f64);
        on.then(|| voxel.map(|v| v as usize))
    }

    /// HU of a voxel on the scan.
    pub fn hu(&self, [x, y, z]: [usize; 3]) -> Option<f32> {
        let at = (z * self.dims[1] + y) * self.dims[0] + x;
        match &self.values {
            Values::Whole(hu) => hu.get(at).map(|v| f32::from(*v)),
            Values::Fractions(hu) => hu.get(at).copied(),
        }
    }

    /// The least and the largest HU.
    pub fn range(&self) -> [f32; 2] {
        let ends = |[low, high]: [f32; 2], v: f32| [low.min(v), high.max(v)];
        let none = [f32::INFINITY, f32::NEG_INFINITY];
        match &self.values {
            Values::Whole(hu) => hu.iter().map(|v| f32::from(*v)).fold(none, ends),
            Values::Fractions(hu) => hu.iter().copied().fold(none, ends),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_voxels() {
        // x and y are stored the other way round: RAS+
        let affine = [[0.5, 0.0, 0.0, 10.0], [0.0, -0.75, 0.0, 20.0], [0.0, 0.0, 2.0, -100.0]];
        let values: Vec<f32> = (0..24).map(|v| v as f32 - 900.25).collect();
        let placed = PlacedVolume::new(&values, [2, 3, 4], affine, "a.nii", "NIfTI-1").unwrap();
        let view = View::of_volume(&placed).unwrap();
        assert_eq!((view.dims, view.spacing), ([2, 3, 4], [0.5, 0.75, 2.0]));
        assert_eq!(view.first.xyz(), [-10.5, -20.0, -100.0]);
        assert_eq!(view.steps, [[0.5, 0.0, 0.0], [0.0, 0.75, 0.0], [0.0, 0.0, 2.0]]);
        let at = |mm: [f64; 3]| view.nearest(Point::new(mm).unwrap());
        assert_eq!(at([-10.0, -18.5, -94.0]), Some([1, 2, 3]));
        assert_eq!(at([-10.2, -20.3, -99.1]), Some([1, 0, 0]));
        assert_eq!((at([-11.0, -20.0, -100.0]), at([-10.5, -20.0, -92.9])), (None, None));
        assert_eq!((view.hu([0, 0, 0]), view.hu([1, 0, 0]), view.hu([0, 0, 9])), (Some(-899.25), Some(-900.25), None));
        assert_eq!(view.range(), [-900.25, -877.25]);
        let whole = PlacedVolume::new(&[-900.0; 24], [2, 3, 4], affine, "a.nii", "NIfTI-1").unwrap();
        assert_eq!(View::of_volume(&whole).unwrap().values, Values::Whole(vec![-900; 24]));
    }
}
