//! `clip-lung train`: one fold, from data to a scored model directory; resumable.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::augment::Augment;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::{MethodConfig, Setup};
use clip_lung_core::train::batch::statistics;
use clip_lung_core::train::config::{DataId, EmaBn, Grouping, HeldOut, TrainConfig};
use clip_lung_core::train::split::split;
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;

use crate::failure::Failure;
use crate::io::files;
use crate::io::input;
use crate::io::run_dir::{Invocation, RunDir};
use crate::machine::device;
use crate::run::encoder;
use crate::run::results::{self, Outcome};
use crate::run::training;

#[derive(clap::Args, Clone)]
pub struct Args {
    /// A data set directory, or `phantom` for the embedded synthetic one
    #[arg(long, required_unless_present = "resume")]
    pub data: Option<String>,
    /// The run's directory; a run that was interrupted there continues
    #[arg(long)]
    pub out: PathBuf,
    /// Continue the run in --out with the options it was started with; no other is needed
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub method: MethodConfig,
    #[command(flatten)]
    pub recipe: Recipe,
    #[arg(long, default_value = "clip", help = encoder::CHOICES)]
    pub text_encoder: String,
    /// Of a text encoder with random weights
    #[arg(long, default_value_t = 2)]
    pub text_seed: u64,
    #[command(flatten)]
    pub on: device::Choice,
    /// Seconds between saved states; 0 saves after each step
    #[arg(long, default_value_t = 60)]
    pub save_every: u64,
    /// Print the metrics as JSON
    #[arg(long)]
    pub json: bool,
}

/// What every method is trained with.
#[derive(clap::Args, Clone)]
pub struct Recipe {
    /// Which nodules train, which are tested, between which classes
    #[arg(long, value_enum, default_value = "lidc-a")]
    pub task: Task,
    /// Features from layer4: mean (over its cells) or view (CLIP-Lung's) [default: view for clip-lung, mean for all others]
    #[arg(long, value_enum)]
    pub pool: Option<Pool>,
    /// Give the classifier the nodule's diameter (ln De) beside the image
    #[arg(long)]
    pub diameter: bool,
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
    /// The most samples a batch; the batches of an epoch differ by one at most
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Learning rate of the first epoch; a cosine takes it to 0
    #[arg(long, default_value_t = 1e-3, allow_negative_numbers = true)]
    pub lr: f64,
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    pub momentum: f64,
    #[arg(long, default_value_t = 1e-4, allow_negative_numbers = true)]
    pub weight_decay: f64,
    /// Decay a step of the averaged weights, which are what is scored and exported
    #[arg(long, default_value_t = 0.999, allow_negative_numbers = true)]
    pub ema: f64,
    /// The averaged weights' running statistics: copy (from the trained weights) or recompute (one pass over the training data)
    #[arg(long, value_parser = word::<EmaBn>, default_value = "copy")]
    pub ema_bn: EmaBn,
    /// Scale a step's gradient to this norm where it is longer [default: never]
    #[arg(long, allow_negative_numbers = true)]
    pub clip_norm: Option<f64>,
    /// Of weights, order and augmentation; folds and text encoder don't depend on it
    #[arg(long, default_value_t = 2)]
    pub seed: u64,
    /// Of the folds: runs that are compared share it
    #[arg(long, default_value_t = 2)]
    pub fold_seed: u64,
    /// default (flips, quarter turns, shifts), flip-turn (in the plane only) or none
    #[arg(long, value_parser = word::<Augment>, default_value = "default")]
    pub augment: Augment,
}

/// A value by the name it has in files.
pub fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.into())).map_err(|e| {
        let known = e.to_string();
        known.split_once("expected ").map_or(known.clone(), |(_, names)| format!("expected {names}"))
    })
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.resume {
        return resume(args);
    }
    let data = input::dataset(args.data.as_deref().unwrap_or_default())?;
    run_on(args, &data)
}

/// Continues a run by what its directory says of it.
fn resume(args: Args) -> Result<Outcome> {
    if !args.out.join("config.json").is_file() {
        return Err(nothing_to_continue(&args.out));
    }
    let config = RunDir::config(&args.out)?;
    let args = match (Invocation::read(&args.out)?, &args.data) {
        (Some(said), data) => Args {
            data: Some(data.clone().unwrap_or(said.data)),
            text_encoder: said.text_encoder,
            text_seed: said.text_seed,
            ..args
        },
        (None, Some(_)) => args,
        (None, None) => {
            let message = "version 0.1, which started this run, did not keep where things lie: give --data, and --text-encoder too";
            return Err(Failure::Usage(message.into()).into());
        }
    };
    let data = input::dataset(args.data.as_deref().unwrap_or_default())?;
    train(args, config, &data)
}

