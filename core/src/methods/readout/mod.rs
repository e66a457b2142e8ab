//! From a classifier's outputs u to log-probabilities, on the host in f64, and their derivatives: what is left of a method when a model
//! is trained.

mod forest;
mod numerics;
mod probabilities;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use crate::base::decision::Decision;
pub use forest::{Forest, LEAST_SHARE, route};
pub use numerics::{log_factorial, log_one_minus_exp};
use numerics::{log_sigmoid, log_softmax, log_softplus, sigmoid, softplus};
pub use probabilities::Probabilities;

/// The kinds of readout, as a model's configuration names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadoutKind {
    /// One logit a class.
    #[default]
    Softmax,
    /// One output, the rate softplus(u) of a Poisson law over the ordered classes.
    Poisson,
    /// One output, the log-odds of a binomial law over the ordered classes.
    Binomial,
    /// C - 1 outputs, each the share of a stick that is broken off.
    Sticks,
    /// One score between C - 1 increasing thresholds.
    Cumulative,
    /// The splits of a forest of soft decision trees.
    Forest,
}

impl ReadoutKind {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Poisson => "poisson",
            Self::Binomial => "binomial",
            Self::Sticks => "sticks",
            Self::Cumulative => "cumulative",
            Self::Forest => "forest",
        }
    }

    /// The classifier's outputs for these classes; a forest's number is free.
    pub fn units(self, classes: usize) -> Option<usize> {
        match self {
            Self::Softmax => Some(classes),
            Self::Poisson | Self::Binomial | Self::Cumulative => Some(1),
            Self::Sticks => Some(classes - 1),
            Self::Forest => None,
        }
    }

    /// Whether the classifier has a bias.
    pub fn has_bias(self) -> bool {
        self != Self::Cumulative
    }
}

/// A readout with its final parameters; `classes` is C.
#[derive(Clone, Debug, PartialEq)]
pub enum Readout {
    Softmax {
        classes: usize,
    },
    /// Beckham and Pal, ICML 2017.
    Poisson {
        classes: usize,
        tau: f64,
    },
    /// Its sibling of the same paper.
    Binomial {
        classes: usize,
        tau: f64,
    },
    /// Liu et al., ECCV workshops 2018.
    Sticks {
        classes: usize,
    },
    /// Wu et al., ICCV 2019: C - 1 increasing thresholds.
    Cumulative {
        thresholds: Vec<f64>,
    },
    /// Zhu et al., TNNLS 2022.
    Forest(Forest),
}

impl Readout {
    /// Its kind.
    pub fn kind(&self) -> ReadoutKind {
        match self {
            Self::Softmax { .. } => ReadoutKind::Softmax,
            Self::Poisson { .. } => ReadoutKind::Poisson,
            Self::Binomial { .. } => ReadoutKind::Binomial,
            Self::Sticks { .. } => ReadoutKind::Sticks,
            Self::Cumulative { .. } => ReadoutKind::Cumulative,
            Self::Forest(_) => ReadoutKind::Forest,
        }
    }

    /// Classes C.
    pub fn classes(&self) -> usize {
        match self {
            Self::Softmax { classes }
            | Self::Poisson { classes, .. }
            | Self::Binomial { classes, .. }
            | Self::Sticks { classes } => *classes,
            Self::Cumulative { thresholds } => thresholds.len() + 1,
            Self::Forest(forest) => forest.classes(),
        }
    }

    /// log p_c of every class, normalised, from one row of outputs.
    pub fn log_probabilities(&self, u: &[f32]) -> Vec<f64> {
        let u: Vec<f64> = u.iter().map(|v| f64::from(*v)).collect();
        match self {
            Self::Softmax { .. } => log_softmax(u),
            Self::Poisson { classes, tau } => {
                let log_rate = log_softplus(u[0]);
                log_softmax((0..*classes).map(|j| (j as f64 * log_rate - log_factorial(j)) / tau).collect())
            }
            Self::Binomial { classes, tau } => {
                let n = classes - 1;
                let log_choices = |j| log_factorial(n) - log_factorial(j) - log_factorial(n - j);
                log_softmax((0..*classes).map(|j| (log_choices(j) + j as f64 * u[0]) / tau).collect())
            }
            Self::Sticks { classes } => {
                let mut rest = 0.0;
                let mut out: Vec<f64> = Vec::with_capacity(*classes);
                for f in &u {
                    out.push(log_sigmoid(*f) + rest);
                    rest += log_sigmoid(-f);
                }
                out.push(rest);
                out
            }
            Self::Cumulative { thresholds: t } => {
                let (f, last) = (u[0], t.len());
                let inner =
                    |k: usize| log_sigmoid(t[k] - f) + log_sigmoid(f - t[k - 1]) + log_one_minus_exp(t[k] - t[k - 1]);
                (0..=last)
                    .map(|k| match k {
                        0 => log_sigmoid(t[0] - f),
                        k if k == last => log_sigmoid(f - t[last - 1]),
                        k => inner(k),
                    })
                    .collect()
            }
            Self::Forest(forest) => forest.log_probabilities(&u),
        }
    }

    /// d s / d u of what Grad-CAM explains a class by: its logit for softmax, its log-probability for every other readout.
    pub fn derivative(&self, u: &[f32], class: usize) -> Vec<f64> {
        let expected =
            || -> f64 { self.log_probabilities(u).iter().enumerate().map(|(j, l)| j as f64 * l.exp()).sum() };
        let u: Vec<f64> = u.iter().map(|v| f64::from(*v)).collect();
        match self {
            Self::Softmax { classes } => (0..*classes).map(|c| f64::from(u8::from(c == class))).collect(),
            Self::Poisson { tau, .. } => {
                // d ln softplus(u) / d u
                let slope = if u[0] < -15.0 { 1.0 } else { sigmoid(u[0]) / softplus(u[0]) };
                vec![slope * (class as f64 - expected()) / tau]
            }
            Self::Binomial { tau, .. } => vec![(class as f64 - expected()) / tau],
            Self::Sticks { .. } => (0..u.len())
                .map(|k| match k.cmp(&class) {
                    std::cmp::Ordering::Less => -sigmoid(u[k]),
                    std::cmp::Ordering::Equal => sigmoid(-u[k]),
                    std::cmp::Ordering::Greater => 0.0,
                })
                .collect(),
            Self::Cumulative { thresholds: t } => {
                let f = u[0];
                let above = if class < t.len() { -sigmoid(f - t[class]) } else { 0.0 };
                let below = if class > 0 { sigmoid(t[class - 1] - f) } else { 0.0 };
                vec![above + below]
            }
            Self::Forest(forest) => forest.derivative(&u, class),
        }
    }
}
