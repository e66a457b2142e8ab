//! `clip-lung train`: one fold, from data to a scored model directory; resumable.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::augment::Augment;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::Method;
use clip_lung_core::methods::attributes::AttributeWeights;
use clip_lung_core::methods::clip_lung::LossConfig;
use clip_lung_core::methods::losses::{CaForm, IaForm};
use clip_lung_core::nn::text::side::TextSide;
use clip_lung_core::train::batch::statistics;
use clip_lung_core::train::config::{DataId, EmaBn, Grouping, HeldOut, TrainConfig};
use clip_lung_core::train::split::{Split, split};
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;

use crate::failure::Failure;
use crate::io::files;
use crate::io::input;
use crate::io::run_dir::RunDir;
use crate::machine::device;
use crate::run::encoder;
use crate::run::results::{self, Outcome};
use crate::run::training;

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
    /// The most samples a batch; the batches of an epoch differ by one at most
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
    /// The averaged weights' running statistics: copy (from the trained weights) or recompute (one pass over the training data)
    #[arg(long, value_parser = word::<EmaBn>, default_value = "copy")]
    pub ema_bn: EmaBn,
    /// Scale a step's gradient to this norm where it is longer [default: never]
    #[arg(long)]
    pub clip_norm: Option<f64>,
    /// Of weights, order and augmentation; the folds don't depend on it
    #[arg(long, default_value_t = 2)]
    pub seed: u64,
    /// Of the folds: runs that are compared share it
    #[arg(long, default_value_t = 2)]
    pub fold_seed: u64,
    /// default (flips, quarter turns, shifts), flip-turn (in the plane only) or none
    #[arg(long, value_parser = word::<Augment>, default_value = "default")]
    pub augment: Augment,
    #[arg(long, default_value = "clip", help = encoder::CHOICES)]
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
            let classes: Vec<&str> = config.task.classes().iter().map(|c| c.name()).collect();
            let side = encoder::load(&args.text_encoder, &classes, config.seed, &device)?;
            config.text_encoder = side.name().to_owned();
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
    if device_name.starts_with("cuda") {
        eprintln!("a GPU's first training compiles its kernels for minutes before the first step, then keeps them");
    }
    trainer = training::run(trainer, &mut dir, data, &split, &norm, Duration::from_secs(args.save_every))?;
    let trainer = trainer.finish(data, &split.train, &norm);
    results::write(&trainer, &dir, data, split, &norm, &device, args.json)
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
        ema_bn: args.ema_bn,
        clip_norm: args.clip_norm,
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
