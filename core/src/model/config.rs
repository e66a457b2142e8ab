//! `config.json` of a model directory: what the network expects, and where it comes from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dataset::class::Class;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::methods::pool::Pool;
use crate::methods::readout::{Decision, ReadoutKind};
use crate::volume::crop::{Normalisation, SIDE, Side};

/// The schema that is written.
pub const SCHEMA: u32 = 2;

/// `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub schema: u32,
    pub method: Method,
    pub task: Task,
    pub classes: Vec<Class>,
    /// How layer4 becomes the classifier's features. Schema 1 knew the view alone.
    #[serde(default)]
    pub pool: Pool,
    /// How the classifier's outputs become probabilities. Schema 1 knew softmax alone.
    #[serde(default)]
    pub readout: ReadoutKind,
    /// How a class is decided on.
    #[serde(default)]
    pub decision: Decision,
    /// Whether the classifier also gets ln De - ln 8: every crop then comes with its nodule's diameter.
    #[serde(default)]
    pub diameter: bool,
    pub input: Input,
    pub metadata: Metadata,
    /// SHA-256 of the other files.
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
}

/// What the network expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub shape: [usize; 3],
    pub hu_window: [f32; 2],
    pub mean: f32,
    pub std: f32,
    pub crop: String,
}

/// Where the model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub version: String,
    pub created: String,
    pub intended_use: String,
    pub training_data: String,
    /// Whether the training images were drawn and are no CT.
    #[serde(default)]
    pub synthetic: bool,
    pub text_encoder: String,
    #[serde(default)]
    pub metrics: serde_json::Value,
    pub git_commit: String,
    pub seed: u64,
}

impl ModelConfig {
    pub(super) fn check(&self, file: &str) -> Result<()> {
        let bad = |reason: String| Error::BadJson { file: file.into(), reason };
        if !(1..=SCHEMA).contains(&self.schema) {
            return Err(bad(format!("schema {} is not supported, only 1 to {SCHEMA}", self.schema)));
        }
        if self.input.shape != [SIDE; 3] {
            return Err(bad(format!("input shape {:?} is not supported, only [32, 32, 32]", self.input.shape)));
        }
        self.task.check(&self.classes)?;
        if !self.method.readouts().contains(&self.readout) {
            let (method, readout) = (self.method.name(), self.readout.name());
            return Err(bad(format!("a model of the method {method} can't have the readout {readout}")));
        }
        self.input.normalisation().check()
    }
}

impl Input {
    /// Crops of this side with these statistics.
    pub fn new(norm: &Normalisation, side: Side) -> Self {
        Self { shape: [SIDE; 3], hu_window: norm.hu_window, mean: norm.mean, std: norm.std, crop: side.to_string() }
    }

    /// The side of the crops it was trained on.
    pub fn side(&self) -> Side {
        Side::parse(&self.crop)
    }

    /// As a normalisation.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation { hu_window: self.hu_window, mean: self.mean, std: self.std }
    }
}
