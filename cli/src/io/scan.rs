//! Crops of a single scan, a DICOM series or a NIfTI volume, around nodules that the user points at.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::volume::crop::Crop;
use clip_lung_core::volume::dicom::{Series, SeriesReader};
use clip_lung_core::volume::frame::{Frame, Lps, Point, Ras, Voxel};
use clip_lung_core::volume::geometry::{CropGeometry, CropSize};
use clip_lung_core::volume::grid::Margin;
use clip_lung_core::volume::nifti::NiftiScan;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::io::archive::search::search;
use crate::io::files;
use crate::io::nodules::{Nodule, Place};

/// A crop to predict: its name, and where it was cut.
pub struct Target {
    pub id: String,
    pub crop: Crop,
    /// Where it is known.
    pub diameter_mm: Option<f64>,
    pub geometry: Option<Value>,
    /// Of a DICOM series: what a report tells of its place.
    pub origin: Option<Origin>,
}

/// A nodule's place in a DICOM series.
pub struct Origin {
    pub series_uid: String,
    /// One of the series' files.
    pub file: PathBuf,
    pub centre: Point<Lps>,
    /// SOPInstanceUIDs of the slices that the nodule reaches, from the feet.
    pub slices: Vec<String>,
}

/// The crops of a NIfTI file.
pub fn nifti(path: &Path, place: &Place, crop: CropGeometry) -> Result<Vec<Target>> {
    let name = path.display().to_string();
    let scan = NiftiScan::parse(&files::read(path)?, &name)?;
    let stem =
        path.file_name().map_or(name.as_str(), |n| n.to_str().unwrap_or(&name)).split(".nii").next().unwrap_or("scan");
    let target = |nodule: Nodule| {
        let centre: Point<Ras> = match nodule.frame {
            Frame::Lps => Point::<Lps>::new(nodule.centre)?.into(),
            Frame::Ras => Point::new(nodule.centre)?,
            Frame::Voxel => scan.mm(Point::new(nodule.centre)?)?,
        };
        let size = crop.size(nodule.diameter_mm)?;
        let cut = scan.crop(centre, size)?;
        let geometry = geometry(Frame::Ras, centre.xyz(), scan.voxel(centre)?, size, &nodule, Value::Null);
        Ok(Target {
            id: nodule.id,
            crop: cut,
            diameter_mm: Some(nodule.diameter_mm),
            geometry: Some(geometry),
            origin: None,
        })
    };
    place.nodules(stem, Frame::Ras)?.into_iter().map(target).collect()
}

/// The crops of a DICOM series in a folder.
pub fn dicom(dir: &Path, place: &Place, crop: CropGeometry) -> Result<Vec<Target>> {
    let archive = search(dir, false, |_, _| ())?;
    let name = dir.display();
    let chosen = match (&place.series, archive.series.len()) {
        (_, 0) => {
            let others: Vec<String> = archive.others.iter().map(|(what, n)| format!("{n} {what}")).collect();
            let broken: Vec<String> =
                archive.unusable.iter().take(3).map(|(p, why)| format!("{}: {why}", p.display())).collect();
            let found = [others, broken].concat().join("; ");
            let message = format!(
                "{name}: no CT slice in it ({found}); give a data set directory or the folder of a DICOM series"
            );
            return Err(Failure::File(message).into());
        }
        (Some(uid), _) => archive.series.get_key_value(uid).ok_or_else(|| {
            Failure::File(format!("{name}: no series {uid} in it; there are: {}", list(archive.series.keys())))
        })?,
        (None, 1) => archive.series.iter().next().ok_or_else(|| Failure::File(format!("{name}: empty")))?,
        (None, n) => {
            let message = format!("{name}: {n} CT series; choose one with --series: {}", list(archive.series.keys()));
            return Err(Failure::File(message).into());
        }
    };
    let (uid, slices) = chosen;
    let headers = slices.iter().map(|s| s.header.clone()).enumerate().collect();
    let series = Series::order(headers).map_err(|fault| Error::Series { series: uid.clone(), fault })?;
    let mut reader = SeriesReader::new(&series, |file| slices[file].read(dir));
    let mut nodules = place.nodules("nodule", Frame::Lps)?;
    nodules.retain(|n| n.series_uid.as_ref().is_none_or(|u| u == uid));
    if nodules.is_empty() {
        return Err(Failure::File(format!("{name}: no nodule of --nodules lies in series {uid}")).into());
    }
    let target = |nodule: Nodule| {
        let centre: Point<Lps> = match nodule.frame {
            Frame::Lps => Point::new(nodule.centre)?,
            Frame::Ras => Point::<Ras>::new(nodule.centre)?.into(),
            Frame::Voxel => series.mm(Point::new(nodule.centre)?)?,
        };
        let size = crop.size(nodule.diameter_mm)?;
        let mut geometry = geometry(Frame::Lps, centre.xyz(), series.voxel(centre)?, size, &nodule, json!(uid));
        if !series.gaps.is_empty() {
            geometry["missing_slices_mm"] = json!(series.gaps);
        }
        let cut = reader.patch(centre, size, Margin::default())?.crop()?;
        let origin = Some(Origin {
            series_uid: uid.clone(),
            file: dir.join(&slices[0].path),
            centre,
            slices: reached(&series, centre, nodule.diameter_mm)?,
        });
        Ok(Target { id: nodule.id, crop: cut, diameter_mm: Some(nodule.diameter_mm), geometry: Some(geometry), origin })
    };
    nodules.into_iter().map(target).collect()
}

/// The slices within half a diameter of a nodule's centre, at least the one nearest to it.
fn reached(series: &Series, centre: Point<Lps>, diameter_mm: f64) -> Result<Vec<String>> {
    let [_, _, middle] = series.voxel(centre)?.xyz();
    let reach = diameter_mm / 2.0 / series.slice_spacing;
    let near = |k: &usize| (*k as f64 - middle).abs() <= reach.max(0.5);
    Ok((0..series.slices.len()).filter(near).map(|k| series.slices[k].sop_uid.clone()).collect())
}

/// Where a crop was cut, in words and numbers: mm in the scan's own frame.
fn geometry(frame: Frame, mm: [f64; 3], voxel: Point<Voxel>, size: CropSize, nodule: &Nodule, series: Value) -> Value {
    let [through_plane, in_plane, _] = size.sides();
    json!({
        "frame": frame.name(), "centre_mm": mm, "centre_voxel": voxel.xyz(), "in_plane_mm": in_plane,
        "through_plane_mm": through_plane, "diameter_mm": nodule.diameter_mm, "shape": [32, 32, 32],
        "axes": "z towards the head, y towards the back, x towards the left", "series_uid": series,
    })
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.take(20).map(String::as_str).collect::<Vec<_>>().join(", ")
}
