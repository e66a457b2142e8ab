//! What an exported model learns from held-out predictions and from the data it was trained on: calibration, and which crops are none.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::folds;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::guard::{Guard, Surroundings};
use clip_lung_core::study::calibration::{Calibration, LEAST_FOLDS, LEAST_NODULES};
use clip_lung_core::study::pooled::Predictions;

use crate::failure::Failure;
use crate::io::files;

/// Folds that the guard's false alarms are counted over.
const FOLDS: usize = 5;
const FOLD_SEED: u64 = 2;

/// Held-out predictions of the model's recipe, a file or a run each.
pub fn held_out(places: &[PathBuf], config: &ModelConfig) -> Result<Predictions> {
    let mut parts = Vec::new();
    for place in places {
        let file = if place.is_dir() { place.join("predictions.csv") } else { place.clone() };
        let mut part = Predictions::read(&file.display().to_string(), &files::read(&file)?, config.task)?;
        part.decision = config.decision;
        parts.push(part);
    }
    Ok(Predictions::pool("the held-out predictions", &parts)?)
}

/// From held-out predictions of the model's recipe.
pub fn calibration(held_out: &Predictions) -> Result<Calibration> {
    let too_few = || {
        let (nodules, folds) = (held_out.nodules.len(), held_out.folds().len());
        Failure::File(format!(
            "{}: {nodules} of {folds} fold(s) are too few to calibrate with; give those of {LEAST_FOLDS} folds and {LEAST_NODULES} nodules at least",
            held_out.name
        ))
    };
    Ok(Calibration::of(held_out).ok_or_else(too_few)?)
}

/// From the nodules of a data set, which is named by its place.
pub fn guard(data: &Dataset, place: &str, config: &ModelConfig) -> Result<Guard> {
    config.input.check_crop(data.header.crop, place, "the model")?;
    let fold = folds::by_patient(&data.rows, FOLDS, FOLD_SEED)?;
    let mut nodules = Vec::with_capacity(data.len());
    for (i, fold) in fold.into_iter().enumerate() {
        let of = Surroundings::of(&data.crop(i)?, data.header.crop, data.rows[i].diameter_mm);
        nodules.extend(of.map(|of| (of, fold)));
    }
    let nothing = || Failure::File(format!("{place}: its crops show no surroundings to judge by"));
    Ok(Guard::fit(&nodules).ok_or_else(nothing)?)
}
