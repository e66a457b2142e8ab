//! The slices of one series, ordered in space.

use super::acquisition::separate;
use super::header::SliceHeader;
use super::mixed::alike;
use super::plane::{MAX_TILT_DEGREES, SAME_MM, axial, cross, dot, median, sort, upwards};
use crate::error::{Result, SeriesFault};
use crate::volume::frame::{Lps, Point, Voxel};
use crate::volume::geometry::CropSize;
use crate::volume::grid::Margin;
use crate::volume::warning::Warning;

/// A distance above this share of the median means that slices are missing.
const GAP: f64 = 1.5;

/// One slice of a series: where it lies and in which file.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRef {
    /// The caller's number of the file.
    pub file: usize,
    /// Patient z of the first pixel's centre, mm: what annotations name a slice by.
    pub z: f64,
    pub sop_uid: String,
    /// Centre of the first pixel, LPS, mm.
    pub position: [f64; 3],
    /// Distance of the slice's plane from the origin, mm, growing towards the head.
    pub(super) height: f64,
}

/// An axial CT series: slices from the feet towards the head, one acquisition, duplicates dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub slices: Vec<SliceRef>,
    /// The first slice's header; rows, columns, orientation and spacing hold for all.
    pub header: SliceHeader,
    /// Median distance of neighbouring slices' planes, mm.
    pub slice_spacing: f64,
    /// z ranges (below, above) in mm between which slices are missing.
    pub gaps: Vec<(f64, f64)>,
    /// How many slices lay at the place of another.
    pub duplicates: usize,
    /// What its reader should know.
    pub warnings: Vec<Warning>,
}

impl Series {
    /// Orders the slices of one series. `files` pairs each header with the caller's number of its file, `name` gives its name.
    ///
    /// Scout views and slices of another size are left aside; of several acquisitions the most complete one is read.
    ///
    /// # Errors
    /// When the slices are of several patients, are not axial, are too few, or lie twice at most places with nothing to tell them apart.
    pub fn order(mut files: Vec<(usize, SliceHeader)>, name: &dyn Fn(usize) -> String) -> Result<Self, SeriesFault> {
        sort(&mut files, [0.0, 0.0, 1.0]);
        let all = files.len();
        let mut seen = std::collections::BTreeSet::new();
        files.retain(|(_, h)| seen.insert(h.sop_uid.clone()));
        let copies = all - files.len();
        let (files, aside) = alike(files, name)?;
        let Some((_, header)) = files.first() else { return Err(SeriesFault::TooFew(0)) };
        axial(header)?;
        let (mut files, mut warnings) = separate(files);
        warnings.splice(..0, aside);
        let count = files.len();
        // the first in space, now that the planes' normal is known
        let normal = upwards(&files[0].1);
        sort(&mut files, normal);
        let header = files[0].1.clone();
        let height = |h: &SliceHeader| dot(h.position, normal);
        let mut slices: Vec<SliceRef> = Vec::with_capacity(count);
        let mut twice = None;
        for (file, h) in &files {
            match slices.last().filter(|last| height(h) - last.height <= SAME_MM) {
                Some(last) => twice = twice.or(Some((last.file, *file))),
                None => {
                    let (z, sop_uid) = (h.position[2], h.sop_uid.clone());
                    slices.push(SliceRef { file: *file, z, sop_uid, position: h.position, height: height(h) });
                }
            }
        }
        if slices.len() < 2 {
            return Err(SeriesFault::TooFew(slices.len()));
        }
        let doubled = count - slices.len();
        if let Some((one, other)) = twice.filter(|_| 2 * doubled > slices.len()) {
            let (one, other) = (name(one), name(other));
            return Err(SeriesFault::Doubled { doubled, places: slices.len(), one, other });
        }
        let (low, high) = (&files[0].1.position, &files[count - 1].1.position);
        let drift = (high[0] - low[0]).hypot(high[1] - low[1]).atan2(high[2] - low[2]).to_degrees();
        if drift > MAX_TILT_DEGREES {
            return Err(SeriesFault::Gantry { degrees: drift });
        }
        let step = |w: &[SliceRef]| w[1].height - w[0].height;
        let slice_spacing = median(slices.windows(2).map(step).collect());
        let gap = slices.windows(2).filter(|w| step(w) > GAP * slice_spacing).map(|w| (w[0].z, w[1].z));
        let gaps: Vec<(f64, f64)> = gap.collect();
        let duplicates = copies + doubled;
        warnings.extend((duplicates > 0).then_some(Warning::Duplicates(duplicates)));
        warnings.extend(gaps.iter().map(|&(below, above)| Warning::MissingSlices { below, above }));
        warnings.extend(files.iter().any(|(_, h)| h.format.intercept.is_none()).then_some(Warning::NoRescale));
        let other = files.iter().find_map(|(_, h)| h.format.other_unit.clone());
        warnings.extend(other.map(|unit| Warning::RescaleType(unit.chars().take(16).collect())));
        Ok(Self { slices, header, slice_spacing, gaps, duplicates, warnings })
    }

    /// The gaps that a crop of the box of `size` around a point reaches into.
    pub fn missing_within(&self, centre: Point<Lps>, size: CropSize) -> Vec<Warning> {
        let (z, half) = (centre.xyz()[2], size.sides()[0] / 2.0);
        let within = self.gaps.iter().filter(|(below, above)| *below < z + half && *above > z - half);
        within.map(|&(below, above)| Warning::MissingWithinCrop { below, above }).collect()
    }

