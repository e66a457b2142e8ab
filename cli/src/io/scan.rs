//! Crops of a single scan, a DICOM series or a NIfTI volume, around nodules that the user points at.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::table::CENTRE_COLUMNS;
use clip_lung_core::volume::crop::{Crop, Side};
use clip_lung_core::volume::dicom::{Series, SeriesReader};
use clip_lung_core::volume::nifti::NiftiScan;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::io::archive::search::search;
use crate::io::files;

/// Which nodules of a scan.
#[derive(clap::Args, Default)]
pub struct Place {
    /// The nodule's centre in a scan: x,y,z in mm, in the scanner's frame (DICOM: LPS; NIfTI: RAS, the file's own)
    #[arg(long, value_parser = triple, allow_hyphen_values = true, requires = "diameter")]
    centre: Option<[f64; 3]>,
    /// The nodule's diameter in mm; the crop's side is twice that, unless the model was trained on a fixed field of view
    #[arg(long, allow_negative_numbers = true)]
    diameter: Option<f64>,
    /// --centre and --nodules count voxels from 0 instead: column,row,slice of a DICOM series (slices from the feet), i,j,k of
    /// a NIfTI file
    #[arg(long)]
    voxel: bool,
    /// Many nodules: CSV with columns centre_x_mm, centre_y_mm, centre_z_mm, diameter_mm and perhaps nodule_id and series_uid
    /// (as `prepare` writes), or a JSON list of {id, centre, diameter_mm}, the centre a list of three
    #[arg(long, conflicts_with_all = ["centre", "diameter"])]
    nodules: Option<String>,
    /// The SeriesInstanceUID, where a folder holds several series
    #[arg(long)]
    series: Option<String>,
}

impl Place {
    /// Whether the user points at a place, and not only gives a diameter.
    pub fn points(&self) -> bool {
        self.centre.is_some() || self.nodules.is_some()
    }

    /// `--diameter`.
    pub fn diameter(&self) -> Option<f64> {
        self.diameter
    }

    /// Whether the user points at anything.
    pub fn given(&self) -> bool {
        self.centre.is_some() || self.diameter.is_some() || self.nodules.is_some()
    }
}

fn triple(text: &str) -> Result<[f64; 3], String> {
    let numbers: Vec<f64> =
        text.split(',').filter_map(|p| p.trim().parse().ok()).filter(|v: &f64| v.is_finite()).collect();
    numbers.try_into().ok().filter(|_| text.split(',').count() == 3).ok_or_else(|| "give three numbers: x,y,z".into())
}

/// A crop to predict: its name, and where it was cut.
pub struct Target {
    pub id: String,
    pub crop: Crop,
    /// Where it is known.
    pub diameter_mm: Option<f64>,
    pub geometry: Option<Value>,
}

/// A nodule as the user describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    id: Option<String>,
    centre: [f64; 3],
    diameter_mm: f64,
    #[serde(default)]
    series_uid: Option<String>,
}

/// The crops of a NIfTI file.
pub fn nifti(path: &Path, place: &Place, side: Side) -> Result<Vec<Target>> {
    let name = path.display().to_string();
    let scan = NiftiScan::parse(&files::read(path)?, &name)?;
    let stem =
        path.file_name().map_or(name.as_str(), |n| n.to_str().unwrap_or(&name)).split(".nii").next().unwrap_or("scan");
    let wanted = wanted(place, stem)?;
    wanted
        .into_iter()
        .map(|(id, w)| {
            let mm = if place.voxel { scan.mm(w.centre) } else { w.centre };
            let side = cube(side, w.diameter_mm)?;
            let crop = scan.crop(mm, side)?;
            Ok(Target {
                id,
                crop,
                diameter_mm: Some(w.diameter_mm),
                geometry: Some(geometry("RAS", mm, scan.voxel(mm), side, w.diameter_mm, Value::Null)),
            })
        })
        .collect()
}

