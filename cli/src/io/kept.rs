//! What a cell may keep beside its predictions: test features, maps of its worst errors, and where its heat lies.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::tensors::{self, Array};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::io::files;

/// Rows of features in the order of the predictions.
const FEATURES: &str = "features.safetensors";
/// Maps by nodule, with the middle axial slices that they lie over.
const MAPS: &str = "maps.safetensors";
/// A row a nodule whose readers' outlines are known.
const POINTING: &str = "pointing.csv";

/// What a cell kept of one nodule.
pub struct Map {
    /// Grad-CAM, 0 to 1.
    pub heat: Vec<f32>,
    /// The middle axial slice in HU.
    pub slice: Option<Vec<f32>>,
}

/// How much of a nodule's heat lies where its readers saw it, both as shares of the axial plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pointed {
    pub nodule_id: String,
    /// Of the heat map's sum, inside.
    pub energy: f64,
    /// Of the plane, inside.
    pub area: f64,
}

/// The classifier's input of each of `rows` test nodules, in the order of `predictions.csv`; `None` where it was not kept.
pub fn features(run: &Path, rows: usize) -> Result<Option<Vec<Vec<f64>>>> {
    let path = run.join(FEATURES);
    if !path.is_file() {
        return Ok(None);
    }
    let file = path.display().to_string();
    let array = tensor(&files::read(&path)?, "features", &file)?;
    let width = array.shape.last().copied().unwrap_or_default();
    if array.shape != [rows, width] || width == 0 {
        return Err(other_shape(file, "features", vec![rows, width], array.shape));
    }
    Ok(Some(array.values.chunks(width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()))
}

/// Heat maps by nodule, each of `side` x `side` values; empty where none were kept.
pub fn maps(run: &Path, side: usize) -> Result<BTreeMap<String, Map>> {
    let path = run.join(MAPS);
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let (file, bytes) = (path.display().to_string(), files::read(&path)?);
    let bad = |reason: String| Error::BadSafetensors { file: file.clone(), reason };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| bad(e.to_string()))?;
    let list = header.metadata().as_ref().and_then(|m| m.get("nodules"));
    let list = list.ok_or_else(|| bad("its metadata don't name the `nodules`".into()))?;
    let nodules: Vec<String> = serde_json::from_str(list).map_err(|e| bad(e.to_string()))?;
    let mut arrays = tensors::read(&bytes, &file)?;
    let mut images = |name: &str| -> Result<Option<Vec<Vec<f32>>>> {
        let Some(array) = arrays.remove(name) else { return Ok(None) };
        if array.shape != [nodules.len(), side, side] {
            return Err(other_shape(file.clone(), name, vec![nodules.len(), side, side], array.shape));
        }
        Ok(Some(array.values.chunks(side * side).map(<[f32]>::to_vec).collect()))
    };
    let heats = images("maps")?.ok_or_else(|| missing(&file, "maps"))?;
    let mut slices = images("slices")?.unwrap_or_default().into_iter();
    let map = |heat: Vec<f32>| Map { heat, slice: slices.next() };
    let maps: Vec<Map> = heats.into_iter().map(map).collect();
    Ok(nodules.into_iter().zip(maps).collect())
}

/// Where the heat lies; empty where it was not kept.
pub fn pointing(run: &Path) -> Result<Vec<Pointed>> {
    let path = run.join(POINTING);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let (file, bytes) = (path.display().to_string(), files::read(&path)?);
    let rows: Result<Vec<Pointed>, csv::Error> = csv::Reader::from_reader(bytes.as_slice()).deserialize().collect();
    let rows = rows.map_err(|e| Error::BadTable { file: file.clone(), reason: e.to_string() })?;
    let share = |v: f64| (0.0..=1.0).contains(&v);
    match rows.iter().position(|r| !(share(r.energy) && share(r.area))) {
        Some(at) => {
            let reason = format!("row {}: energy and area are shares, from 0 to 1", at + 1);
            Err(Error::BadTable { file, reason }.into())
        }
        None => Ok(rows),
    }
}

/// Writes no file without a nodule.
pub fn write_pointing(run: &Path, rows: &[Pointed]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.serialize(row)?;
    }
    files::write(&run.join(POINTING), &table.into_inner().map_err(|e| e.into_error())?)
}

fn tensor(bytes: &[u8], name: &str, file: &str) -> Result<Array> {
    let found = tensors::read(bytes, file)?.remove(name);
    Ok(found.ok_or_else(|| missing(file, name))?)
}

fn missing(file: &str, name: &str) -> Error {
    Error::MissingTensor { file: file.into(), name: name.into() }
}

fn other_shape(file: String, name: &str, expected: Vec<usize>, found: Vec<usize>) -> anyhow::Error {
    Error::Shape { file, name: name.into(), expected, found }.into()
}
