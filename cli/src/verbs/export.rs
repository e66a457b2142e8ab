//! `clip-lung export`: a run's model as a model directory of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::tensors::{Precision, read};
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, Parts, WEIGHTS, build};
use clip_lung_core::model::ensemble::{ENSEMBLE, EnsembleFile};
use clip_lung_core::model::predict::Model;

use crate::failure::Failure;
use crate::io::files;
use crate::io::run_dir::model_dir;
use crate::machine::device;
use crate::run::bundle::golden_pair;

#[derive(clap::Args)]
pub struct Args {
    /// A finished run's directory, or a model directory to be stored otherwise; several become an ensemble
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where to write the model directory
    #[arg(long)]
    out: PathBuf,
    /// How weights are stored: f32, or f16 for half the size
    #[arg(long, value_parser = ["f32", "f16"], default_value = "f32")]
    dtype: String,
}

pub fn run(args: Args) -> Result<()> {
    let precision = if args.dtype == "f16" { Precision::F16 } else { Precision::F32 };
    let (device, _) = device::select("cpu")?;
    let mut all = Vec::new();
    for run in &args.runs {
        all.push(exported(run, precision, &device)?);
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

/// A run's model, checked, and the files of its directory.
struct Exported {
    model: Model,
    files: BTreeMap<String, Vec<u8>>,
}

fn exported(run: &Path, precision: Precision, device: &Device) -> Result<Exported> {
    let source = model_dir(run)?;
    let found = files::read_some(&source, &[WEIGHTS, CONFIG, GOLDEN, CARD])?;
    let get = |name: &str| {
        let path = source.join(name).display().to_string();
        let missing = Failure::File(format!("{path}: the file is missing; name a finished run or a model directory"));
        found.get(name).map(|bytes| (bytes, path)).ok_or(missing)
    };
    let (bytes, path) = get(CONFIG)?;
    let config = ModelConfig::parse(bytes, &path)?;
    // checks digests and the golden pair before anything is written
    let model = Model::load(&found, &source.display().to_string(), device)?;
    let (bytes, path) = get(WEIGHTS)?;
    let arrays = read(bytes, &path)?;
    // a model of version 0.1 may carry crops of patients
    let golden = golden_pair()?;
    let card = String::from_utf8_lossy(get(CARD)?.0).into_owned();
    let files = build(Parts { config, arrays, golden, precision, card: &card }, device)?;
    Ok(Exported { model, files })
}
