//! What a trained run leaves: model directory, predictions, metrics, curves.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::decision::Decision;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::metrics::report::Report;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::split::Split;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;
use sha2::{Digest, Sha256};

use crate::io::files;
use crate::io::run_dir::RunDir;
use crate::run::bundle;
use crate::run::card;
use crate::run::scoring;
use crate::show::curves;
use crate::show::table::{Anchors, render, shown};

/// What a finished run leaves for its caller.
pub struct Outcome {
    pub config: TrainConfig,
    pub report: Report,
    pub size_only: Report,
    pub model: PathBuf,
    pub held_out: Vec<usize>,
    /// What `metrics.json` holds.
    metrics: serde_json::Value,
}

impl Outcome {
    /// The metrics as JSON, or as a table.
    pub fn print(&self, run: &Path, data: &Dataset, json: bool) {
        let config = &self.config;
        if json {
            println!("{}", self.metrics);
            return;
        }
        let heading = format!("{} on {}, fold {}", config.method.method().name(), config.task.name(), config.fold);
        let anchors = Anchors { size_only: Some(&self.size_only) };
        print!("{}", render(&self.report, &anchors, &heading, config.encoder(), &shown(data)));
        println!("  run: {}", run.join("").display());
    }
}

/// Model directory, predictions, metrics and curves of a trained run.
pub fn write(
    trainer: &Trainer,
    dir: RunDir,
    data: &Dataset,
    split: Split,
    norm: &Normalisation,
    device: &Device,
) -> Result<Outcome> {
    let config = &trainer.config;
    let trained = bundle::Trained::of(trainer)?;
    let draft = trained.directory(config, norm, data, serde_json::Value::Null, "", device)?;
    let model = clip_lung_core::model::predict::Model::load(&draft, "model", device)?;
    let by_classifier: Vec<Vec<f64>> = probabilities(scoring::predict(&model, data, &split.held_out)?);
    let by_text = trainer.text_probabilities(data, &split.held_out, norm)?;
    let score = |p: &[Vec<f64>]| {
        let scored = scoring::scored(data, &split.held_out, p, config.task, model.config.decision);
        scoring::score(&scored, config.task)
    };
    let classifier_report = score(&by_classifier)?;
    let text_report = by_text.as_deref().map(score).transpose()?;
    // a run that answers by its text features is scored by them; the model directory answers by its classifier
    let (answers, report) = match (by_text, &text_report) {
        (Some(by_text), Some(report)) if config.method.infers_by_text() => (by_text, report.clone()),
        _ => (by_classifier, classifier_report.clone()),
    };
    let size_only = scoring::size_only(data, &split.train, &split.held_out, config.task)?;

    let csv = scoring::csv(data, &split.held_out, &answers, &model.config.classes, config.fold)?;
    files::write(&dir.file("predictions.csv"), csv.as_bytes())?;
    let mut metrics = metrics(config, data, model.config.decision, &csv, &report, &size_only);
    if let Some(text_report) = text_report {
        metrics["classifier"] = serde_json::to_value(&classifier_report)?;
        metrics["text"] = serde_json::to_value(text_report)?;
    }
    let title = format!(
        "{} on {} ({}), text encoder: {}",
        config.method.method().name(),
        config.task.name(),
        config.data.name,
        config.encoder()
    );
    files::write(&dir.file("curves.svg"), curves::svg(&dir.steps(), &title)?.as_bytes())?;
    let summary = serde_json::json!({
        "accuracy": classifier_report.accuracy, "macro_auc": classifier_report.macro_auc,
        "majority": classifier_report.majority, "held_out": classifier_report.nodules,
    });
    let card = card::card(&model.config, config, split.train.len(), &classifier_report);
    let built = trained.directory(config, norm, data, summary, &card, device)?;
    let model = dir.file("model");
    files::write_dir(&model, &built)?;
    // the last, so that a run that has it has everything
    files::write(&dir.file("metrics.json"), &serde_json::to_vec_pretty(&metrics)?)?;

    Ok(Outcome { config: config.clone(), report, size_only, model, held_out: split.held_out, metrics })
}

fn probabilities(predictions: Vec<clip_lung_core::model::predict::Prediction>) -> Vec<Vec<f64>> {
    predictions.into_iter().map(|p| p.probabilities).collect()
}

/// What `metrics.json` holds of predictions that were written as `csv`.
pub fn metrics(
    config: &TrainConfig,
    data: &Dataset,
    decision: Decision,
    csv: &str,
    report: &Report,
    size_only: &Report,
) -> serde_json::Value {
    serde_json::json!({
        "intended_use": "research",
        "synthetic_images": data.header.synthetic,
        "data": config.data,
        "text_encoder": config.encoder(),
        "method": config.method.method(), "task": config.task, "fold": config.fold, "held_out": config.held_out,
        "decision": decision,
        "predictions_sha256": hex(&Sha256::digest(csv.as_bytes())),
        "model": report,
        "size_only": size_only,
    })
}
