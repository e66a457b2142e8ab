//! `clip-lung train`: one fold, from data to a scored model directory; resumable.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::MethodConfig;
use clip_lung_core::train::config::{DataId, HeldOut, TrainConfig, ValidateOn};
use clip_lung_core::train::split::split;

use crate::failure::Failure;
use crate::io::input;
use crate::io::run_dir::{Invocation, RunDir};
use crate::io::word::folds;
use crate::machine::device;
use crate::run::encoder;
use crate::run::fit::{self, Extras, Fit};
use crate::run::init::Init;
use crate::run::leaks::{self, Leak};
use crate::run::recipe::{INNER, Recipe};
use crate::run::results::Outcome;
use crate::run::training::{Pace, Shown};
use crate::show::progress;

/// What `--fold` holds out.
#[derive(Clone, Copy, Debug)]
pub enum Fold {
    Number(usize),
    /// No fold.
    All,
}

fn fold(text: &str) -> std::result::Result<Fold, String> {
    match text {
        "all" => Ok(Fold::All),
        number => number.parse().map(Fold::Number).map_err(|_| "expected a fold's number, from 0, or `all`".into()),
    }
}

#[derive(clap::Args, Clone)]
pub struct Args {
    /// A data set directory, or `phantom` for the embedded synthetic one
    #[arg(long, required_unless_present = "resume")]
    pub data: Option<PathBuf>,
    /// The run's directory; a run that was interrupted there continues
    #[arg(long)]
    pub out: PathBuf,
    /// Continue the run in --out with the options it was started with; no other is needed
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub method: MethodConfig,
    /// Which nodules train, which are tested, between which classes
    #[arg(long, value_enum, default_value = "lidc-a")]
    pub task: Task,
    /// The fold that is held out, from 0, or `all`: nothing is held out, as for a model to ship
    #[arg(long, default_value = "0", value_parser = fold, allow_negative_numbers = true)]
    pub fold: Fold,
    #[arg(long, default_value_t = 5, value_parser = folds())]
    pub folds: usize,
    /// Of weights, order and augmentation; folds and text encoder don't depend on it
    #[arg(long, default_value_t = 2)]
    pub seed: u64,
    #[command(flatten)]
    pub recipe: Recipe,
    /// After each epoch, score the averaged weights on `inner` (an eighth of the training patients, who then don't train) or on a data
    /// set directory
    #[arg(long)]
    pub validate: Option<String>,
    /// Score on another data set, of other patients; then all of --data trains
    #[arg(long, value_name = "DATASET", conflicts_with_all = ["fold", "held_out"])]
    pub test: Option<PathBuf>,
    /// Go on though patients who are scored train too, or trained the model of --init
    #[arg(long)]
    pub allow_leaks: bool,
    /// A model directory or a finished run whose weights this run starts from
    #[arg(long)]
    pub init: Option<PathBuf>,
    /// Write the log as TensorBoard events too, into the run's directory
    #[arg(long)]
    pub tensorboard: bool,
    #[arg(long, default_value = "clip", help = encoder::CHOICES)]
    pub text_encoder: String,
    /// Of a text encoder with random weights
    #[arg(long, default_value_t = 2)]
    pub text_seed: u64,
    #[command(flatten)]
    pub on: device::Choice,
    /// Record a training step on a GPU once and replay it; auto: on an NVIDIA GPU
    #[arg(long, value_enum, default_value_t)]
    pub graphs: device::Graphs,
    /// Seconds between saved states; 0 saves after each step
    #[arg(long, default_value_t = 60)]
    pub save_every: u64,
    /// Print the metrics as JSON
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.resume {
        return resume(args);
    }
    let data = input::dataset(args.data.clone().unwrap_or_default())?;
    run_on(args, &data)
}

/// Continues a run by what its directory says of it.
fn resume(args: Args) -> Result<Outcome> {
    if !args.out.join("config.json").is_file() {
        return Err(fit::nothing_to_continue(&args.out));
    }
    let config = RunDir::config(&args.out)?;
    let args = match (Invocation::read(&args.out)?, &args.data) {
        (Some(said), data) => Args {
            data: Some(data.clone().unwrap_or(said.data.into())),
            text_encoder: said.text_encoder,
            text_seed: said.text_seed,
            validate: said.validate,
            test: said.test.map(PathBuf::from),
            tensorboard: said.tensorboard || args.tensorboard,
            ..args
        },
        (None, Some(_)) => args,
        (None, None) => {
            let message = "version 0.1, which started this run, did not keep where things lie: give --data, and --text-encoder too";
            return Err(Failure::Usage(message.into()).into());
        }
    };
    let data = input::dataset(args.data.clone().unwrap_or_default())?;
    train(args, config, &data)
}

/// Trains on data that are already in memory.
pub fn run_on(args: Args, data: &Dataset) -> Result<Outcome> {
    let config = args.recipe.config(args.method.clone(), data_id(data)?);
    let mut config = TrainConfig { task: args.task, folds: args.folds, seed: args.seed, ..config };
    match args.fold {
        _ if args.test.is_some() => config.held_out = HeldOut::None,
        Fold::Number(fold) => config.fold = fold,
        Fold::All if config.held_out == HeldOut::Val => {
            let message =
                "--held-out val holds an eighth of the patients out, --fold all nobody: leave one of them out";
            return Err(Failure::Usage(message.into()).into());
        }
        Fold::All => config.held_out = HeldOut::None,
    }
    train(args, config, data)
}

