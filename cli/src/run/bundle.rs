//! From a trained average to a model directory.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::base::tensors::{Array, Arrays, Precision};
use clip_lung_core::dataset::class::Thresholds;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::methods::readout::{Decision, ReadoutKind};
use clip_lung_core::model::config::{Input, Metadata, ModelConfig, SCHEMA};
use clip_lung_core::model::directory::{Parts, build};
use clip_lung_core::model::readout_file;
use clip_lung_core::nn::parameters::collect;
use clip_lung_core::phantom::phantom;
use clip_lung_core::train::config::{DataId, TrainConfig};
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::{Crop, Normalisation};

/// What a model directory keeps of a run.
pub struct Trained {
    /// What it learned from.
    training_data: String,
    /// Image encoder, classifier, readout and, where there are any, the words of the attribute read-out.
    arrays: Arrays,
    readout: ReadoutKind,
    decision: Decision,
    /// Of the average nodule, once they are known.
    pub attribute_means: Option<BTreeMap<String, f32>>,
    /// Two synthetic crops, nobody's.
    golden: [Crop; 2],
}

impl Trained {
    /// The averaged weights of a run that learned from these rows of the data.
    pub fn of(trainer: &Trainer, data: &Dataset, rows: &[usize]) -> Result<Self> {
        let network = &trainer.ema.module;
        let readout = network.head.readout()?;
        let mut arrays = collect(&network.backbone);
        arrays.extend(collect(network.head.trunk()));
        arrays.extend(readout_file::arrays(&readout));
        if let Some((attributes, logit_scale)) = network.head.words() {
            let shape = attributes.dims().to_vec();
            let values = attributes.into_data().iter::<f32>().collect();
            arrays.insert("attribute_features".into(), Array { shape, values });
            let values = logit_scale.into_data().iter::<f32>().collect();
            arrays.insert("logit_scale".into(), Array { shape: vec![1], values });
        }
        let training_data = training_data(data, rows, &trainer.config.data);
        let (readout, decision) = (readout.kind(), network.head.decision());
        Ok(Self { training_data, arrays, readout, decision, attribute_means: None, golden: golden_pair()? })
    }

    /// The model directory's files.
    pub fn directory(
        &self,
        run: &TrainConfig,
        norm: &Normalisation,
        data: &Dataset,
        metrics: serde_json::Value,
        card: impl FnOnce(&ModelConfig) -> String,
        device: &Device,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let config = ModelConfig {
            schema: SCHEMA,
            method: run.method.method(),
            task: run.task,
            classes: run.task.classes().to_vec(),
            pool: run.pool,
            readout: self.readout,
            decision: self.decision,
            diameter: run.diameter,
            input: Input::new(norm, data.header.crop),
            metadata: Metadata {
                version: env!("CARGO_PKG_VERSION").into(),
                created: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
                intended_use: "research".into(),
                training_data: self.training_data.clone(),
                synthetic: data.header.synthetic,
                text_encoder: run.encoder(),
                attribute_means: self.attribute_means.clone(),
                metrics,
                git_commit: env!("CLIP_LUNG_COMMIT").into(),
                seed: run.seed,
            },
            guard: None,
            answer_set: None,
            sha256: BTreeMap::new(),
        };
        let card = card(&config);
        let (arrays, golden) = (self.arrays.clone(), self.golden.clone());
        let parts = Parts { config, arrays, golden, precision: Precision::F32, card: &card };
        Ok(build(parts, device)?)
    }
}

/// Rows of a data set that a model learned from, in words and with the data's digest, as [`Metadata::trained_on`] reads them.
pub fn training_data(data: &Dataset, rows: &[usize], id: &DataId) -> String {
    let patients: BTreeSet<&str> = rows.iter().map(|&i| data.rows[i].patient_id.as_str()).collect();
    // drawings are the archive's no more
    let of_archive = !data.header.synthetic && data.header.source.contains("LIDC-IDRI");
    let nodules = if of_archive { "LIDC-IDRI nodules" } else { "nodules" };
    format!("{} {nodules} of {} patients, data set {} (sha256 {})", rows.len(), patients.len(), id.name, id.sha256)
}

/// Two drawn nodules.
pub fn golden_pair() -> Result<[Crop; 2]> {
    let drawn = phantom(Thresholds::Inclusive, Some(2))?;
    Ok([drawn.crop(0)?, drawn.crop(1)?])
}
