//! From a trained average to a model directory.

use std::collections::BTreeMap;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::tensors::{Array, Arrays, Precision};
use clip_lung_core::dataset::crops::{Dataset, DatasetHeader};
use clip_lung_core::model::config::{Input, Metadata, ModelConfig, SCHEMA};
use clip_lung_core::model::directory::{Parts, build};
use clip_lung_core::nn::parameters::collect;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;

/// The image network's weights of the average, and the words of the attribute read-out where there are any.
pub fn arrays(trainer: &Trainer) -> Arrays {
    let mut arrays = collect(&trainer.ema.module.image);
    if let (Some(prompt), Some(text)) = (&trainer.ema.module.prompt, trainer.text()) {
        let attributes = text.attributes();
        let shape = attributes.dims().to_vec();
        let values = attributes.into_data().iter::<f32>().collect();
        arrays.insert("attribute_features".into(), Array { shape, values });
        let scale = prompt.temperature().val().into_data().iter::<f32>().collect();
        arrays.insert("logit_scale".into(), Array { shape: vec![1], values: scale });
    }
    arrays
}

/// A `config.json` for a model of this run.
pub fn config(
    run: &TrainConfig,
    norm: &Normalisation,
    data: &DatasetHeader,
    metrics: serde_json::Value,
) -> ModelConfig {
    ModelConfig {
        schema: SCHEMA,
        method: run.method,
        task: run.task,
        classes: run.task.classes().to_vec(),
        input: Input::new(norm, data.crop),
        metadata: Metadata {
            version: env!("CARGO_PKG_VERSION").into(),
            created: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
            intended_use: "research".into(),
            synthetic: data.synthetic,
            training_data: format!("{} (sha256 {})", run.data.name, run.data.sha256),
            text_encoder: run.text_encoder.clone(),
            metrics,
            git_commit: env!("CLIP_LUNG_COMMIT").into(),
            seed: run.seed,
        },
        sha256: BTreeMap::new(),
    }
}

/// The model directory's files; the golden pair is the first two held-out crops.
pub fn files(
    config: ModelConfig,
    arrays: Arrays,
    data: &Dataset,
    held_out: &[usize],
    card: &str,
    device: &Device,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let first = held_out.first().copied().unwrap_or(0);
    let golden = [data.crop(first)?, data.crop(held_out.get(1).copied().unwrap_or(first))?];
    Ok(build(Parts { config, arrays, golden, precision: Precision::F32, card }, device)?)
}
