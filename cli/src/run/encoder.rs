//! Which text encoder a run uses, and how outputs name it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::digest::hex;
use clip_lung_core::base::tensors::read_some;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::nn::text::clip::{geometry::Geometry, tokenizer::ClipTokenizer, weights::is_text};
use clip_lung_core::nn::text::encoder::TextEncoder;
use clip_lung_core::nn::text::prompts::{ATTRIBUTE_WORDS, Prompts};
use clip_lung_core::nn::text::side::TextSide;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::io::files;

const REPOSITORY: &str = "openai/clip-vit-base-patch16";
const FILE: &str = "model.safetensors";

/// The text side of a run on `device`, and its name for every output.
///
/// `choice`: `random` is a seeded tower, `clip` the pretrained one (fetched once into the Hugging Face cache), anything else a
/// safetensors file.
pub fn load(choice: &str, task: Task, seed: u64, device: &Device) -> Result<(TextSide, String)> {
    let classes: Vec<&str> = task.classes().iter().map(|c| c.name()).collect();
    let device = &device.clone().autodiff();
    let side = match choice {
        "random" => TextSide::random_clip(Geometry::VIT_B_16, seed, &classes, device)?,
        "clip" => from_file(&fetch()?, &format!("CLIP {REPOSITORY}"), &classes, device)?,
        path => from_file(Path::new(path), path, &classes, device)?,
    };
    let name = side.name().to_owned();
    Ok((side, name))
}

fn from_file(path: &Path, name: &str, classes: &[&str], device: &Device) -> Result<TextSide> {
    let bytes = files::read(path)?;
    let digest = hex(&Sha256::digest(&bytes));
    let file = path.display().to_string();
    let arrays = read_some(&bytes, &file, is_text)?;
    let tokenizer = ClipTokenizer::new()?;
    let prompts = Prompts::new(classes, &ATTRIBUTE_WORDS, |text| tokenizer.encode(text))?;
    let encoder = TextEncoder::clip(&arrays, None, &prompts.ids(), &file, device)?;
    let output = encoder.tower.feature_width();
    if output != Geometry::VIT_B_16.output {
        return Err(Failure::File(format!(
            "{file}: its text features have {output} numbers, 512 are needed; use a ViT-B CLIP"
        ))
        .into());
    }
    Ok(TextSide::new(encoder, &prompts, format!("{name} (sha256 {})", &digest[..16]), true)?)
}

/// The pretrained weights in the Hugging Face cache, without asking the network.
pub fn cached() -> Option<PathBuf> {
    hf_hub::Cache::from_env().model(REPOSITORY.into()).get(FILE)
}

fn fetch() -> Result<PathBuf> {
    if let Some(path) = cached() {
        return Ok(path);
    }
    eprintln!("fetching {REPOSITORY} (once, 600 MB) ...");
    let fetched = hf_hub::api::sync::ApiBuilder::from_env()
        .with_progress(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .build()
        .and_then(|api| api.model(REPOSITORY.into()).get(FILE));
    fetched.map_err(|e| {
        let advice = "give a file with --text-encoder PATH, or use --text-encoder random for a seeded tower that is not pretrained";
        Failure::File(format!("{REPOSITORY}: can't be fetched ({e}); {advice}")).into()
    })
}
