//! Which text encoder a run uses.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::nn::text::bert::config::BertConfig;
use clip_lung_core::nn::text::clip::geometry::Geometry;
use clip_lung_core::nn::text::directory::{self, Description};
use clip_lung_core::nn::text::side::TextSide;
use sha2::{Digest, Sha256};

use super::hub::{self, WEIGHTS};
use crate::io::files;
use crate::io::places::Places;

/// The choices in words, for help texts.
pub const CHOICES: &str = "clip or minilm (fetched once), random or random:minilm (seeded, not pretrained), a safetensors file with \
                           CLIP's text tower, or a directory with config.json, tokenizer.json and model.safetensors (CLIP or BERT)";

/// The choice as another working directory understands it.
pub fn whole_choice(choice: &str) -> String {
    match choice {
        "random" | "random:minilm" | "clip" | "minilm" => choice.to_owned(),
        path => files::whole(path),
    }
}

/// The text side of a run on `device`, whose name says which it is.
///
/// `random` is CLIP's tower with weights of `seed` and `random:minilm` MiniLM's, `clip` and `minilm` are the pretrained ones (fetched
/// once into the Hugging Face cache), anything else a path.
pub fn load(choice: &str, classes: &[&str], seed: u64, device: &Device) -> Result<TextSide> {
    let device = &device.clone().autodiff();
    match choice {
        "random" => Ok(TextSide::random_clip(Geometry::VIT_B_16, seed, classes, device)?),
        "random:minilm" => Ok(TextSide::random_bert(BertConfig::MINILM, seed, classes, device)?),
        "clip" => {
            from_file(&hub::CLIP.fetch()?.join(WEIGHTS), &format!("CLIP {}", hub::CLIP.repository), classes, device)
        }
        "minilm" => from_directory(&hub::MINILM.fetch()?, hub::MINILM.repository, classes, device),
        path if Path::new(path).is_dir() => from_directory(Path::new(path), last_name(path), classes, device),
        path => from_file(Path::new(path), last_name(path), classes, device),
    }
}

/// The name of a text encoder, which says what it is: it is loaded for that where `places` don't know it.
pub fn name(choice: &str, seed: u64, places: &Places, device: &Device) -> Result<String> {
    let choice = whole_choice(choice);
    match places.text_encoders.iter().find(|e| e.choice == choice && e.seed == seed) {
        Some(known) => Ok(known.name.clone()),
        None => Ok(load(&choice, &Class::ALL.map(Class::name), seed, device)?.name().to_owned()),
    }
}

/// What outputs call a path: its digest stands beside, and a run may be continued where the path is another.
fn last_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

/// CLIP's text tower from one file.
fn from_file(path: &Path, name: &str, classes: &[&str], device: &Device) -> Result<TextSide> {
    let weights = files::read(path)?;
    let name = with_digest(name, &weights);
    Ok(directory::clip((&path.display().to_string(), &weights), None, classes, name, device)?)
}

/// The tower that a directory's `config.json` describes.
fn from_directory(path: &Path, name: &str, classes: &[&str], device: &Device) -> Result<TextSide> {
    let read = |name: &str| -> Result<(String, Vec<u8>)> {
        let file = path.join(name);
        Ok((file.display().to_string(), files::read(&file)?))
    };
    let (file, json) = read("config.json")?;
    let description = Description::parse((&file, &json))?;
    let (file, weights) = read(WEIGHTS)?;
    let name = with_digest(name, &weights);
    let config = match description {
        Description::Clip(heads) => return Ok(directory::clip((&file, &weights), heads, classes, name, device)?),
        Description::Bert(config) => config,
    };
    let pooling = "1_Pooling/config.json";
    let config = if path.join(pooling).exists() {
        let (file, json) = read(pooling)?;
        config.with_pooling(&json, &file)?
    } else {
        config
    };
    let (vocabulary, json) = read("tokenizer.json")?;
    Ok(directory::bert((&file, &weights), (&vocabulary, &json), config, classes, name, device)?)
}

fn with_digest(name: &str, weights: &[u8]) -> String {
    format!("{name} (sha256 {})", &hex(&Sha256::digest(weights))[..16])
}
