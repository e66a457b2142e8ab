//! What a cell keeps for the report's pictures: features of the held-out nodules, maps of its worst errors, and how much of the heat
//! lies where the readers saw the nodule.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::base::tensors::{Array, Arrays, Precision, write};
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::lidc::consensus::Consensus;
use clip_lung_core::lidc::source::Database;
use clip_lung_core::metrics::pointing::{area_inside, energy_inside};
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::crop::{Crop, SIDE};

use super::scoring;
use crate::io::files;
use crate::io::kept::{self, Pointed};

/// How many errors are kept.
const ERRORS: usize = 6;

/// `features.safetensors` (`features` `[n, 512]`, the classifier's input) and `maps.safetensors` (`maps` `[k, 32, 32]`, Grad-CAM of the
/// answers that were most wrong, and `slices` `[k, 32, 32]`, the middle axial slice in HU), each with the nodules' ids, and
/// `pointing.csv` of the nodules whose readers' outlines are known. `predictions`: the model's of these rows.
pub fn write_files(
    dir: &Path,
    model: &Model,
    data: &Dataset,
    rows: &[usize],
    predictions: &[Prediction],
) -> Result<()> {
    let id = |i: usize| data.rows[i].nodule_id.clone();
    let ids = |rows: &[usize]| serde_json::to_string(&rows.iter().map(|&i| id(i)).collect::<Vec<_>>());
    let ask = |crops: &[Crop], diameters: &[f64]| model.features(crops, diameters);
    let features = scoring::in_batches(data, rows, 1.0, |row| data.crop(row), ask)?;
    let width = features.len() / rows.len().max(1);
    let array = Array { shape: vec![rows.len(), width], values: features };
    let bytes = write(&[("features".into(), array)].into(), Precision::F16, &[("nodules".into(), ids(rows)?)])?;
    files::write(&dir.join("features.safetensors"), &bytes)?;

    let worst = worst(model, data, rows, predictions);
    let (mut maps, mut slices) = (Vec::new(), Vec::new());
    for &i in &worst {
        let crop = data.crop(i)?;
        maps.extend(model.explain(&crop, data.rows[i].diameter_mm, None)?.heat);
        let middle = SIDE / 2 * SIDE * SIDE;
        slices.extend(&crop.hu()[middle..middle + SIDE * SIDE]);
    }
    let shape = vec![worst.len(), SIDE, SIDE];
    let arrays: Arrays = [
        ("maps".to_owned(), Array { shape: shape.clone(), values: maps }),
        ("slices".to_owned(), Array { shape, values: slices }),
    ]
    .into();
    files::write(&dir.join("maps.safetensors"), &write(&arrays, Precision::F16, &[("nodules".into(), ids(&worst)?)])?)?;
    kept::write_pointing(dir, &pointing(model, data, rows)?)
}

/// The heat of every answer inside the readers' consensus, for the nodules of LIDC-IDRI among these rows.
fn pointing(model: &Model, data: &Dataset, rows: &[usize]) -> Result<Vec<Pointed>> {
    let database = Database::new()?;
    let mut all = Vec::new();
    for &i in rows {
        let row = &data.rows[i];
        let size = data.header.crop.size_of(row.diameter_mm)?;
        let (Some((nodule, scan)), Some(size)) = (database.nodule(row), size) else { continue };
        let inside = Consensus { nodule, scan, sides: size.sides() }.in_plane();
        let heat = model.explain(&data.crop(i)?, row.diameter_mm, None)?.heat;
        // a map without heat points nowhere
        let energy = energy_inside(&heat, &inside).unwrap_or_default();
        all.push(Pointed { nodule_id: row.nodule_id.clone(), energy, area: area_inside(&inside) });
    }
    Ok(all)
}

/// The wrong answers that gave the true class the least, the worst first.
fn worst(model: &Model, data: &Dataset, rows: &[usize], predictions: &[Prediction]) -> Vec<usize> {
    let mut wrong = Vec::new();
    for (&i, prediction) in rows.iter().zip(predictions) {
        let truth = data.rows[i].class;
        let place = model.config.classes.iter().position(|c| *c == truth);
        if let Some(place) = place.filter(|_| prediction.class != truth) {
            wrong.push((prediction.probabilities[place], i));
        }
    }
    wrong.sort_by(|a, b| a.0.total_cmp(&b.0));
    wrong.into_iter().take(ERRORS).map(|(_, i)| i).collect()
}