/// Trains on data that are already in memory.
pub fn run_on(args: Args, data: &Dataset) -> Result<Outcome> {
    let id = DataId { name: data.header.name.clone(), sha256: data.digest()? };
    let config = args.recipe.config(args.method.clone(), id);
    train(args, config, data)
}

fn train(args: Args, mut config: TrainConfig, data: &Dataset) -> Result<Outcome> {
    let (device, device_name) = args.on.open()?;
    config.check().map_err(|e| Failure::Usage(e.to_string()))?;
    let mut text = None;
    if config.method.needs_text() {
        let classes: Vec<&str> = config.task.classes().iter().map(|c| c.name()).collect();
        let side = encoder::load(&args.text_encoder, &classes, args.text_seed, &device)?;
        config.text_encoder = Some(side.name().to_owned());
        text = Some(Arc::new(side));
    }
    let split = split(&data.rows, &config)?;
    let setup = config.setup(&data.rows, &split.train, text)?;
    let mut dir = RunDir::open(&args.out)?;
    let (mut trainer, norm) = start(&dir, args.resume, &config, &setup, data, &split.train, &device)?;
    dir.continue_log(trainer.step)?;
    files::write(&dir.file("config.json"), &serde_json::to_vec_pretty(&config)?)?;
    let invocation = Invocation {
        data: input::whole_place(args.data.as_deref().unwrap_or_default()),
        text_encoder: encoder::whole_choice(&args.text_encoder),
        text_seed: args.text_seed,
    };
    invocation.write(&args.out)?;
    eprintln!(
        "{} on {}, {} (sha256 {}): {} nodules train, {} are held out; {device_name}; text encoder: {}",
        config.method.method().name(),
        config.task.name(),
        data.header.name,
        config.data.sha256[..12].to_owned(),
        split.train.len(),
        split.held_out.len(),
        config.encoder(),
    );
    if device_name.starts_with("cuda") {
        eprintln!("a GPU's first training compiles its kernels for minutes before the first step, then keeps them");
    }
    trainer = training::run(trainer, &mut dir, data, &split, &norm, Duration::from_secs(args.save_every))?;
    let trainer = trainer.finish(data, &split.train, &norm)?;
    results::write(&trainer, &dir, data, split, &norm, &device, args.json)
}

impl Recipe {
    fn config(&self, method: MethodConfig, data: DataId) -> TrainConfig {
        TrainConfig {
            task: self.task,
            pool: self.pool.unwrap_or(method.default_pool()),
            method,
            diameter: self.diameter,
            folds: self.folds,
            fold: self.fold,
            grouping: self.grouping,
            held_out: self.held_out,
            epochs: self.epochs,
            batch_size: self.batch_size,
            lr: self.lr,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            ema: self.ema,
            ema_bn: self.ema_bn,
            clip_norm: self.clip_norm,
            seed: self.seed,
            fold_seed: self.fold_seed,
            augment: self.augment,
            text_encoder: None,
            data,
        }
    }
}

/// A fresh trainer, or the one whose state lies in the directory.
fn start(
    dir: &RunDir,
    resume: bool,
    config: &TrainConfig,
    setup: &Setup,
    data: &Dataset,
    train: &[usize],
    device: &Device,
) -> Result<(Trainer, Normalisation)> {
    match dir.state()? {
        Some(bytes) => {
            let file = dir.state_path().display().to_string();
            let (trainer, norm) = state::load(&bytes, &file, config.clone(), setup, device)?;
            eprintln!("continuing after step {}", trainer.step);
            Ok((trainer, norm))
        }
        None if resume => Err(nothing_to_continue(&dir.state_path())),
        None => Ok((Trainer::new(config.clone(), setup, device)?, statistics(data, train))),
    }
}

fn nothing_to_continue(path: &Path) -> anyhow::Error {
    let message = format!("{}: there is no state to continue from; leave --resume out to start", path.display());
    Failure::File(message).into()
}