fn data_id(data: &Dataset) -> Result<DataId> {
    Ok(DataId { name: data.header.name.clone(), sha256: data.digest()? })
}

/// Another data set than the training's, to validate or to test on.
fn other(place: &Path, data: &Dataset) -> Result<Dataset> {
    let other = input::dataset(place)?;
    if other.header.crop != data.header.crop {
        let message = format!(
            "{} holds crops of {}, the training data of {}; give crops of the same geometry",
            place.display(),
            other.header.crop,
            data.header.crop
        );
        return Err(Failure::File(message).into());
    }
    Ok(other)
}

fn train(args: Args, mut config: TrainConfig, data: &Dataset) -> Result<Outcome> {
    let (device, device_name) = args.on.open()?;
    let validate_on = args.validate.as_deref().filter(|place| *place != INNER).map(Path::new);
    let own = validate_on.map(|place| other(place, data)).transpose()?;
    let test = args.test.as_deref().map(|place| other(place, data)).transpose()?;
    if let (Some(set), Some(place)) = (&test, &args.test) {
        config.test = Some(data_id(set)?);
        // a run that goes on keeps what it was started with
        let leak = if args.resume { config.leak } else { leaks::of_sets(data, set, &place.display().to_string()) };
        config.leak = leaks::allowed(leak, "leave them out of one of the two", args.allow_leaks || args.resume)?;
    }
    if let (Some(set), Some(place)) = (&own, validate_on)
        && let Some(leak) = leaks::of_sets(data, set, &place.display().to_string())
    {
        eprintln!("warning: {leak}; what is validated on them is too good");
    }
    if args.validate.is_some() {
        config.validation = Some(own.as_ref().map_or(Ok(ValidateOn::Inner), |set| data_id(set).map(ValidateOn::Data))?);
    }
    config.check().map_err(|e| Failure::Usage(e.to_string()))?;
    let mut extras = Extras { validation: own.as_ref(), test: test.as_ref(), ..Extras::default() };
    let split = split(&data.rows, &config)?;
    if let Some(place) = &args.init {
        let init = Init::read(place)?;
        config.leak = match leaks::of_init((place, &init.name), data, &config, &split, test.as_ref())? {
            Leak::Known(leak) => leaks::allowed(Some(leak), "hold out what it did", args.allow_leaks)?,
            Leak::Unknown(leak) => {
                eprintln!("warning: {leak}");
                Some(leak)
            }
            Leak::None => config.leak,
        };
        config.init = Some(init.name.clone());
        extras.init = Some(init);
    }
    if config.method.needs_text() {
        let classes: Vec<&str> = config.task.classes().iter().map(|c| c.name()).collect();
        let side =
            encoder::load(&args.text_encoder, &classes, args.text_seed, &device)?.in_precision(config.precision)?;
        config.text_encoder = Some(side.name().to_owned());
        extras.text = Some(Arc::new(side));
    }
    let dir = RunDir::open(&args.out)?.with_events(args.tensorboard);
    let fit = Fit::start(dir, config, split, extras, data, &device, args.resume)?;
    let invocation = Invocation {
        data: input::whole_place(&args.data.unwrap_or_default().to_string_lossy()),
        text_encoder: encoder::whole_choice(&args.text_encoder),
        text_seed: args.text_seed,
        validate: args.validate.map(|place| if place == INNER { place } else { input::whole_place(&place) }),
        test: args.test.map(|place| input::whole_place(&place.to_string_lossy())),
        tensorboard: args.tensorboard,
    };
    invocation.write(&args.out)?;
    let config = fit.config();
    if fit.step() > 0 {
        eprintln!("continuing after step {}", fit.step());
    }
    eprintln!(
        "{} on {}, {} (sha256 {}): {} nodules train, {} are {}; {device_name}; text encoder: {}",
        config.method.method().name(),
        config.task.name(),
        data.header.name,
        config.data.sha256[..12].to_owned(),
        fit.split.train.len(),
        fit.scored(),
        config.test.as_ref().map_or("held out".into(), |test| format!("tested, of {}", test.name)),
        config.encoder(),
    );
    one_class(data, &fit.split.train).iter().for_each(|warning| eprintln!("warning: {warning}"));
    device::advice(&device_name).iter().for_each(|advice| eprintln!("{advice}"));
    let stop = progress::stop_signal()?;
    let pace =
        Pace { save_every: Duration::from_secs(args.save_every), stop: &stop, graphs: args.graphs.on(&device_name) };
    let outcome = fit.finish(pace, Shown::new())?;
    outcome.print(&args.out, data, args.json);
    Ok(outcome)
}

/// What to say where all training nodules are of one class.
fn one_class(data: &Dataset, train: &[usize]) -> Option<String> {
    let class = data.rows[*train.first()?].class;
    let one = train.iter().all(|&i| data.rows[i].class == class);
    let (n, class) = (train.len(), class.name());
    one.then(|| {
        format!("all {n} nodules to train on are {class}: there is nothing to tell apart, and {class} will be the answer to everything")
    })
}
