//! `clip-lung sweep plan`: the cells of a study, each with everything needed to run it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::{Method, MethodOptions};
use clip_lung_core::nn::text::products::Products;
use clip_lung_core::study::cells::{Cell, Study};
use clip_lung_core::study::grid::{Grid, numbers};
use clip_lung_core::study::variants::Variant;
use clip_lung_core::train::config::{DataId, TrainConfig, ValidateOn};

use crate::failure::Failure;
use crate::io::input;
use crate::io::places::{Encoder, Places};
use crate::io::study_dir::StudyDir;
use crate::io::word::folds;
use crate::machine::device;
use crate::run::recipe::{INNER, Recipe};
use crate::run::{audit, encoder};
use crate::show::command::typed;

#[derive(clap::Args)]
pub struct Args {
    /// The study's directory; where a study is there already, the cells that it lacks are added
    study: PathBuf,
    /// A data set directory, or `phantom` for the embedded synthetic one
    #[arg(long)]
    data: String,
    /// Methods by name, or `all`
    #[arg(long, value_delimiter = ',', num_args = 1.., default_value = "all")]
    methods: Vec<String>,
    /// lidc-a, lidc-b, lidc-c, or `all`
    #[arg(long, value_delimiter = ',', num_args = 1.., default_value = "lidc-a")]
    tasks: Vec<String>,
    /// Folds that are held out in turn, as 0-4 or 0,2 [default: all]
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    folds: Vec<String>,
    /// How many folds the patients are dealt to
    #[arg(long, default_value_t = 5, value_parser = folds())]
    fold_count: usize,
    /// Seeds of weights, order and augmentation
    #[arg(long, value_delimiter = ',', num_args = 1.., default_value = "2")]
    seeds: Vec<String>,
    /// `ablation`, `controls`, or variants by name, on the first of the tasks
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    variants: Vec<String>,
    #[command(flatten)]
    recipe: Recipe,
    /// After each epoch, score the averaged weights on `inner`, an eighth of a cell's training patients, who then don't train
    #[arg(long, value_parser = [INNER])]
    validate: Option<String>,
    /// Go on though patients or nearly the same crops are in two folds
    #[arg(long)]
    allow_leaks: bool,
    #[command(flatten)]
    options: MethodOptions,
    #[arg(long, default_value = "clip", help = encoder::CHOICES)]
    text_encoder: String,
    /// Of a text encoder with random weights
    #[arg(long, default_value_t = 2)]
    text_seed: u64,
}

pub fn run(args: Args) -> Result<()> {
    let data = input::dataset(&args.data)?;
    let id = DataId { name: data.header.name.clone(), sha256: data.digest()? };
    let grid = grid(&args)?;
    let mut places = Places::read(&args.study)?.unwrap_or_default();
    places.data = input::whole_place(&args.data);
    let recipe = |method: Method, text: Option<&str>| -> Result<TrainConfig> {
        let config = args.recipe.config(args.options.of(method), id.clone());
        let validation = args.validate.as_ref().map(|_| ValidateOn::Inner);
        let mut config = TrainConfig { folds: args.fold_count, validation, ..config };
        // whether any method has a precision is looked at below
        TrainConfig { precision: Products::F32, ..config.clone() }.check().map_err(usage)?;
        if config.method.needs_text() {
            let choice = text.unwrap_or(&args.text_encoder);
            config.text_encoder = Some(named(choice, args.text_seed, &mut places)?);
        }
        Ok(config)
    };
    let (methods, variants) = (grid.methods.clone(), grid.variants.clone());
    let cells = grid.cells(recipe)?;
    let precision = args.recipe.precision;
    if precision != Products::F32 && cells.iter().all(|cell| cell.config.get("precision").is_none()) {
        let none = format!("--precision {}: no cell runs a frozen text encoder in its steps", precision.name());
        return Err(Failure::Usage(none).into());
    }
    let study = Study::new(id.clone(), cells)?;
    let found = audit::of(&study, &data)?;
    if let Some(found) = found.as_ref().filter(|_| !args.allow_leaks) {
        found.leakage.check()?;
    }
    let (dir, new) = StudyDir::plan(&args.study, study)?;
    audit::keep(&dir, &data, found)?;
    places.write(&args.study)?;
    println!("{}: {} cells, {new} of them new, on {}", args.study.display(), dir.study.cells.len(), id.name);
    let lacks = |v: &&Variant| {
        let of = |cell: &Cell| cell.method == v.method && cell.variant.as_deref() == Some(v.name);
        !dir.study.cells.iter().any(of)
    };
    for variant in variants.iter().filter(lacks) {
        let (method, name) = (variant.method.name(), variant.name);
        let why = if methods.contains(&variant.method) {
            "it is as the method without it"
        } else {
            "the method is not planned"
        };
        println!("  left out: {method}.{name}, {why}");
    }
    println!("  run them with: clip-lung sweep run {}", typed(&args.study));
    Ok(())
}

/// What the command line asked for in vain.
fn usage(e: clip_lung_core::Error) -> Failure {
    Failure::Usage(e.to_string())
}

fn grid(args: &Args) -> Result<Grid> {
    let all = |words: &[String]| words.iter().any(|w| w == "all");
    let method = |word: &String| {
        let names = Method::ALL.map(Method::name).join(", ");
        let unknown = || Failure::Usage(format!("there is no method `{word}`; choose all, or of {names}"));
        Method::ALL.into_iter().find(|m| m.name() == word).ok_or_else(unknown)
    };
    let task = |word: &String| {
        Task::from_str(word, false)
            .map_err(|_| Failure::Usage(format!("there is no task `{word}`; choose lidc-a, -b, -c or all")))
    };
    let methods = if all(&args.methods) { Ok(Method::ALL.to_vec()) } else { args.methods.iter().map(method).collect() };
    let tasks = if all(&args.tasks) { Ok(Task::ALL.to_vec()) } else { args.tasks.iter().map(task).collect() };
    let folds = if args.folds.is_empty() || all(&args.folds) {
        (0..args.fold_count).collect()
    } else {
        numbers(&args.folds).map_err(usage)?.into_iter().map(|n| n as usize).collect()
    };
    let mut variants = Vec::new();
    for word in &args.variants {
        variants.extend(Variant::named(word).map_err(usage)?);
    }
    let variants = once(variants, |v| (v.method.name(), v.name));
    let seeds = numbers(&args.seeds).map_err(usage)?;
    Ok(Grid { methods: once(methods?, |m| m.name()), tasks: once(tasks?, |t| t.name()), folds, seeds, variants })
}

/// What was named again is meant once.
fn once<T, N: Ord>(mut all: Vec<T>, name: impl Fn(&T) -> N) -> Vec<T> {
    let mut seen = BTreeSet::new();
    all.retain(|one| seen.insert(name(one)));
    all
}

/// The name of a text encoder, which is loaded once for that.
fn named(choice: &str, seed: u64, places: &mut Places) -> Result<String> {
    let name = encoder::name(choice, seed, places, &device::select("cpu")?.0)?;
    places.set(Encoder { name: name.clone(), choice: encoder::whole_choice(choice), seed });
    Ok(name)
}
