//! The slices of one series, ordered in space.

use super::header::SliceHeader;
use crate::error::SeriesFault;
use crate::volume::crop::{SIDE, cell_offset};

/// Planes may lean this far from the axial plane and still be read as axial.
const MAX_TILT_DEGREES: f64 = 1.0;
/// Positions closer than this are the same slice, in mm.
const SAME_MM: f64 = 0.01;
/// A distance above this share of the median means that slices are missing.
const GAP: f64 = 1.5;

/// One slice of a series: where it lies and in which file.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRef {
    /// The caller's number of the file.
    pub file: usize,
    pub z: f64,
    pub sop_uid: String,
}

/// An axial CT series: slices from the feet towards the head, duplicates dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub slices: Vec<SliceRef>,
    /// The first slice's header; rows, columns, orientation and spacing hold for all.
    pub header: SliceHeader,
    /// Median distance of neighbouring slices, mm.
    pub slice_spacing: f64,
    /// z ranges (below, above) in mm between which slices are missing.
    pub gaps: Vec<(f64, f64)>,
    /// How many slices lay at the place of another.
    pub duplicates: usize,
}

impl Series {
    /// Orders the slices of one series. `files` pairs each header with the caller's number of its file.
    ///
    /// # Errors
    /// When the slices differ in size, spacing or orientation, are not axial, or are too few.
    pub fn order(mut files: Vec<(usize, SliceHeader)>) -> Result<Self, SeriesFault> {
        files.sort_by(|a, b| a.1.position[2].total_cmp(&b.1.position[2]).then_with(|| a.1.sop_uid.cmp(&b.1.sop_uid)));
        let count = files.len();
        let Some((_, header)) = files.first().cloned() else { return Err(SeriesFault::TooFew(0)) };
        for (_, other) in &files {
            same(&header, other)?;
        }
        axial(&header)?;
        let mut slices: Vec<SliceRef> = Vec::with_capacity(count);
        for (file, h) in &files {
            if slices.last().is_none_or(|last| h.position[2] - last.z > SAME_MM) {
                slices.push(SliceRef { file: *file, z: h.position[2], sop_uid: h.sop_uid.clone() });
            }
        }
        if slices.len() < 2 {
            return Err(SeriesFault::TooFew(slices.len()));
        }
        let (low, high) = (&files[0].1.position, &files[count - 1].1.position);
        let drift = (high[0] - low[0]).hypot(high[1] - low[1]).atan2(high[2] - low[2]).to_degrees();
        if drift > MAX_TILT_DEGREES {
            return Err(SeriesFault::Gantry { degrees: drift });
        }
        let steps: Vec<f64> = slices.windows(2).map(|w| w[1].z - w[0].z).collect();
        let slice_spacing = median(steps.clone());
        let gaps =
            slices.windows(2).filter(|w| w[1].z - w[0].z > GAP * slice_spacing).map(|w| (w[0].z, w[1].z)).collect();
        let duplicates = count - slices.len();
        Ok(Self { slices, header, slice_spacing, gaps, duplicates })
    }

    /// Voxels (z, y, x).
    pub fn dims(&self) -> [usize; 3] {
        [self.slices.len(), usize::from(self.header.rows), usize::from(self.header.columns)]
    }

    /// Patient coordinates (LPS, mm) of a point given by column and row, in pixels, and patient z.
    pub fn patient_mm(&self, column: f64, row: f64, z: f64) -> [f64; 3] {
        let h = &self.header;
        let (dx, dy) = (column * h.pixel_spacing[1], row * h.pixel_spacing[0]);
        let at = |i: usize| h.position[i] + dx * h.orientation[0][i] + dy * h.orientation[1][i];
        [at(0), at(1), z]
    }

    /// Voxel coordinates (z, y, x) of a point in patient coordinates (x, y, z, mm).
    pub fn voxel(&self, mm: [f64; 3]) -> [f64; 3] {
        let h = &self.header;
        let d = [mm[0] - h.position[0], mm[1] - h.position[1]];
        let along = |v: [f64; 3], spacing: f64| (d[0] * v[0] + d[1] * v[1]) / spacing;
        [
            self.slice_index(mm[2]),
            along(h.orientation[1], h.pixel_spacing[0]),
            along(h.orientation[0], h.pixel_spacing[1]),
        ]
    }

    /// Patient coordinates (x, y, z, mm) of voxel coordinates (z, y, x).
    pub fn mm_of_voxel(&self, voxel: [f64; 3]) -> [f64; 3] {
        let last = self.slices.len() - 1;
        let low = (voxel[0].floor().max(0.0) as usize).min(last);
        let inside = voxel[0] >= 0.0 && low < last;
        let step = if inside { self.slices[low + 1].z - self.slices[low].z } else { self.slice_spacing };
        self.patient_mm(voxel[2], voxel[1], self.slices[low].z + (voxel[0] - low as f64) * step)
    }

