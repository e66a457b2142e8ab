//! `clip-lung train`: one fold, from data to a scored model directory; resumable.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::data::augment::Augment;
use clip_lung_core::data::crop::Normalisation;
use clip_lung_core::data::dataset::Dataset;
use clip_lung_core::data::phantom;
use clip_lung_core::methods::Method;
use clip_lung_core::methods::attributes::AttributeWeights;
use clip_lung_core::methods::clip_lung::{LossConfig, TextSide};
use clip_lung_core::methods::losses::{CaForm, IaForm};
use clip_lung_core::methods::task::Task;
use clip_lung_core::metrics::report::Report;
use clip_lung_core::train::batch::{batch, epoch_order, statistics};
use clip_lung_core::train::config::{DataId, Grouping, HeldOut, TrainConfig};
use clip_lung_core::train::split::{Split, split};
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use indicatif::ProgressBar;

use crate::failure::Failure;
use crate::run_dir::RunDir;
use crate::table::{Anchors, render};
use crate::{bundle, card, curves, device, files, input, scoring, text, watch};

#[derive(clap::Args, Clone)]
pub struct Args {
    /// A data set directory, or `phantom` for the embedded synthetic one
    #[arg(long)]
    pub data: String,
    /// The run's directory; a run that was interrupted there continues
    #[arg(long)]
    pub out: PathBuf,
    #[arg(long, value_parser = word::<Method>, default_value = "clip-lung")]
    pub method: Method,
    #[arg(long, value_parser = word::<Task>, default_value = "lidc-a")]
    pub task: Task,
    /// The fold that is held out
    #[arg(long, default_value_t = 0)]
    pub fold: usize,
    #[arg(long, default_value_t = 5)]
    pub folds: usize,
    /// Deal whole patients to folds, or single nodules (leaks patients)
    #[arg(long, value_parser = word::<Grouping>, default_value = "patient")]
    pub grouping: Grouping,
    /// Score on the fold, or on an eighth of the training patients (for choosing a recipe)
    #[arg(long, value_parser = word::<HeldOut>, default_value = "test")]
    pub held_out: HeldOut,
    #[arg(long, default_value_t = 100)]
    pub epochs: usize,
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Learning rate of the first epoch; a cosine takes it to 0
    #[arg(long, default_value_t = 1e-3)]
    pub lr: f64,
    #[arg(long, default_value_t = 0.9)]
    pub momentum: f64,
    #[arg(long, default_value_t = 1e-4)]
    pub weight_decay: f64,
    /// Decay a step of the averaged weights, which are what is scored and exported
    #[arg(long, default_value_t = 0.999)]
    pub ema: f64,
    /// Of weights, order and augmentation; the folds don't depend on it
    #[arg(long, default_value_t = 2)]
    pub seed: u64,
    /// Of the folds: runs that are compared share it
    #[arg(long, default_value_t = 2)]
    pub fold_seed: u64,
    /// default (flips, quarter turns, shifts), flip-turn (in the plane only) or none
    #[arg(long, value_parser = word::<Augment>, default_value = "default")]
    pub augment: Augment,
    /// clip (fetched once), random (seeded, not pretrained), or a safetensors file with CLIP's text tower
    #[arg(long, default_value = "clip")]
    pub text_encoder: String,
    /// Weight of the image-class loss; 0 leaves it out
    #[arg(long, default_value_t = 1.0)]
    pub ic: f64,
    /// Weight of the image-attribute loss
    #[arg(long, default_value_t = 1.0)]
    pub ia: f64,
    /// Weight of the class-attribute loss
    #[arg(long, default_value_t = 0.5)]
    pub ca: f64,
    /// soft or logit
    #[arg(long, value_parser = word::<IaForm>, default_value = "soft")]
    pub ia_form: IaForm,
    /// class or attribute
    #[arg(long, value_parser = word::<CaForm>, default_value = "class")]
    pub ca_form: CaForm,
    /// softmax (eq. 1), range, sum or uniform
    #[arg(long, value_parser = word::<AttributeWeights>, default_value = "softmax")]
    pub attribute_weights: AttributeWeights,
    #[command(flatten)]
    pub on: device::Choice,
    /// Seconds between saved states; 0 saves after each step
    #[arg(long, default_value_t = 60)]
    pub save_every: u64,
    /// Fail unless there is a state to continue from
    #[arg(long)]
    pub resume: bool,
    /// Print the metrics as JSON
    #[arg(long)]
    pub json: bool,
}