    /// Voxels (z, y, x).
    pub fn dims(&self) -> [usize; 3] {
        [self.slices.len(), usize::from(self.header.rows), usize::from(self.header.columns)]
    }

    /// The point at a column and a row, in pixels, of the slice at patient z (mm, of its first pixel).
    ///
    /// # Errors
    /// When a coordinate is too large for a number.
    pub fn patient_mm(&self, column: f64, row: f64, z: f64) -> Result<Point<Lps>> {
        self.mm(Point::new([column, row, self.index(z, |s| s.z)])?)
    }

    /// The point of voxel coordinates (column, row, slice).
    ///
    /// # Errors
    /// When a coordinate is too large for a number.
    pub fn mm(&self, at: Point<Voxel>) -> Result<Point<Lps>> {
        let ([column, row, slice], h) = (at.xyz(), &self.header);
        let (dx, dy) = (column * h.pixel_spacing[1], row * h.pixel_spacing[0]);
        let first = self.first_pixel(slice);
        Point::new([0, 1, 2].map(|i| first[i] + dx * h.orientation[0][i] + dy * h.orientation[1][i]))
    }

    /// Voxel coordinates (column, row, slice) of a point: the slice by its distance along the planes' normal, column and row from
    /// that slice's own first pixel, wherever the slices before it lie.
    ///
    /// # Errors
    /// When a coordinate is too large for a number.
    pub fn voxel(&self, at: Point<Lps>) -> Result<Point<Voxel>> {
        let (mm, h) = (at.xyz(), &self.header);
        let slice = self.slice_index(dot(mm, upwards(h)));
        let first = self.first_pixel(slice);
        let d = [0, 1, 2].map(|i| mm[i] - first[i]);
        // d lies in the plane: d = a r + b c
        let [r, c] = h.orientation;
        let n = cross(r, c);
        let (a, b) = (dot(cross(d, c), n) / dot(n, n), dot(cross(r, d), n) / dot(n, n));
        Point::new([a / h.pixel_spacing[1], b / h.pixel_spacing[0], slice])
    }

    /// Centre of the first pixel of a fractional slice, LPS, mm: linear between neighbouring slices.
    fn first_pixel(&self, slice: f64) -> [f64; 3] {
        let last = self.slices.len() - 1;
        let low = (slice.floor().max(0.0) as usize).min(last);
        let from = self.slices[low].position;
        let step = if slice >= 0.0 && low < last {
            let to = self.slices[low + 1].position;
            [0, 1, 2].map(|i| to[i] - from[i])
        } else {
            self.step()
        };
        [0, 1, 2].map(|i| from[i] + (slice - low as f64) * step[i])
    }

    /// The mean way from a slice to the next, LPS, mm, as long as makes the median distance of their planes.
    pub(super) fn step(&self) -> [f64; 3] {
        let (first, last) = (&self.slices[0], &self.slices[self.slices.len() - 1]);
        let share = self.slice_spacing / (last.height - first.height);
        [0, 1, 2].map(|i| (last.position[i] - first.position[i]) * share)
    }

    /// The fractional slice number of a plane's height.
    pub(super) fn slice_index(&self, height: f64) -> f64 {
        self.index(height, |s| s.height)
    }

    /// The fractional number of the slice at which `of` has this value: linear between neighbouring slices, whatever their distance.
    fn index(&self, value: f64, of: impl Fn(&SliceRef) -> f64) -> f64 {
        let last = self.slices.len() - 1;
        if value < of(&self.slices[0]) {
            return (value - of(&self.slices[0])) / self.slice_spacing;
        }
        if value >= of(&self.slices[last]) {
            return last as f64 + (value - of(&self.slices[last])) / self.slice_spacing;
        }
        // a slice far aside may have a lower z than the one below it
        let low = self.slices.partition_point(|s| of(s) <= value).clamp(1, last) - 1;
        let (below, above) = (of(&self.slices[low]), of(&self.slices[low + 1]));
        low as f64 + if above > below { (value - below) / (above - below) } else { 0.0 }
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
    pub fn contains(&self, at: Point<Voxel>) -> bool {
        let ([column, row, slice], [slices, rows, columns]) = (at.xyz(), self.dims());
        let on = |v: f64, n: usize| v >= -0.5 && v <= n as f64 - 0.5;
        on(column, columns) && on(row, rows) && on(slice, slices)
    }

    /// Voxel coordinates of a crop's samples, an axis each (z, y, x): cell centres of the box of `size`, and of its margin, around a
    /// point; x towards the left, y towards the back, z towards the head.
    ///
    /// # Errors
    /// When a coordinate is too large for a number.
    pub fn crop_axes(&self, centre: Point<Lps>, size: CropSize, margin: Margin) -> Result<[Vec<f64>; 3]> {
        let [column, row, _] = self.voxel(centre)?.xyz();
        let h = &self.header;
        let height = dot(centre.xyz(), upwards(h));
        let [zs, ys, xs] = size.offsets(margin);
        let plane = |offsets: Vec<f64>, centre: f64, spacing: f64, direction: f64| -> Vec<f64> {
            offsets.into_iter().map(|o| centre + o * direction.signum() / spacing).collect()
        };
        Ok([
            zs.into_iter().map(|o| self.slice_index(height + o)).collect(),
            plane(ys, row, h.pixel_spacing[0], h.orientation[1][1]),
            plane(xs, column, h.pixel_spacing[1], h.orientation[0][0]),
        ])
    }
}
