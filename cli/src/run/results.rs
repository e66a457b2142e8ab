//! What a trained run leaves: model directory, predictions, metrics, curves.

use std::path::PathBuf;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::metrics::report::Report;
use clip_lung_core::train::split::Split;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;

use crate::io::files;
use crate::io::run_dir::RunDir;
use crate::run::bundle;
use crate::run::card;
use crate::run::scoring;
use crate::show::curves;
use crate::show::table::{Anchors, render, shown};

/// What a finished run leaves for its caller.
pub struct Outcome {
    pub report: Report,
    pub size_only: Report,
    pub model: PathBuf,
    pub held_out: Vec<usize>,
}

/// Model directory, predictions, metrics and curves of a trained run.
pub fn write(
    trainer: &Trainer,
    dir: &RunDir,
    data: &Dataset,
    split: Split,
    norm: &Normalisation,
    device: &Device,
    json: bool,
) -> Result<Outcome> {
    let config = &trainer.config;
    let arrays = bundle::arrays(trainer);
    let draft = bundle::files(
        bundle::config(config, norm, &data.header, serde_json::Value::Null),
        arrays.clone(),
        data,
        &split.held_out,
        "",
        device,
    )?;
    let model = clip_lung_core::model::predict::Model::load(&draft, "model", device)?;
    let predictions = scoring::predict(&model, data, &split.held_out)?;
    let scored = scoring::scored(data, &split.held_out, &predictions, config.task);
    let report = scoring::score(&scored, config.task)?;
    let size_only = scoring::size_only(data, &split.train, &split.held_out, config.task)?;

    files::write(
        &dir.file("predictions.csv"),
        scoring::csv(data, &split.held_out, &predictions, &model, config.fold).as_bytes(),
    )?;
    let synthetic = data.header.synthetic;
    let metrics = serde_json::json!({
        "intended_use": "research",
        "synthetic_images": synthetic,
        "data": config.data,
        "text_encoder": config.text_encoder,
        "method": config.method, "task": config.task, "fold": config.fold, "held_out": config.held_out,
        "model": report,
        "size_only": size_only,
    });
    files::write(&dir.file("metrics.json"), &serde_json::to_vec_pretty(&metrics)?)?;
    let title = format!(
        "{} on {} ({}), text encoder: {}",
        config.method.name(),
        config.task.name(),
        config.data.name,
        config.text_encoder
    );
    files::write(&dir.file("curves.svg"), curves::svg(&dir.steps(), &title)?.as_bytes())?;
    let summary = serde_json::json!({"accuracy": report.accuracy, "macro_auc": report.macro_auc, "majority": report.majority, "held_out": report.nodules});
    let card = card::card(config, split.train.len(), synthetic, &report);
    let built = bundle::files(
        bundle::config(config, norm, &data.header, summary),
        arrays,
        data,
        &split.held_out,
        &card,
        device,
    )?;
    let model = dir.file("model");
    files::write_dir(&model, &built)?;

    if json {
        println!("{}", serde_json::to_string(&metrics)?);
    } else {
        let heading = format!("{} on {}, fold {}", config.method.name(), config.task.name(), config.fold);
        print!(
            "{}",
            render(&report, &Anchors { size_only: Some(&size_only) }, &heading, &config.text_encoder, &shown(data))
        );
        println!("  run: {}", dir.file("").display());
    }
    Ok(Outcome { report, size_only, model, held_out: split.held_out })
}