/// The crops of a DICOM series in a folder.
pub fn dicom(dir: &Path, place: &Place, side: Side) -> Result<Vec<Target>> {
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
    let mut wanted = wanted(place, "nodule")?;
    wanted.retain(|(_, w)| w.series_uid.as_ref().is_none_or(|u| u == uid));
    if wanted.is_empty() {
        return Err(Failure::File(format!("{name}: no nodule of --nodules lies in series {uid}")).into());
    }
    wanted
        .into_iter()
        .map(|(id, w)| {
            let [x, y, z] = w.centre;
            let mm = if place.voxel { series.mm_of_voxel([z, y, x]) } else { w.centre };
            let [z, y, x] = series.voxel(mm);
            let side = cube(side, w.diameter_mm)?;
            let mut geometry = geometry("LPS", mm, [x, y, z], side, w.diameter_mm, json!(uid));
            if !series.gaps.is_empty() {
                geometry["missing_slices_mm"] = json!(series.gaps);
            }
            Ok(Target { id, crop: reader.crop(mm, side)?, diameter_mm: Some(w.diameter_mm), geometry: Some(geometry) })
        })
        .collect()
}

/// The cube's side in mm, of a diameter that is one.
fn cube(side: Side, diameter_mm: f64) -> Result<f64> {
    if diameter_mm.is_finite() && diameter_mm > 0.0 {
        return Ok(side.mm(diameter_mm));
    }
    let (what, value) = ("the nodule's diameter".into(), format!("{diameter_mm} mm"));
    Err(Error::OutOfRange { what, value, expected: "positive".into() }.into())
}

fn geometry(frame: &str, mm: [f64; 3], voxel: [f64; 3], side: f64, diameter: f64, series: Value) -> Value {
    json!({
        "frame": frame, "centre_mm": mm, "centre_voxel": voxel, "side_mm": side, "diameter_mm": diameter,
        "shape": [32, 32, 32], "axes": "z towards the head, y towards the back, x towards the left", "series_uid": series,
    })
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.take(20).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// The nodules of the command line, named.
fn wanted(place: &Place, stem: &str) -> Result<Vec<(String, Wanted)>> {
    let list = match (&place.centre, place.diameter, &place.nodules) {
        (Some(centre), Some(diameter_mm), _) => {
            vec![Wanted { id: Some(stem.into()), centre: *centre, diameter_mm, series_uid: None }]
        }
        (_, _, Some(file)) => table(file)?,
        _ => {
            let message =
                "a scan needs to know where to look: give --centre x,y,z and --diameter mm, or --nodules FILE";
            return Err(Failure::Usage(message.into()).into());
        }
    };
    if list.is_empty() {
        return Err(Failure::File("--nodules: there is no nodule in the file".into()).into());
    }
    let named = list.into_iter().enumerate();
    Ok(named.map(|(i, w)| (w.id.clone().unwrap_or_else(|| format!("{stem}[{i}]")), w)).collect())
}

/// `--nodules FILE`.
fn table(file: &str) -> Result<Vec<Wanted>> {
    let bytes = files::read(Path::new(file))?;
    if file.to_ascii_lowercase().ends_with(".json") {
        let list = serde_json::from_slice(&bytes);
        return Ok(list.map_err(|e| Error::BadJson { file: file.into(), reason: e.to_string() })?);
    }
    let bad = |e: csv::Error| Error::BadTable { file: file.into(), reason: e.to_string() };
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().map_err(bad)?.clone();
    let column = |name: &str| header.iter().position(|h| h.trim() == name);
    let needed =
        |name: &str| column(name).ok_or_else(|| Error::MissingColumn { file: file.into(), column: name.into() });
    let [x, y, z] = CENTRE_COLUMNS;
    let names = [x, y, z, "diameter_mm"];
    let index = [needed(x)?, needed(y)?, needed(z)?, needed(names[3])?];
    let (id, series) = (column("nodule_id"), column("series_uid"));
    let mut list = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record.map_err(bad)?;
        let mut numbers = [0.0; 4];
        for ((number, i), name) in numbers.iter_mut().zip(index).zip(names) {
            let value = record.get(i).unwrap_or("").trim();
            *number = value.parse().ok().filter(|v: &f64| v.is_finite()).ok_or_else(|| Error::BadCell {
                file: file.into(),
                row: n + 1,
                column: name.into(),
                value: value.into(),
                expected: "a number of mm",
            })?;
        }
        let word = |i: Option<usize>| {
            i.and_then(|i| record.get(i)).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let [x, y, z, diameter_mm] = numbers;
        list.push(Wanted { id: word(id), centre: [x, y, z], diameter_mm, series_uid: word(series) });
    }
    Ok(list)
}
