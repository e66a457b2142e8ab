//! `clip-lung export`: a run's model as a model directory of its own.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::base::tensors::{Precision, read};
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, Parts, WEIGHTS, build};

use crate::failure::Failure;
use crate::io::files;
use crate::io::run_dir::model_dir;
use crate::machine::device;
use crate::run::bundle::golden_pair;

#[derive(clap::Args)]
pub struct Args {
    /// A finished run's directory, or a model directory to be stored otherwise
    run: PathBuf,
    /// Where to write the model directory
    #[arg(long)]
    out: PathBuf,
    /// How weights are stored: f32, or f16 for half the size
    #[arg(long, value_parser = ["f32", "f16"], default_value = "f32")]
    dtype: String,
}

pub fn run(args: Args) -> Result<()> {
    let source = model_dir(&args.run)?;
    let found = files::read_some(&source, &[WEIGHTS, CONFIG, GOLDEN, CARD])?;
    let get = |name: &str| {
        let path = source.join(name).display().to_string();
        let missing = Failure::File(format!("{path}: the file is missing; name a finished run or a model directory"));
        found.get(name).map(|bytes| (bytes, path)).ok_or(missing)
    };
    let (bytes, path) = get(CONFIG)?;
    let config = ModelConfig::parse(bytes, &path)?;
    let (device, _) = device::select("cpu")?;
    // checks digests and the golden pair before anything is written
    clip_lung_core::model::predict::Model::load(&found, &source.display().to_string(), &device)?;
    let (bytes, path) = get(WEIGHTS)?;
    let arrays = read(bytes, &path)?;
    // a model of version 0.1 may carry crops of patients
    let golden = golden_pair()?;
    let precision = if args.dtype == "f16" { Precision::F16 } else { Precision::F32 };
    let card = String::from_utf8_lossy(get(CARD)?.0).into_owned();
    let built = build(Parts { config, arrays, golden, precision, card: &card }, &device)?;
    files::write_dir(&args.out, &built)?;
    let size = built.values().map(Vec::len).sum::<usize>() as f64 / 1e6;
    println!("{}: {} model, {size:.1} MB", args.out.display(), args.dtype);
    Ok(())
}
