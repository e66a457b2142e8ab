//! Predictions that were kept: of a run, or a file alone.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::decision::Decision;
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::{Method, MethodConfig};
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::train::ARITHMETIC;
use clip_lung_core::train::config::{DataId, TrainConfig};
use serde::{Deserialize, Serialize};

use crate::io::files;

/// The predictions of a run.
pub const PREDICTIONS: &str = "predictions.csv";
/// What is known of them.
pub const METRICS: &str = "metrics.json";
/// The run's settings.
pub const CONFIG: &str = "config.json";

/// What of `metrics.json` predictions are read with.
#[derive(Clone, Debug, Deserialize)]
pub struct Metrics {
    pub method: Method,
    pub task: Task,
    pub fold: usize,
    pub data: DataId,
    #[serde(default)]
    pub synthetic_images: bool,
    /// How probabilities became answers; the method's own way where it is absent.
    pub decision: Option<Decision>,
    /// Of the predictions' file, where it was kept.
    pub predictions_sha256: Option<String>,
    #[serde(default)]
    pub program: Program,
}

/// The program that trained a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Program {
    pub version: String,
    pub git_commit: String,
    /// See [`ARITHMETIC`].
    pub arithmetic: u32,
}

impl Program {
    /// This one.
    pub fn this() -> Self {
        let (version, git_commit) = (env!("CARGO_PKG_VERSION").into(), env!("CLIP_LUNG_COMMIT").into());
        Self { version, git_commit, arithmetic: ARITHMETIC }
    }

    /// What makes its results other than this program's.
    pub fn difference(&self) -> Option<String> {
        let Self { version, git_commit, arithmetic } = self;
        (*arithmetic != ARITHMETIC).then(|| {
            format!(
                "it was trained by clip-lung {version} ({git_commit}), whose arithmetic (number {arithmetic}) gives other \
                 weights than this program's (number {ARITHMETIC})"
            )
        })
    }
}

impl Default for Program {
    /// That of a run which does not say: the first arithmetic.
    fn default() -> Self {
        Self { version: "0.1.0".into(), git_commit: "unknown".into(), arithmetic: 1 }
    }
}

impl Metrics {
    /// Of the run in this directory.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join(METRICS);
        let bad = |e: serde_json::Error| Error::BadJson { file: path.display().to_string(), reason: e.to_string() };
        Ok(serde_json::from_slice(&files::read(&path)?).map_err(bad)?)
    }
}

/// Whether a run has left predictions with what is known of them and the settings that it had.
pub fn finished(run: &Path) -> bool {
    [PREDICTIONS, METRICS, CONFIG].iter().all(|name| run.join(name).is_file())
}

/// The predictions of a run with these settings, checked against their digest.
pub fn of_run(run: &Path, metrics: &Metrics, config: Option<&TrainConfig>) -> Result<Predictions> {
    read(run, metrics, &unchanged(run, metrics)?, config)
}

/// As [`of_run`], from the bytes that were read already.
pub fn read(run: &Path, metrics: &Metrics, bytes: &[u8], config: Option<&TrainConfig>) -> Result<Predictions> {
    let file = run.join(PREDICTIONS).display().to_string();
    let decision = decision(run, metrics, config)?;
    Ok(Predictions { decision, ..Predictions::read(&file, bytes, metrics.task)? })
}

/// The bytes of a run's predictions, which must have the digest that was kept.
pub fn unchanged(run: &Path, metrics: &Metrics) -> Result<Vec<u8>> {
    let path = run.join(PREDICTIONS);
    match &metrics.predictions_sha256 {
        Some(digest) => files::read_unchanged(&path, digest),
        None => files::read(&path),
    }
}

/// How a run decides on a class. Every accuracy follows from it, so metrics and settings must say the same.
fn decision(run: &Path, metrics: &Metrics, config: Option<&TrainConfig>) -> Result<Decision> {
    let own = config.map(|config| (config.method.method().name(), own_decision(config)));
    match (metrics.decision, own) {
        (Some(said), Some((method, own))) if said != own => {
            let words = |d: Decision| serde_json::json!(d);
            let (said, own) = (words(said), words(own));
            let reason = format!("`decision` is {said}, but {method} with the settings of this run decides by {own}");
            Err(Error::BadJson { file: run.join(METRICS).display().to_string(), reason }.into())
        }
        (said, own) => Ok(said.or(own.map(|o| o.1)).unwrap_or_default()),
    }
}

/// The predictions of a file; its task is the one given, or the one that its classes and probabilities fit.
pub fn of_file(path: &Path, task: Option<Task>) -> Result<Predictions> {
    let (file, bytes) = (path.display().to_string(), files::read(path)?);
    if let Some(task) = task {
        return Ok(Predictions::read(&file, &bytes, task)?);
    }
    let all = Predictions::read(&file, &bytes, Task::LidcA)?;
    let task = if all.nodules.iter().any(|n| n.class == Class::Unsure) {
        Task::LidcA
    } else if all.nodules.iter().any(|n| n.probabilities[Class::Unsure as usize] > 0.0) {
        Task::LidcB
    } else {
        Task::LidcC
    };
    Ok(Predictions { task, ..all })
}

/// How the method decides on a class where the run does not say.
fn own_decision(config: &TrainConfig) -> Decision {
    match &config.method {
        MethodConfig::Udm(own) => own.decision.into(),
        _ => Decision::Argmax,
    }
}
