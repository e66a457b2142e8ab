//! One run: from its settings, or from where it was left, to a scored model in its directory.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::nn::text::side::TextSide;
use clip_lung_core::train::batch::statistics;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::split::Split;
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::train::validate::ValidationSet;
use clip_lung_core::volume::crop::Normalisation;

use super::init::Init;
use super::results::{self, Outcome};
use super::training::{self, Pace, Watch};
use crate::failure::Failure;
use crate::io::files;
use crate::io::run_dir::RunDir;

/// A run that is ready to train, in a directory of its own.
pub struct Fit<'a> {
    dir: RunDir,
    data: &'a Dataset,
    device: Device,
    trainer: Trainer,
    norm: Normalisation,
    pub split: Split,
    /// The rows of another data set that the run is validated on.
    validation: Option<(&'a Dataset, Vec<usize>)>,
    evidence: bool,
}

/// What a run may start from and be watched with, beside its settings.
#[derive(Default)]
pub struct Extras<'a> {
    /// The text encoder that the settings name, for methods that need one.
    pub text: Option<Arc<TextSide>>,
    /// The weights that the settings name.
    pub init: Option<Init>,
    /// The data set that the settings validate on.
    pub validation: Option<&'a Dataset>,
    /// Whether features and maps are kept for a report's pictures.
    pub evidence: bool,
}

impl<'a> Fit<'a> {
    /// A fresh run, or the one whose state lies in the directory (which must lie there to `resume`).
    pub fn start(
        mut dir: RunDir,
        config: TrainConfig,
        split: Split,
        extras: Extras<'a>,
        data: &'a Dataset,
        device: &Device,
        resume: bool,
    ) -> Result<Self> {
        let setup = config.setup(&data.rows, &split.train, extras.text)?;
        let task = config.task;
        let tested = |set: &Dataset| (0..set.len()).filter(|&i| task.tests(set.rows[i].class)).collect();
        let validation = extras.validation.map(|set| (set, tested(set)));
        let (trainer, norm) = match dir.state()? {
            Some(bytes) => {
                let file = dir.state_path().display().to_string();
                state::load(&bytes, &file, config, &setup, device)?
            }
            None if resume => return Err(nothing_to_continue(&dir.state_path())),
            None => {
                let trainer = Trainer::new(config, &setup, device)?;
                let trainer = match extras.init {
                    Some(init) => init.apply(trainer)?,
                    None => trainer,
                };
                (trainer, statistics(data, &split.train))
            }
        };
        dir.continue_log(trainer.step)?;
        files::write(&dir.file("config.json"), &serde_json::to_vec_pretty(&trainer.config)?)?;
        Ok(Self { dir, data, device: device.clone(), trainer, norm, split, validation, evidence: extras.evidence })
    }

    /// Its settings.
    pub fn config(&self) -> &TrainConfig {
        &self.trainer.config
    }

    /// Steps done before.
    pub fn step(&self) -> u64 {
        self.trainer.step
    }

    /// Trains to the end, and writes model, predictions, metrics and curves.
    pub fn finish(mut self, pace: Pace<'_>, watch: impl Watch) -> Result<Outcome> {
        let (data, norm) = (self.data, &self.norm);
        let validation = match &self.validation {
            Some((data, rows)) => Some(ValidationSet { data, rows }),
            None => (!self.split.validation.is_empty()).then_some(ValidationSet { data, rows: &self.split.validation }),
        };
        let on = training::Data { data, train: &self.split.train, norm, validation };
        let trainer = training::run(self.trainer, &mut self.dir, on, pace, watch)?;
        let trainer = trainer.finish(data, &self.split.train, norm)?;
        results::write(&trainer, self.dir, data, self.split, norm, &self.device, self.evidence)
    }
}

/// That a run can't be continued.
pub fn nothing_to_continue(path: &Path) -> anyhow::Error {
    let message = format!("{}: there is no state to continue from; leave --resume out to start", path.display());
    Failure::File(message).into()
}
