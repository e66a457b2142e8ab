//! One run: from its settings, or from where it was left, to a scored model in its directory.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::Error;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::nodules::Nodules;
use clip_lung_core::nn::text::side::TextSide;
use clip_lung_core::train::batch::statistics;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::split::Split;
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;

use super::ahead::Data;
use super::init::Init;
use super::results::{self, Outcome};
use super::training::{self, Pace, Watch};
use crate::failure::Failure;
use crate::io::files;
use crate::io::predictions::{self, CONFIG};
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
    /// The data set that the run is scored on, where it has one of its own, and what of it.
    test: Option<(&'a Dataset, Vec<usize>)>,
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
    /// The data set that the settings test on.
    pub test: Option<&'a Dataset>,
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
        let tested = |set: &'a Dataset| (set, task.tested_rows(&set.rows));
        let (validation, test) = (extras.validation.map(tested), extras.test.map(tested));
        for (set, rows) in validation.iter().chain(&test) {
            check_scored(set, rows, &config)?;
        }
        let (trainer, norm) = match dir.state()? {
            Some(bytes) => {
                let file = dir.state_path().display().to_string();
                state::load(&bytes, &file, config, &setup, device)?
            }
            None if resume => return Err(nothing_to_continue(&dir.state_path())),
            None => {
                not_another(&dir, &config)?;
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
        let (device, evidence) = (device.clone(), extras.evidence);
        Ok(Self { dir, data, device, trainer, norm, split, validation, test, evidence })
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
            Some((data, rows)) => Some(Nodules { data, rows }),
            None => (!self.split.validation.is_empty()).then_some(Nodules { data, rows: &self.split.validation }),
        };
        let on = Data { data, train: &self.split.train, norm, validation };
        let trainer = training::run(self.trainer, &mut self.dir, on, pace, watch)?;
        let trainer = trainer.finish(data, &self.split.train, norm)?;
        let held_out = match &self.test {
            Some((data, rows)) => Nodules { data, rows },
            None => Nodules { data, rows: &self.split.held_out },
        };
        let train = Nodules { data, rows: &self.split.train };
        results::write(&trainer, self.dir, train, held_out, norm, &self.device, self.evidence)
    }

    /// How many nodules the run is scored on.
    pub fn scored(&self) -> usize {
        self.test.as_ref().map_or(self.split.held_out.len(), |(_, rows)| rows.len())
    }
}

/// That a directory holds no finished run of other settings, which keeps no state and would be lost.
fn not_another(dir: &RunDir, config: &TrainConfig) -> Result<()> {
    let place = dir.file("");
    if predictions::finished(&place) {
        state::same_run(&RunDir::config(&place)?, config, &dir.file(CONFIG).display().to_string())?;
    }
    Ok(())
}

/// That there is something to score in a data set beside the training's, and that all of it can be asked about.
fn check_scored(set: &Dataset, rows: &[usize], config: &TrainConfig) -> Result<()> {
    let (name, task) = (&set.header.name, config.task.name());
    if rows.is_empty() {
        return Err(
            Failure::File(format!("{name}: there is no nodule to score on {task}; use another data set")).into()
        );
    }
    let unknown = rows.iter().find(|&&i| set.rows[i].diameter_mm.is_none()).filter(|_| config.diameter);
    unknown.map_or(Ok(()), |&i| {
        let (nodule, remedy) =
            (set.rows[i].nodule_id.clone(), "leave --diameter out, or fill in the column diameter_mm");
        Err(Error::Lacks { nodule, what: "diameter", remedy }.into())
    })
}

/// That a run can't be continued.
pub fn nothing_to_continue(path: &Path) -> anyhow::Error {
    let message = format!("{}: there is no state to continue from; leave --resume out to start", path.display());
    Failure::File(message).into()
}