    /// The fractional slice number of a patient z: linear between neighbouring slices, whatever their distance.
    fn slice_index(&self, z: f64) -> f64 {
        let (first, last) = (self.slices[0].z, self.slices[self.slices.len() - 1].z);
        if z < first {
            return (z - first) / self.slice_spacing;
        }
        if z >= last {
            return (self.slices.len() - 1) as f64 + (z - last) / self.slice_spacing;
        }
        let low = self.slices.partition_point(|s| s.z <= z) - 1;
        low as f64 + (z - self.slices[low].z) / (self.slices[low + 1].z - self.slices[low].z)
    }

    /// The number of the slice within half a spacing of `z`.
    pub fn slice_near(&self, z: f64) -> Option<usize> {
        let above = self.slices.partition_point(|s| s.z < z);
        let candidates = [above.checked_sub(1), Some(above)];
        let near = candidates.into_iter().flatten().filter(|&i| i < self.slices.len());
        near.map(|i| (i, (self.slices[i].z - z).abs()))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .filter(|(_, d)| *d <= self.slice_spacing / 2.0 + 1e-6)
            .map(|(i, _)| i)
    }

    /// Whether voxel coordinates lie on the scan.
    pub fn contains(&self, voxel: [f64; 3]) -> bool {
        let dims = self.dims();
        (0..3).all(|i| voxel[i] >= -0.5 && voxel[i] <= dims[i] as f64 - 0.5)
    }

    /// Voxel coordinates of a crop's samples, an axis each (z, y, x): cell centres of the cube of `side_mm` around a point in
    /// patient coordinates; x towards the left, y towards the back, z towards the head.
    pub fn crop_axes(&self, centre_mm: [f64; 3], side_mm: f64) -> [Vec<f64>; 3] {
        let centre = self.voxel(centre_mm);
        let h = &self.header;
        let offsets = || (0..SIDE).map(|k| cell_offset(k, SIDE, side_mm));
        let plane = |centre: f64, spacing: f64, direction: f64| -> Vec<f64> {
            offsets().map(|o| centre + o * direction.signum() / spacing).collect()
        };
        [
            offsets().map(|o| self.slice_index(centre_mm[2] + o)).collect(),
            plane(centre[1], h.pixel_spacing[0], h.orientation[1][1]),
            plane(centre[2], h.pixel_spacing[1], h.orientation[0][0]),
        ]
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n % 2 == 1 { values[n / 2] } else { (values[n / 2 - 1] + values[n / 2]) / 2.0 }
}

fn same(a: &SliceHeader, b: &SliceHeader) -> Result<(), SeriesFault> {
    let mixed = |what, one: String, other: String| Err(SeriesFault::Mixed { what, one, other });
    let size = |h: &SliceHeader| format!("{} x {}", h.columns, h.rows);
    if size(a) != size(b) {
        return mixed("size", size(a), size(b));
    }
    let close = |x: &[f64], y: &[f64], tolerance: f64| x.iter().zip(y).all(|(p, q)| (p - q).abs() <= tolerance);
    if !close(&a.pixel_spacing, &b.pixel_spacing, 1e-4) {
        return mixed("pixel spacing", format!("{:?}", a.pixel_spacing), format!("{:?}", b.pixel_spacing));
    }
    if !(0..2).all(|i| close(&a.orientation[i], &b.orientation[i], 1e-3)) {
        return mixed("orientation", format!("{:?}", a.orientation), format!("{:?}", b.orientation));
    }
    if a.patient_id != b.patient_id {
        return mixed("patient", a.patient_id.clone(), b.patient_id.clone());
    }
    Ok(())
}

/// Rows along the patient's x, columns along y, each in either direction.
fn axial(h: &SliceHeader) -> Result<(), SeriesFault> {
    let [r, c] = h.orientation;
    let normal = [r[1] * c[2] - r[2] * c[1], r[2] * c[0] - r[0] * c[2], r[0] * c[1] - r[1] * c[0]];
    if normal[2].abs() < 0.7 || normal.iter().any(|n| !n.is_finite()) {
        return Err(SeriesFault::NotAxial { normal });
    }
    let degrees = r[0].abs().min(c[1].abs()).min(1.0).acos().to_degrees();
    if degrees > MAX_TILT_DEGREES { Err(SeriesFault::Oblique { degrees }) } else { Ok(()) }
}
