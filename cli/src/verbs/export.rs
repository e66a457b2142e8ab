//! `clip-lung export`: a run's model as a model directory of its own.

use std::path::PathBuf;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::tensors::{Precision, read};
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::directory::{CARD, CONFIG, GOLDEN, Parts, WEIGHTS, build};
use clip_lung_core::volume::crop::{Crop, VOXELS};

use crate::failure::Failure;
use crate::io::files;
use crate::machine::device;

#[derive(clap::Args)]
pub struct Args {
    /// A run's directory
    run: PathBuf,
    /// Where to write the model directory
    #[arg(long)]
    out: PathBuf,
    /// How weights are stored: f32, or f16 for half the size
    #[arg(long, value_parser = ["f32", "f16"], default_value = "f32")]
    dtype: String,
}

pub fn run(args: Args) -> Result<()> {
    let source = args.run.join("model");
    if !source.is_dir() {
        return Err(Failure::File(format!(
            "{}: there is no finished model; finish the run with `clip-lung train` first",
            source.display()
        ))
        .into());
    }
    let found = files::read_some(&source, &[WEIGHTS, CONFIG, GOLDEN, CARD])?;
    let get = |name: &str| {
        let path = source.join(name).display().to_string();
        let missing = Failure::File(format!("{path}: the file is missing; run `clip-lung train` again"));
        found.get(name).map(|bytes| (bytes, path)).ok_or(missing)
    };
    let (bytes, path) = get(CONFIG)?;
    let config = ModelConfig::parse(bytes, &path)?;
    let (device, _) = device::select("cpu")?;
    // checks digests and the golden pair before anything is written
    clip_lung_core::model::predict::Model::load(&found, &source.display().to_string(), &device)?;
    let (bytes, path) = get(WEIGHTS)?;
    let arrays = read(bytes, &path)?;
    let (bytes, path) = get(GOLDEN)?;
    let golden = read(bytes, &path)?;
    let input = golden.get("input").ok_or_else(|| Error::MissingTensor { file: path.clone(), name: "input".into() })?;
    let crop = |i: usize| Crop::new(input.values[i * VOXELS..(i + 1) * VOXELS].to_vec(), &path);
    let golden = [crop(0)?, crop(1)?];
    let precision = if args.dtype == "f16" { Precision::F16 } else { Precision::F32 };
    let card = String::from_utf8_lossy(get(CARD)?.0).into_owned();
    let built = build(Parts { config, arrays, golden, precision, card: &card }, &device)?;
    files::write_dir(&args.out, &built)?;
    let size = built.values().map(Vec::len).sum::<usize>() as f64 / 1e6;
    println!("{}: {} model, {size:.1} MB", args.out.display(), args.dtype);
    Ok(())
}
