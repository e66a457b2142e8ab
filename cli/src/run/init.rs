//! Weights that a run starts from: those of a model directory, or of another run.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::digest::hex;
use clip_lung_core::base::tensors::{Arrays, read};
use clip_lung_core::model::config::ModelConfig;
use clip_lung_core::model::directory::WEIGHTS;
use clip_lung_core::nn::parameters::{apply, collect};
use clip_lung_core::train::ema::Ema;
use clip_lung_core::train::step::Trainer;
use sha2::{Digest, Sha256};

use crate::io::files;
use crate::io::model_dir::model_dir;
use crate::io::predictions::CONFIG;

/// Weights to start from.
pub struct Init {
    file: String,
    arrays: Arrays,
    /// The model's directory and the digest of its weights, as a run's settings name it.
    pub name: String,
}

impl Init {
    /// Of a model directory, or of the model that a finished run left.
    pub fn read(place: &Path) -> Result<Self> {
        let path = model_dir(place)?.join(WEIGHTS);
        let bytes = files::read(&path)?;
        let file = path.display().to_string();
        let config = path.with_file_name(CONFIG);
        let settings = ModelConfig::parse(&files::read(&config)?, &config.display().to_string())?;
        if let Some(sha256) = settings.sha256.get(WEIGHTS) {
            files::read_unchanged(&path, sha256)?;
        }
        let called =
            place.file_name().map_or_else(|| place.display().to_string(), |n| n.to_string_lossy().into_owned());
        let name = format!("{called} (sha256 {})", &hex(&Sha256::digest(&bytes))[..16]);
        Ok(Self { arrays: read(&bytes, &file)?, file, name })
    }

    /// A fresh trainer with these weights: the image encoder whole, and whatever of the head has the same name and shape.
    pub fn apply(self, mut trainer: Trainer) -> Result<Trainer> {
        let mut all = collect(&trainer.network);
        let mut fresh: Vec<&str> = Vec::new();
        for (name, array) in &mut all {
            match self.arrays.get(name) {
                Some(known) if known.shape == array.shape => *array = known.clone(),
                _ => fresh.push(name),
            }
        }
        let of_encoder = |name: &&&str| ["conv1.", "bn1.", "layer"].iter().any(|start| name.starts_with(start));
        if let Some(missing) = fresh.iter().find(of_encoder) {
            return Err(Error::MissingTensor { file: self.file, name: (**missing).to_owned() }.into());
        }
        if !fresh.is_empty() {
            eprintln!("starting from {}; at random, since it has none of that shape: {}", self.name, fresh.join(", "));
        }
        trainer.network = apply(trainer.network, all, &self.file)?;
        trainer.ema = Ema::new(&trainer.network, trainer.config.ema);
        Ok(trainer)
    }
}
