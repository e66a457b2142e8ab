//! `clip-lung evaluate`: a run on its held-out nodules, or a model on a whole data set.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::nodules::Nodules;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::train::config::{HeldOut, TrainConfig};
use clip_lung_core::train::split::split;

use crate::failure::Failure;
use crate::io::default_model;
use crate::io::input::{self, OtherCrop};
use crate::io::run_dir::RunDir;
use crate::machine::device;
use crate::run::{robustness, scoring};
use crate::show::table::{Anchors, render, shown};

#[derive(clap::Args)]
pub struct Args {
    /// A run's directory, or a model directory [default: the model that `predict` takes without --model]
    target: Option<PathBuf>,
    /// A data set directory, or `phantom`
    #[arg(long)]
    data: PathBuf,
    /// Score a model on this task instead of its own (lidc-a and lidc-b share their models)
    #[arg(long, value_enum)]
    task: Option<Task>,
    /// Also score crops whose centre, diameter, HU or slices are disturbed, as by a user's click or another scanner
    #[arg(long)]
    robustness: bool,
    #[command(flatten)]
    other: OtherCrop,
    #[command(flatten)]
    on: device::Choice,
    /// Print the metrics as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<()> {
    let (device, _) = args.on.open()?;
    let data = input::dataset(&args.data)?;
    let target = default_model::place(args.target.as_deref())?;
    let is_run = target.join("model").is_dir();
    let model = input::model(&target, &device)?;
    let task = args.task.unwrap_or(model.config.task);
    task.check(&model.config.classes)?;
    let other = args.other.check(&data, &args.data, &model, &target)?;
    let run = if is_run { Some(run_config(&target, &data)?) } else { None };
    let own_test = run.as_ref().is_some_and(|config| config.test.is_some());
    if run.as_ref().is_some_and(|config| config.held_out == HeldOut::None) && !own_test {
        let model = target.join("model");
        let message = format!(
            "{}: the run trained on all nodules, so none is left to score it on; score {} on another data set",
            target.display(),
            model.display()
        );
        return Err(Failure::Usage(message).into());
    }
    // of a test set, what trained is not at hand
    let (rows, train) = match run.as_ref().filter(|config| config.test.is_none()) {
        Some(config) => {
            let parts = split(&data.rows, &TrainConfig { task, ..config.clone() })?;
            (parts.held_out, Some(parts.train))
        }
        None => (task.tested_rows(&data.rows), None),
    };
    let predictions = scoring::predict(&model, &data, &rows)?;
    let probabilities: Vec<Vec<f64>> = predictions.into_iter().map(|p| p.probabilities).collect();
    let scored = scoring::scored(&data, &rows, &probabilities, task, model.config.decision);
    let report = scoring::score(&scored, task)?;
    let of = |rows| Nodules { data: &data, rows };
    let size_only = train.as_ref().map(|train| scoring::size_only(of(train), of(&rows), task)).transpose()?.flatten();
    let robustness = args.robustness.then(|| robustness::table(&model, &data, &rows, task)).transpose()?;
    let meta = &model.config.metadata;
    let seen = run.is_none() && meta.training_data.contains(&data.digest()?);
    if args.json {
        let mut document = serde_json::json!({
            "intended_use": "research", "data": data.header.name, "task": task, "method": model.config.method,
            "text_encoder": meta.text_encoder, "about": model.about(), "includes_training_nodules": seen,
            "model": report, "size_only": size_only, "warnings": other.iter().collect::<Vec<_>>(),
        });
        if let Some(rows) = &robustness {
            document["robustness"] = serde_json::to_value(rows)?;
        }
        println!("{document}");
    } else {
        let heading = format!("{} on {}", model.config.method.name(), task.name());
        print!(
            "{}",
            render(&report, &Anchors { size_only: size_only.as_ref() }, &heading, &meta.text_encoder, &shown(&data))
        );
        if let Some(rows) = &robustness {
            print!("\n{}", robustness::render(rows));
        }
        println!("  the model was {}", meta.trained_on());
        if let Some(other) = other {
            println!("  warning: {other}");
        }
        if seen {
            println!(
                "  warning: this model was trained on a part of these nodules; evaluate its run directory for held-out numbers"
            );
        }
    }
    Ok(())
}

/// A run's configuration, checked against the data that it is scored on: its own test set, or the data it was made with.
pub fn run_config(run: &Path, data: &Dataset) -> Result<TrainConfig> {
    let config = RunDir::config(run)?;
    let file = run.join("config.json").display().to_string();
    let found = data.digest()?;
    let (how, made_of) = config.test.as_ref().map_or(("trained", &config.data), |test| ("tested", test));
    if made_of.sha256 != found {
        let reason =
            format!("it was {how} on {} ({}), not on {} ({found})", made_of.name, made_of.sha256, data.header.name);
        return Err(Error::OtherRun { file, reason }.into());
    }
    Ok(config)
}