/// A value by the name it has in files.
pub fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.into())).map_err(|e| {
        let known = e.to_string();
        known.split_once("expected ").map_or(known.clone(), |(_, names)| format!("expected {names}"))
    })
}

/// What a finished run leaves for its caller.
pub struct Outcome {
    pub report: Report,
    pub size_only: Report,
    pub model: PathBuf,
    pub held_out: Vec<usize>,
}

pub fn run(args: Args) -> Result<Outcome> {
    let data = input::dataset(&args.data)?;
    run_on(args, &data)
}

/// Trains on data that are already in memory.
pub fn run_on(args: Args, data: &Dataset) -> Result<Outcome> {
    let (device, device_name) = args.on.open()?;
    let mut config = config(&args, data)?;
    config.check().map_err(|e| Failure::Usage(e.to_string()))?;
    let text = match config.method {
        Method::Ce => None,
        Method::ClipLung => {
            let (side, name) = text::load(&args.text_encoder, config.task, config.seed, &device)?;
            config.text_encoder = name;
            Some(side)
        }
    };
    let split = split(&data.rows, &config)?;
    let mut dir = RunDir::open(&args.out)?;
    let (mut trainer, norm) = start(&dir, &args, &config, text, data, &split, &device)?;
    dir.continue_log(trainer.step)?;
    files::write(&dir.file("config.json"), &serde_json::to_vec_pretty(&config)?)?;
    eprintln!(
        "{} on {}, {} (sha256 {}): {} nodules train, {} are held out; {device_name}; text encoder: {}",
        config.method.name(),
        config.task.name(),
        data.header.name,
        config.data.sha256[..12].to_owned(),
        split.train.len(),
        split.held_out.len(),
        config.text_encoder,
    );
    trainer = train(trainer, &mut dir, data, &split, &norm, Duration::from_secs(args.save_every))?;
    finish(&trainer, &dir, data, split, &norm, &device, args.json)
}

fn config(args: &Args, data: &Dataset) -> Result<TrainConfig> {
    Ok(TrainConfig {
        method: args.method,
        task: args.task,
        folds: args.folds,
        fold: args.fold,
        grouping: args.grouping,
        held_out: args.held_out,
        epochs: args.epochs,
        batch_size: args.batch_size,
        lr: args.lr,
        momentum: args.momentum,
        weight_decay: args.weight_decay,
        ema: args.ema,
        seed: args.seed,
        fold_seed: args.fold_seed,
        augment: args.augment,
        losses: LossConfig {
            ic: args.ic,
            ia: args.ia,
            ca: args.ca,
            ia_form: args.ia_form,
            ca_form: args.ca_form,
            attribute_weights: args.attribute_weights,
        },
        text_encoder: "none".into(),
        data: DataId { name: data.header.name.clone(), sha256: data.digest()? },
    })
}

/// A fresh trainer, or the one whose state lies in the directory.
fn start(
    dir: &RunDir,
    args: &Args,
    config: &TrainConfig,
    text: Option<TextSide>,
    data: &Dataset,
    split: &Split,
    device: &Device,
) -> Result<(Trainer, Normalisation)> {
    match dir.state()? {
        Some(bytes) => {
            let file = dir.state_path().display().to_string();
            let (trainer, norm) = state::load(&bytes, &file, config.clone(), text, device)?;
            eprintln!("continuing after step {}", trainer.step);
            Ok((trainer, norm))
        }
        None if args.resume => Err(Failure::File(format!(
            "{}: there is no state to continue from; leave --resume out to start",
            dir.state_path().display()
        ))
        .into()),
        None => Ok((Trainer::new(config.clone(), text, device)?, statistics(data, &split.train))),
    }
}

