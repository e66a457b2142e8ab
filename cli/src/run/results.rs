//! What a trained run leaves: model directory, predictions, metrics, curves.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::decision::Decision;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::nodules::Nodules;
use clip_lung_core::metrics::report::Report;
use clip_lung_core::model::answer::Prediction;
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::predict::Model;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;
use sha2::{Digest, Sha256};

use crate::io::files;
use crate::io::predictions::Program;
use crate::io::run_dir::RunDir;
use crate::run::bundle;
use crate::run::card;
use crate::run::evidence;
use crate::run::scoring;
use crate::show::curves;
use crate::show::table::{Anchors, render, shown};

/// What a finished run leaves for its caller.
pub struct Outcome {
    pub config: TrainConfig,
    /// On the held-out nodules; `None` where none are.
    pub scores: Option<Scores>,
    pub model: PathBuf,
    pub held_out: Vec<usize>,
    /// What `metrics.json` holds.
    metrics: serde_json::Value,
}

/// A run's reports on its held-out nodules.
pub struct Scores {
    pub report: Report,
    /// Where the diameters are known.
    pub size_only: Option<Report>,
}

impl Outcome {
    /// The metrics as JSON, or as a table.
    pub fn print(&self, run: &Path, data: &Dataset, json: bool) {
        let config = &self.config;
        if json {
            println!("{}", self.metrics);
            return;
        }
        let name = format!("{} on {}", config.method.method().name(), config.task.name());
        match &self.scores {
            Some(scores) => {
                let heading = match &config.test {
                    Some(test) => format!("{name}, tested on {}", test.name),
                    None => format!("{name}, fold {}", config.fold),
                };
                let anchors = Anchors { size_only: scores.size_only.as_ref() };
                print!("{}", render(&scores.report, &anchors, &heading, &config.encoder(), &shown(data)));
            }
            None => println!("{name}, trained on all nodules: none is held out to score it on"),
        }
        if let Some(epoch) = self.metrics.get("chosen_epoch") {
            println!("  the weights are those of epoch {epoch}, with the lowest validation loss");
        }
        if let Some(leak) = &config.leak {
            println!("  warning: the score may be too good: {leak}");
        }
        println!("  run: {}", run.join("").display());
    }
}

/// Model directory, predictions, metrics and curves of a trained run, and the `evidence` for a report's pictures where that is kept.
pub fn write(
    trainer: &Trainer,
    dir: RunDir,
    train: Nodules<'_>,
    held_out: Nodules<'_>,
    norm: &Normalisation,
    device: &Device,
    evidence: bool,
) -> Result<Outcome> {
    let (config, data) = (&trainer.config, train.data);
    let mut trained = bundle::Trained::of(trainer, data, train.rows)?;
    let title = format!(
        "{} on {} ({}), text encoder: {}",
        config.method.method().name(),
        config.task.name(),
        config.data.name,
        config.encoder()
    );
    files::write(&dir.file("curves.svg"), curves::svg(&dir.steps(), &title)?.as_bytes())?;
    let draft = trained.directory(config, norm, data, serde_json::Value::Null, |_| String::new(), device)?;
    let model = Model::load(&draft, "model", device)?;
    trained.attribute_means = scoring::attribute_means(&model, data, train.rows)?;
    let scored = if held_out.rows.is_empty() {
        None
    } else {
        let predictions = scoring::predict(&model, held_out.data, held_out.rows)?;
        if evidence {
            evidence::write_files(&dir.file(""), &model, held_out.data, held_out.rows, &predictions)?;
        }
        Some(score(trainer, &model.config, predictions, train, held_out, norm)?)
    };
    let chosen_epoch = trainer.best.as_ref().map(|best| best.epoch + 1);
    let summary = scored.as_ref().map_or(serde_json::Value::Null, |scored| {
        let report = &scored.by_classifier;
        serde_json::json!({
            "accuracy": report.accuracy, "macro_auc": report.macro_auc,
            "majority": report.majority, "held_out": report.nodules,
        })
    });
    let card = |model: &ModelConfig| {
        let report = scored.as_ref().map(|scored| &scored.by_classifier);
        card::card(model, config, train.rows.len(), chosen_epoch, report)
    };
    let built = trained.directory(config, norm, data, summary, card, device)?;
    let model = dir.file("model");
    files::write_dir(&model, &built)?;
    let mut metrics = match &scored {
        Some(scored) => {
            files::write(&dir.file("predictions.csv"), scored.csv.as_bytes())?;
            scored.metrics.clone()
        }
        None => common(config, data),
    };
    if let Some(epoch) = chosen_epoch {
        metrics["chosen_epoch"] = epoch.into();
    }
    // the last, so that a run that has it has everything
    files::write(&dir.file("metrics.json"), &serde_json::to_vec_pretty(&metrics)?)?;
    let scores = scored.map(|scored| scored.scores);
    Ok(Outcome { config: config.clone(), scores, model, held_out: held_out.rows.to_vec(), metrics })
}

