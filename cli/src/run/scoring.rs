//! Predicting a part of a data set with a model, and scoring it beside the size-only baseline.

use std::collections::BTreeMap;

use anyhow::Result;
use clip_lung_core::base::decision::Decision;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::nodules::Nodules;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::metrics::Scored;
use clip_lung_core::metrics::report::{Report, report};
use clip_lung_core::metrics::size_only::logistic;
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::predict::Model;
use clip_lung_core::nn::text::prompts::ATTRIBUTE_PHRASES;
use clip_lung_core::study::pooled::{PredictedNodule, Predictions};
use clip_lung_core::volume::crop::Crop;

use crate::failure::Failure;

/// The bootstrap's seed.
const SEED: u64 = 0;

/// Crops that are in memory at once.
const BATCH: usize = 64;

/// Predictions of these rows, in order.
pub fn predict(model: &Model, data: &Dataset, rows: &[usize]) -> Result<Vec<Prediction>> {
    in_batches(data, rows, 1.0, |row| data.crop(row), |crops, diameters| model.predict(crops, diameters))
}

/// The mean scores of the attributes over these rows, by name; nothing where the model has no words.
pub fn attribute_means(model: &Model, data: &Dataset, rows: &[usize]) -> Result<Option<BTreeMap<String, f32>>> {
    if !model.has_words() || rows.is_empty() {
        return Ok(None);
    }
    let ask = |crops: &[Crop], diameters: &[f64]| model.attributes(crops, diameters);
    let scores = in_batches(data, rows, 1.0, |row| data.crop(row), ask)?;
    let mean = |k: usize| (scores.iter().map(|s| f64::from(s[k])).sum::<f64>() / scores.len() as f64) as f32;
    Ok(Some(ATTRIBUTE_PHRASES.iter().enumerate().map(|(k, name)| ((*name).to_owned(), mean(k))).collect()))
}

/// What a model is asked of these rows, a few at a time, in order: `crop` gives a row's crop, `misjudged` is what each known diameter is
/// multiplied by.
pub fn in_batches<T>(
    data: &Dataset,
    rows: &[usize],
    misjudged: f64,
    crop: impl Fn(usize) -> clip_lung_core::Result<Crop>,
    ask: impl Fn(&[Crop], &[f64]) -> clip_lung_core::Result<Vec<T>>,
) -> Result<Vec<T>> {
    let mut out = Vec::new();
    for part in rows.chunks(BATCH) {
        let crops = part.iter().map(|&i| crop(i)).collect::<clip_lung_core::Result<Vec<_>>>()?;
        let diameters: Vec<f64> = part.iter().filter_map(|&i| Some(data.rows[i].diameter_mm? * misjudged)).collect();
        out.extend(ask(&crops, &diameters)?);
    }
    Ok(out)
}

/// Decimals of a probability in `predictions.csv`, and in what is scored: metrics then follow from that file alone.
const DECIMALS: usize = 7;

/// A probability as the file has it.
fn rounded(p: f64) -> f64 {
    let scale = 10f64.powi(DECIMALS as i32);
    (p * scale).round() / scale
}

/// Rows with a label of the task, and their probabilities, as the metrics take them.
pub fn scored(data: &Dataset, rows: &[usize], probabilities: &[Vec<f64>], task: Task, decision: Decision) -> Scored {
    let mut all = Scored { decision, ..Scored::default() };
    for (&i, p) in rows.iter().zip(probabilities) {
        if let Some(label) = task.label(data.rows[i].class) {
            all.truth.push(label);
            all.probabilities.push(p.iter().map(|p| rounded(*p)).collect());
            all.patients.push(data.rows[i].patient_id.clone());
        }
    }
    all
}

/// The report of predictions; an error when there is nothing to score.
pub fn score(scored: &Scored, task: Task) -> Result<Report> {
    let names: Vec<&'static str> = task.classes().iter().map(|c| c.name()).collect();
    let nothing = || Failure::File(format!("there is no nodule to score on {}; use more data", task.name()));
    Ok(report(scored, &names, &task.tested(), SEED).ok_or_else(nothing)?)
}

/// Logistic regression on log diameter: fitted on the training nodules, scored on those held out; none where a diameter is not known.
pub fn size_only(train: Nodules<'_>, held_out: Nodules<'_>, task: Task) -> Result<Option<Report>> {
    let size =
        |on: Nodules<'_>| on.rows.iter().map(|&i| on.data.rows[i].diameter_mm.map(f64::ln)).collect::<Option<Vec<_>>>();
    let label = |on: Nodules<'_>| on.rows.iter().filter_map(|&i| task.label(on.data.rows[i].class)).collect::<Vec<_>>();
    let (Some(known), Some(asked)) = (size(train), size(held_out)) else { return Ok(None) };
    let probabilities = logistic(&known, &label(train), task.classes().len(), &asked);
    let truth = label(held_out);
    let patients = held_out.rows.iter().map(|&i| held_out.data.rows[i].patient_id.clone()).collect();
    score(&Scored { truth, probabilities, patients, decision: Decision::Argmax }, task).map(Some)
}

/// `predictions.csv`: a probability of 0 for a class that the model does not know.
pub fn csv(
    data: &Dataset,
    rows: &[usize],
    probabilities: &[Vec<f64>],
    classes: &[Class],
    fold: usize,
) -> Result<String> {
    let nodule = |(&i, p): (&usize, &Vec<f64>)| {
        let row = &data.rows[i];
        let of = |class: Class| classes.iter().position(|c| *c == class).map_or(0.0, |k| rounded(p[k]));
        PredictedNodule {
            nodule_id: row.nodule_id.clone(),
            patient_id: row.patient_id.clone(),
            fold,
            class: row.class,
            probabilities: Class::ALL.map(of),
        }
    };
    let nodules = rows.iter().zip(probabilities).map(nodule).collect();
    let predictions =
        Predictions { name: "predictions.csv".into(), task: Task::default(), nodules, decision: Decision::default() };
    Ok(String::from_utf8(predictions.write()?)?)
}
