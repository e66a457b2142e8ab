//! Everything needed to repeat a run.

use serde::{Deserialize, Serialize};

use crate::dataset::augment::Augment;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::methods::clip_lung::LossConfig;

/// How nodules are dealt to folds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// All nodules of a patient share a fold.
    #[default]
    Patient,
    /// Nodules are dealt one by one, as in the paper; most test nodules then have a patient-mate in training.
    Nodule,
}

/// Which nodules a run is scored on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldOut {
    /// The fold; everything else trains.
    #[default]
    Test,
    /// An eighth of the training patients, for choosing a recipe; the fold stays untouched.
    Val,
}

/// The running statistics of the averaged weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmaBn {
    /// Those of the trained weights, copied at the end of each epoch.
    #[default]
    Copy,
    /// Measured with the averaged weights in one more pass over the training data.
    Recompute,
}

/// The settings of a run, echoed into its `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    pub method: Method,
    pub task: Task,
    pub folds: usize,
    pub fold: usize,
    pub grouping: Grouping,
    pub held_out: HeldOut,
    pub epochs: usize,
    pub batch_size: usize,
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    /// Decay of the exponential moving average a step.
    pub ema: f64,
    pub ema_bn: EmaBn,
    /// The largest norm of a step's gradient, which a longer one is scaled to; `None` leaves every gradient as it is.
    pub clip_norm: Option<f64>,
    /// Of weights, order and augmentation; the folds don't depend on it.
    pub seed: u64,
    /// Of the folds: runs that are compared share it.
    pub fold_seed: u64,
    pub augment: Augment,
    pub losses: LossConfig,
    /// The text encoder in words, with its digest or seed; "none" for methods without one.
    pub text_encoder: String,
    /// The data set's name and SHA-256.
    pub data: DataId,
}

/// Which data a run saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataId {
    pub name: String,
    pub sha256: String,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            method: Method::default(),
            task: Task::default(),
            folds: 5,
            fold: 0,
            grouping: Grouping::default(),
            held_out: HeldOut::default(),
            epochs: 100,
            batch_size: 32,
            lr: 1e-3,
            momentum: 0.9,
            weight_decay: 1e-4,
            ema: 0.999,
            ema_bn: EmaBn::default(),
            clip_norm: None,
            seed: 2,
            fold_seed: 2,
            augment: Augment::default(),
            losses: LossConfig::default(),
            text_encoder: "none".into(),
            data: DataId::default(),
        }
    }
}

impl TrainConfig {
    /// That every value is usable.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, value: String, expected: &str| {
            Err(Error::OutOfRange { what: what.into(), value, expected: expected.into() })
        };
        let unit = |v: f64| (0.0..1.0).contains(&v);
        if self.folds < 2 {
            return bad("folds", self.folds.to_string(), "at least 2");
        }
        if self.fold >= self.folds {
            return bad("fold", self.fold.to_string(), &format!("below {}", self.folds));
        }
        if self.epochs == 0 || self.batch_size == 0 {
            return bad("epochs or batch size", "0".into(), "at least 1");
        }
        if !(self.lr.is_finite() && self.lr > 0.0) {
            return bad("lr", self.lr.to_string(), "above 0");
        }
        if !unit(self.momentum) || !unit(self.ema) {
            return bad("momentum or ema", format!("{} / {}", self.momentum, self.ema), "from 0 to below 1");
        }
        if let Some(norm) = self.clip_norm.filter(|n| !(n.is_finite() && *n > 0.0)) {
            return bad("clip norm", norm.to_string(), "above 0");
        }
        let weights = [self.weight_decay, self.losses.ic, self.losses.ia, self.losses.ca];
        if weights.iter().any(|w| !(w.is_finite() && *w >= 0.0)) {
            return bad("a loss weight or the weight decay", format!("{weights:?}"), "0 or more");
        }
        Ok(())
    }
}