/// A run on its held-out nodules.
struct Scored {
    scores: Scores,
    /// What the exported model alone would say.
    by_classifier: Report,
    csv: String,
    metrics: serde_json::Value,
}

fn score(
    trainer: &Trainer,
    model: &ModelConfig,
    predictions: Vec<Prediction>,
    train: Nodules<'_>,
    held_out: Nodules<'_>,
    norm: &Normalisation,
) -> Result<Scored> {
    let (config, Nodules { data, rows }) = (&trainer.config, held_out);
    let by_classifier: Vec<Vec<f64>> = predictions.into_iter().map(|p| p.probabilities).collect();
    let by_text = trainer.text_probabilities(data, rows, norm)?;
    let score = |p: &[Vec<f64>]| {
        let scored = scoring::scored(data, rows, p, config.task, model.decision);
        scoring::score(&scored, config.task)
    };
    let classifier_report = score(&by_classifier)?;
    let text_report = by_text.as_deref().map(score).transpose()?;
    // a run that answers by its text features is scored by them; the model directory answers by its classifier
    let (answers, report) = match (by_text, &text_report) {
        (Some(by_text), Some(report)) if config.method.infers_by_text() => (by_text, report.clone()),
        _ => (by_classifier, classifier_report.clone()),
    };
    let size_only = scoring::size_only(train, held_out, config.task)?;
    let csv = scoring::csv(data, rows, &answers, &model.classes, config.fold)?;
    let mut metrics = metrics(config, train.data, model.decision, &csv, &report, size_only.as_ref());
    if let Some(text_report) = text_report {
        metrics["classifier"] = serde_json::to_value(&classifier_report)?;
        metrics["text"] = serde_json::to_value(text_report)?;
    }
    Ok(Scored { scores: Scores { report, size_only }, by_classifier: classifier_report, csv, metrics })
}

/// What `metrics.json` holds of predictions that were written as `csv`.
pub fn metrics(
    config: &TrainConfig,
    data: &Dataset,
    decision: Decision,
    csv: &str,
    report: &Report,
    size_only: Option<&Report>,
) -> serde_json::Value {
    let mut all = common(config, data);
    all["decision"] = serde_json::json!(decision);
    all["predictions_sha256"] = hex(&Sha256::digest(csv.as_bytes())).into();
    all["model"] = serde_json::json!(report);
    all["size_only"] = serde_json::json!(size_only);
    all
}

/// What `metrics.json` says of any run.
fn common(config: &TrainConfig, data: &Dataset) -> serde_json::Value {
    let mut all = serde_json::json!({
        "intended_use": "research",
        "synthetic_images": data.header.synthetic,
        "data": config.data,
        "text_encoder": config.encoder(),
        "program": Program::this(),
        "method": config.method.method(), "task": config.task, "fold": config.fold, "held_out": config.held_out,
    });
    if let Some(test) = &config.test {
        all["test"] = serde_json::json!(test);
    }
    if let Some(leak) = &config.leak {
        all["leak"] = leak.as_str().into();
    }
    all
}
