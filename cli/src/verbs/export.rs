//! `clip-lung export`: a run's model as a model directory of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::Error;
use clip_lung_core::base::tensors::{Array, Precision, read};
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, Parts, WEIGHTS, build};
use clip_lung_core::model::ensemble::{ENSEMBLE, EnsembleFile};
use clip_lung_core::model::predict::Model;
use clip_lung_core::model::readout_file::TEMPERATURE;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::split::split;

use crate::failure::Failure;
use crate::io::files;
use crate::io::input;
use crate::io::model_dir::model_dir;
use crate::io::run_dir::RunDir;
use crate::io::study_dir;
use crate::machine::device;
use crate::run::bundle::{golden_pair, training_data};
use crate::run::{out_of_fold, robustness, rules};
use crate::show::markdown::with_sections;

#[derive(clap::Args)]
pub struct Args {
    /// A finished run's directory, or a model directory to be stored otherwise; several become an ensemble
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where to write the model directory
    #[arg(long)]
    out: PathBuf,
    /// Predictions of the same recipe's held-out folds (runs, or predictions.csv files): the model gets the temperature that makes its
    /// probabilities honest, and a rule for which classes an answer leaves open
    #[arg(long, num_args = 1..)]
    calibrate: Vec<PathBuf>,
    /// A study with the same recipe's held-out folds: calibrates as `--calibrate` does, and the card says how good the recipe is, beside
    /// predictors without an image
    #[arg(long, conflicts_with = "calibrate")]
    study: Option<PathBuf>,
    /// What `evaluate RUN --robustness --json` printed of those folds, and of the model on other data, for the card
    #[arg(long, num_args = 1..)]
    robustness: Vec<PathBuf>,
    /// A Markdown file that is added to the card
    #[arg(long)]
    notes: Option<PathBuf>,
    /// The data set that the model was trained on: the model gets a rule for crops that are no lung nodule
    #[arg(long)]
    guard: Option<String>,
    /// How weights are stored: f32, or f16 for half the size
    #[arg(long, value_parser = ["f32", "f16"], default_value = "f32")]
    dtype: String,
}

