//! One series and its annotations -> rows and crops of a data set, and an account of every nodule left out.

use serde::{Deserialize, Serialize};

use super::annotations::Scan;
use super::nodule::Nodule;
use super::source::Annotated;
use crate::dataset::class::Thresholds;
use crate::dataset::table::Row;
use crate::error::{Error, Result};
use crate::volume::crop::Patch;
use crate::volume::dicom::{Series, SeriesReader};
use crate::volume::geometry::CropGeometry;
use crate::volume::grid::Margin;

/// What is made of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub thresholds: Thresholds,
    /// Nodules of fewer readers are left out.
    pub min_readers: u32,
    /// Series of thicker slices (nominal, mm) are left out.
    pub max_slice_thickness: Option<f64>,
    pub crop: CropGeometry,
    pub margin: Margin,
}

/// A nodule left out, or something worth knowing about a series.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    pub patient_id: String,
    pub series_uid: String,
    /// Empty: the series as a whole.
    pub nodule_id: String,
    pub reason: String,
}

/// Nodules with their crops, in one order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cut {
    pub rows: Vec<Row>,
    pub patches: Vec<Patch>,
}

impl Cut {
    fn push(&mut self, row: Row, patch: Patch) {
        self.rows.push(row);
        self.patches.push(patch);
    }
}

/// What a series gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    pub kept: Cut,
    /// Nodules left out that could be cut all the same: for looking at.
    pub dropped: Cut,
    pub skipped: Vec<Skipped>,
}

/// Why a nodule can't be cut.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoduleFault {
    #[error("{found} readers, fewer than --min-readers {wanted}")]
    Readers { found: u32, wanted: u32 },
    #[error("slices are {found} mm thick, more than --max-slice-thickness {limit}")]
    Thick { found: f64, limit: f64 },
    #[error("an outline at z {z} mm has no slice: the scan reaches from {low} to {high} mm")]
    NoSlice { z: f64, low: f64, high: f64 },
    #[error("an outline reaches ({x}, {y}), outside of the image of {columns} x {rows}")]
    OutsideImage { x: i32, y: i32, columns: usize, rows: usize },
    #[error("slices are missing between z {0} and {1} mm, within the nodule")]
    Gap(f64, f64),
    #[error("its outlines enclose nothing")]
    NoVolume,
}

impl Skipped {
    fn nodule(series: &Series, id: &str, reason: impl Into<String>) -> Self {
        Self {
            patient_id: series.header.patient_id.clone(),
            series_uid: series.header.series_uid.clone(),
            nodule_id: id.into(),
            reason: reason.into(),
        }
    }
}

/// Cuts the nodules of a series. `fetch` gives a file's name and bytes by the caller's number.
///
/// # Errors
/// When a file can't be fetched: that may pass. A slice that can't be decoded costs only the nodules it touches.
pub fn prepare<F>(series: &Series, annotated: &Annotated, settings: &Settings, fetch: F) -> Result<Prepared>
where
    F: FnMut(usize) -> Result<(String, Vec<u8>)>,
{
    let mut out = Prepared::default();
    let mut reader = SeriesReader::new(series, fetch);
    for (id, nodule) in &annotated.nodules {
        let pixel = annotated.scan.pixel_spacing;
        let [x, y, z] = nodule.centre_mm;
        let centre = series.patient_mm(x / pixel, y / pixel, z)?;
        // the patient as the DICOM files write it
        let patient_id = series.header.patient_id.clone();
        let row = nodule.row(id, &annotated.scan, settings.thresholds);
        let row = Row { patient_id, centre_mm: Some(centre), ..row };
        let mut leave = |reason: String| out.skipped.push(Skipped::nodule(series, id, reason));
        let size = settings.crop.size(nodule.diameter_mm);
        let patch = size.and_then(|size| reader.patch(centre, size, settings.margin));
        match (usable(nodule, &annotated.scan, series, settings), patch) {
            (_, Err(error @ Error::Unreadable { .. })) => return Err(error),
            (Ok(()), Ok(patch)) => out.kept.push(row, patch),
            (Ok(()), Err(Error::Series { fault, .. })) => leave(fault.to_string()),
            (Ok(()), Err(error)) => leave(error.to_string()),
            (Err(fault), patch) => {
                leave(fault.to_string());
                if let Ok(patch) = patch {
                    out.dropped.push(row, patch);
                }
            }
        }
    }
    Ok(out)
}

fn usable(nodule: &Nodule, scan: &Scan, series: &Series, settings: &Settings) -> Result<(), NoduleFault> {
    if nodule.readers() < settings.min_readers {
        return Err(NoduleFault::Readers { found: nodule.readers(), wanted: settings.min_readers });
    }
    let found = scan.slice_thickness;
    if let Some(limit) = settings.max_slice_thickness.filter(|limit| found > *limit) {
        return Err(NoduleFault::Thick { found, limit });
    }
    if !(nodule.volume_mm3.is_finite() && nodule.volume_mm3 > 0.0) {
        return Err(NoduleFault::NoVolume);
    }
    let contours = || nodule.members.iter().flat_map(|&m| &scan.annotations[m].contours);
    let low = contours().map(|c| c.z).fold(f64::INFINITY, f64::min);
    let high = contours().map(|c| c.z).fold(f64::NEG_INFINITY, f64::max);
    let within = |gap: &&(f64, f64)| gap.0 < high - 1e-6 && gap.1 > low + 1e-6;
    if let Some(&(below, above)) = series.gaps.iter().find(within) {
        return Err(NoduleFault::Gap(below, above));
    }
    let [_, rows, columns] = series.dims();
    for contour in contours() {
        if series.slice_near(contour.z).is_none() {
            let (first, last) = (series.slices[0].z, series.slices[series.slices.len() - 1].z);
            return Err(NoduleFault::NoSlice { z: contour.z, low: first, high: last });
        }
        let inside = |v: i32, n: usize| usize::try_from(v).is_ok_and(|v| v < n);
        if let Some(&(x, y)) = contour.points.iter().find(|(x, y)| !(inside(*x, columns) && inside(*y, rows))) {
            return Err(NoduleFault::OutsideImage { x, y, columns, rows });
        }
    }
    Ok(())
}