/// The loop: epochs of shuffled batches; the state is saved in between, at a signal, and at the end.
fn train(
    mut trainer: Trainer,
    dir: &mut RunDir,
    data: &Dataset,
    split: &Split,
    norm: &Normalisation,
    save_every: Duration,
) -> Result<Trainer> {
    let config = trainer.config.clone();
    let steps_an_epoch = split.train.len().div_ceil(config.batch_size) as u64;
    let total = steps_an_epoch * config.epochs as u64;
    let stop = watch::stop_signal()?;
    let progress = Progress::new(trainer.step, total);
    let mut saved = Instant::now();
    while trainer.step < total {
        let (epoch, index) = ((trainer.step / steps_an_epoch) as usize, (trainer.step % steps_an_epoch) as usize);
        let order = epoch_order(&split.train, config.seed, epoch);
        let rows = order.chunks(config.batch_size).nth(index).unwrap_or(&[]);
        let batch = batch(data, rows, norm, &config, epoch, trainer.device());
        let (next, log) = trainer.step(&batch, epoch)?;
        trainer = if next.step.is_multiple_of(steps_an_epoch) { next.end_epoch() } else { next };
        dir.append(&log)?;
        progress.step(&log, trainer.step, steps_an_epoch);
        let stopping = stop.load(Ordering::Relaxed);
        if stopping || saved.elapsed() >= save_every || trainer.step == total {
            files::write(&dir.state_path(), &state::save(&trainer, norm)?)?;
            saved = Instant::now();
        }
        if stopping && trainer.step < total {
            let message = format!(
                "stopped after step {} of {total}; the state is saved, the same command continues",
                trainer.step
            );
            return Err(Failure::Interrupted(message).into());
        }
    }
    progress.finish();
    Ok(trainer)
}

/// A bar on a terminal, a line an epoch elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    start: (Instant, u64),
    total: u64,
}

impl Progress {
    fn new(done: u64, total: u64) -> Self {
        let bar = watch::bar(total, "steps").inspect(|bar| {
            bar.set_position(done);
            bar.reset_eta();
        });
        Self { bar, start: (Instant::now(), done), total }
    }

    fn step(&self, log: &clip_lung_core::train::step::StepLog, step: u64, steps_an_epoch: u64) {
        let message = format!("loss {:.3}, accuracy {:.2}", log.loss, log.accuracy);
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.set_message(message);
        } else if step.is_multiple_of(steps_an_epoch) {
            let pace = self.start.0.elapsed().as_secs_f64() / (step - self.start.1).max(1) as f64;
            let left = pace * (self.total - step) as f64;
            eprintln!(
                "epoch {}: step {step}/{}, last batch {message}; {pace:.2} s a step, {left:.0} s left",
                log.epoch + 1,
                self.total
            );
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Model directory, predictions, metrics and curves of a trained run.
fn finish(
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
        bundle::config(config, norm, data.side(), serde_json::Value::Null),
        arrays.clone(),
        data,
        &split.held_out,
        "",
        device,
    )?;
    let model = clip_lung_core::model::directory::Model::load(&draft, "model", device)?;
    let predictions = scoring::predict(&model, data, &split.held_out)?;
    let scored = scoring::scored(data, &split.held_out, &predictions, config.task);
    let report = scoring::score(&scored, config.task)?;
    let size_only = scoring::size_only(data, &split.train, &split.held_out, config.task)?;

    files::write(
        &dir.file("predictions.csv"),
        scoring::csv(data, &split.held_out, &predictions, &model, config.fold).as_bytes(),
    )?;
    let synthetic = data.header.name == phantom::NAME;
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
        bundle::config(config, norm, data.side(), summary),
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

/// The data set's name, with a warning where the images are synthetic.
pub fn shown(data: &Dataset) -> String {
    let name = &data.header.name;
    if name == phantom::NAME { format!("{name} (synthetic images: not evidence about CT)") } else { name.clone() }
}
