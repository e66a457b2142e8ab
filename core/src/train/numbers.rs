//! The numbers of a step, which stay on the device until they are read: on a GPU reading waits for all work so far, so the step after
//! is queued first.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::log::StepLog;
use crate::base::decision::Decision;
use crate::error::{Error, Result};
use crate::methods::Loss;
#[cfg(feature = "cube")]
use crate::nn::kernels;

/// Which step it was, and how its probabilities become answers.
pub struct Taken {
    pub epoch: usize,
    pub step: u64,
    pub lr: f64,
    pub decision: Decision,
}

/// A step's numbers before they are read.
#[must_use = "whether the loss is finite shows when they are read"]
pub struct Numbers {
    of: Taken,
    terms: Vec<&'static str>,
    watched: Vec<&'static str>,
    labels: Vec<usize>,
    classes: usize,
    /// Loss, norm, terms, watched and log-probabilities, one after another.
    all: Tensor<1>,
}

impl Numbers {
    /// `norm`: of all gradients together, `[1]`.
    pub(super) fn new(of: Taken, loss: Loss, norm: Tensor<1>, labels: Vec<usize>) -> Self {
        let Loss { total, terms, watched, log_probs } = loss;
        let [n, classes] = log_probs.dims();
        let names = |named: &[(&'static str, Tensor<1>)]| named.iter().map(|(name, _)| *name).collect();
        let (term_names, watched_names) = (names(&terms), names(&watched));
        let named = terms.into_iter().chain(watched).map(|(_, t)| t.inner());
        let first = [total.inner(), norm].into_iter();
        let all = first.chain(named).chain([log_probs.inner().reshape([n * classes])]).collect();
        Self { of, terms: term_names, watched: watched_names, labels, classes, all: Tensor::cat(all, 0) }
    }

    /// Those of a replayed step, copied from the arrays that the next replay overwrites.
    #[cfg(feature = "cube")]
    pub(super) fn again(&self, of: Taken, labels: Vec<usize>) -> Self {
        let all = Tensor::cat(kernels::copies(vec![self.all.clone()]), 0);
        let Self { terms, watched, classes, .. } = self;
        Self { of, terms: terms.clone(), watched: watched.clone(), labels, classes: *classes, all }
    }

    /// Waits for them: the line of the log.
    ///
    /// # Errors
    /// When the loss is no longer finite, or the device fails.
    pub fn read(self) -> Result<StepLog> {
        let Self { of, terms, watched, labels, classes, all } = self;
        let data = all.try_into_data().map_err(|e| Error::Device(e.to_string()))?;
        let values: Vec<f64> = data.iter::<f32>().map(f64::from).collect();
        let (heads, logs) = values.split_at(2 + terms.len() + watched.len());
        let (of_terms, of_watched) = heads[2..].split_at(terms.len());
        let map = |names: &[&'static str], values: &[f64]| -> BTreeMap<String, f64> {
            names.iter().zip(values).map(|(name, v)| ((*name).to_owned(), *v)).collect()
        };
        let answer = |row: &[f64]| of.decision.decide(&row.iter().map(|l| l.exp()).collect::<Vec<_>>());
        let right = logs.chunks(classes).zip(&labels).filter(|(row, label)| answer(row) == **label).count();
        let log = StepLog {
            epoch: of.epoch,
            step: of.step,
            lr: of.lr,
            loss: heads[0],
            terms: map(&terms, of_terms),
            watched: map(&watched, of_watched),
            gradient_norm: heads[1],
            accuracy: right as f64 / labels.len() as f64,
            samples: labels.len(),
            validation: None,
        };
        for (name, value) in [("loss", log.loss), ("gradient's norm", log.gradient_norm)] {
            if !value.is_finite() {
                return Err(Error::OutOfRange {
                    what: format!("the {name} in step {}", log.step),
                    value: value.to_string(),
                    expected: "finite; lower --lr".into(),
                });
            }
        }
        Ok(log)
    }
}

/// Waits for one number.
///
/// # Errors
/// When the device fails.
#[cfg(feature = "cube")]
pub fn number(tensor: Tensor<1>) -> Result<f64> {
    let data = tensor.try_into_data().map_err(|e| Error::Device(e.to_string()))?;
    Ok(data.iter::<f32>().next().map_or(f64::NAN, f64::from))
}