pub fn run(args: Args) -> Result<()> {
    let precision = if args.dtype == "f16" { Precision::F16 } else { Precision::F32 };
    study_dir::is_free(&args.out)?;
    each_once(&args.runs)?;
    let (device, _) = device::select("cpu")?;
    let mut all = Vec::new();
    for run in &args.runs {
        all.push(exported(run, precision, &args, &device)?);
    }
    let size = all.iter().flat_map(|one| one.files.values()).map(Vec::len).sum::<usize>() as f64 / 1e6;
    if let [only] = &all[..] {
        files::write_dir(&args.out, &only.files)?;
        println!("{}: {} model, {size:.1} MB", args.out.display(), args.dtype);
        return Ok(());
    }
    // refused before anything is written where they don't answer the same question
    let names: Vec<String> = (0..all.len()).map(|n| format!("member{n}")).collect();
    let (members, directories): (Vec<_>, Vec<_>) = all.into_iter().map(|one| (one.model, one.files)).unzip();
    Model::ensemble(members, &names)?;
    let file = EnsembleFile::new(names.clone());
    let mut built: BTreeMap<String, Vec<u8>> = [(ENSEMBLE.to_owned(), serde_json::to_vec_pretty(&file)?)].into();
    for (name, files) in names.iter().zip(directories) {
        built.extend(files.into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
    }
    files::write_dir(&args.out, &built)?;
    println!("{}: {} ensemble of {}, {size:.1} MB", args.out.display(), args.dtype, names.len());
    Ok(())
}

/// That no run is named twice: an ensemble would count it for two.
fn each_once(runs: &[PathBuf]) -> Result<()> {
    let place = |run: &PathBuf| files::whole(&run.to_string_lossy());
    match (1..runs.len()).find(|&k| runs[..k].iter().any(|before| place(before) == place(&runs[k]))) {
        Some(again) => {
            let message = format!("{} is named twice; an ensemble has each of its models once", runs[again].display());
            Err(Failure::Usage(message).into())
        }
        None => Ok(()),
    }
}

/// A run's model, checked, and the files of its directory.
struct Exported {
    model: Model,
    files: BTreeMap<String, Vec<u8>>,
}

fn exported(run: &Path, precision: Precision, args: &Args, device: &Device) -> Result<Exported> {
    let source = model_dir(run)?;
    let found = files::read_some(&source, &[WEIGHTS, CONFIG, GOLDEN, CARD])?;
    let get = |name: &str| {
        let path = source.join(name).display().to_string();
        found.get(name).map(|bytes| (bytes, path.clone())).ok_or(Error::MissingFile { file: path })
    };
    let (bytes, path) = get(CONFIG)?;
    let mut config = ModelConfig::parse(bytes, &path)?;
    // checks digests and the golden pair before anything is written
    let model = Model::load(&found, &source.display().to_string(), device)?;
    let (bytes, path) = get(WEIGHTS)?;
    let mut arrays = read(bytes, &path)?;
    let ran = if source == run { None } else { Some(RunDir::config(run)?) };
    let mut sections = Vec::new();
    let mut held_out = None;
    if let Some(study) = &args.study {
        let found = out_of_fold::of_study(study, &config, ran.as_ref())?;
        config.metadata.metrics = found.metrics;
        sections.push(found.section);
        held_out = Some(found.predictions);
    } else if !args.calibrate.is_empty() {
        held_out = Some(rules::held_out(&args.calibrate, &config)?);
    }
    if let Some(held_out) = &held_out {
        let found = rules::calibration(held_out)?;
        let temperature = Array { shape: vec![1], values: vec![found.temperature as f32] };
        arrays.insert(TEMPERATURE.into(), temperature);
        config.answer_set = Some(found.set);
        let said = format!(
            "temperature {:.3} (held-out loss {:.4}, before {:.4}); classes from {:.3} on are left open: the true one is among \
             them in {:.1} %",
            found.temperature,
            found.loss,
            found.loss_before,
            found.set.threshold,
            found.set.measured * 100.0
        );
        sections.push(format!("## Calibration\n\nFrom {} held-out predictions: {said}.\n", held_out.nodules.len()));
        println!("{said}");
    }
    if let Some(place) = &args.guard {
        sections.push(guard(&mut config, run, ran.as_ref(), place)?);
    }
    // a model of version 0.1 may carry crops of patients
    let golden = golden_pair()?;
    if !args.robustness.is_empty() {
        sections.push(robustness::section(&args.robustness, &config.metadata.training_data)?);
    }
    if let Some(notes) = &args.notes {
        let text = || Failure::File(format!("{}: it is no text in UTF-8; give a Markdown file", notes.display()));
        sections.push(String::from_utf8(files::read(notes)?).map_err(|_| text())?);
    }
    let card = with_sections(&String::from_utf8_lossy(get(CARD)?.0), &sections);
    let files = build(Parts { config, arrays, golden, precision, card: &card }, device)?;
    Ok(Exported { model, files })
}

/// Gives a model its rule for crops that are no lung nodule, from the data it learned from; the card's
/// section on it.
fn guard(config: &mut ModelConfig, run: &Path, ran: Option<&TrainConfig>, place: &str) -> Result<String> {
    let data = input::dataset(place)?;
    if !config.metadata.training_data.contains(&data.digest()?) {
        let (run, learned) = (run.display(), config.metadata.trained_on());
        let message =
            format!("{place}: {run} did not learn from it, but was {learned}; give --guard the data it was trained on");
        return Err(Failure::File(message).into());
    }
    // a run of an earlier version did not count what it learned from
    if let Some(ran) = ran {
        config.metadata.training_data = training_data(&data, &split(&data.rows, ran)?.train, &ran.data);
    }
    let rule = rules::guard(&data, place, config)?;
    let said = format!("{:.1} % of held-out nodules would be taken for none", rule.false_alarms * 100.0);
    println!("{said}");
    config.guard = Some(rule);
    let large =
        rule.tissue_around_large.map_or(String::new(), |share| format!(", {:.1} % from 15 mm on", share * 100.0));
    Ok(format!(
        "## Crops that are no lung nodule\n\nAn answer is marked where the middle of the crop is air (a mean of at most {:.0} HU) or where \
         there is hardly any lung around (more than {:.1} %{large} of the surroundings above -200 HU). The limits come from {} nodules; {said}.\n",
        rule.middle_hu,
        rule.tissue_around * 100.0,
        rule.nodules
    ))
}
