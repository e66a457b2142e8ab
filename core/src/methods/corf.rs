//! CORF, convolutional ordinal regression forest (Zhu et al., TNNLS 2022, arXiv 2008.03077): soft decision trees on a linear layer's
//! outputs, whose leaves hold distributions over the ordered classes. All cumulative problems P(y > k) are trained together.
//!
//! Leaves are points of the class simplex: updated each on its own, as published, the cumulative probabilities lose their order.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use super::head::{MethodHead, Outputs, Truth};
use super::heads::leaves::{self, Leaves};
use super::heads::trunk::{Pass, Shape, Trunk};
use super::loss::{Loss, cross_entropy};
use super::pool::Pool;
use super::readout::{Forest, LEAST_SHARE, Readout};
use super::setup::Setup;
use crate::base::random::Stream;
use crate::error::{Error, Result};
use crate::nn::layers::{Initial, buffer};

/// Probabilities stay this far from 0 and 1 in the loss.
const CLAMP: f64 = 1e-7;
/// The random stream of the splits' choice of outputs, and of the leaves.
const STREAM: u64 = 4;

/// How the leaves are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Update {
    /// By expectation maximisation on the whole training fold after each epoch, in alternation with the network.
    #[default]
    Em,
    /// By gradients, together with the network.
    Sgd,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The cumulative cross-entropies of P(y > k).
    #[default]
    Ordinal,
    /// -log g_y.
    Nll,
}

/// Of which probabilities the loss is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// Each tree's own, averaged.
    #[default]
    Trees,
    /// The forest's.
    Forest,
}

/// The settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the leaves are learned: em (after each epoch, on the whole training fold) or sgd (with the network)
    #[cfg_attr(feature = "cli", arg(long = "corf-leaves", value_enum, default_value = "em"))]
    pub update: Update,
    /// The loss: ordinal (cumulative) or nll
    #[cfg_attr(feature = "cli", arg(long = "corf-loss", value_enum, default_value = "ordinal"))]
    pub objective: Objective,
    /// The loss of each tree, or of the forest's mean
    #[cfg_attr(feature = "cli", arg(long = "corf-loss-on", value_enum, default_value = "trees"))]
    pub on: Of,
    /// Trees
    #[cfg_attr(feature = "cli", arg(long = "corf-trees", default_value_t = 5))]
    pub trees: usize,
    /// Levels of splits: a tree has 2^depth leaves
    #[cfg_attr(feature = "cli", arg(long = "corf-depth", default_value_t = 4))]
    pub depth: usize,
    /// Outputs of the linear layer that the splits choose from
    #[cfg_attr(feature = "cli", arg(long = "corf-units", default_value_t = 128))]
    pub units: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { update: Update::Em, objective: Objective::Ordinal, on: Of::Trees, trees: 5, depth: 4, units: 128 }
    }
}

/// Splits and leaves.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    /// The leaves' shares, `[trees, 2^depth, C]`: a buffer under `em`, logits under `sgd`.
    leaves: Param<Tensor<3>>,
    #[module(skip)]
    config: Config,
    /// Which output decides each split, by tree, breadth-first.
    #[module(skip)]
    splits: Vec<Vec<usize>>,
    /// The same, `[trees (2^depth - 1)]`.
    split_outputs: Tensor<1, Int>,
}

impl MethodHead for Head {
    type Config = Config;

    fn check(config: &Config, _: Pool) -> Result<()> {
        let bad = |what: &str, value: usize, expected: String| {
            Err(Error::OutOfRange { what: what.into(), value: value.to_string(), expected })
        };
        if !(1..=100).contains(&config.trees) {
            return bad("--corf-trees", config.trees, "1 to 100".into());
        }
        if !(1..=6).contains(&config.depth) {
            return bad("--corf-depth", config.depth, "1 to 6".into());
        }
        let needed = (1 << config.depth) - 1;
        if !(needed..=4096).contains(&config.units) {
            return bad("--corf-units", config.units, format!("{needed} (the splits of a tree) to 4096"));
        }
        Ok(())
    }

    fn new(config: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let shape = Shape { pool: setup.pool, units: config.units, bias: true, diameter: setup.diameter };
        let (count, classes) = (1 << config.depth, setup.classes());
        let mut random = Stream::new(setup.seed, STREAM);
        let splits: Vec<Vec<usize>> = (0..config.trees)
            .map(|_| {
                let mut order: Vec<usize> = (0..config.units).collect();
                random.shuffle(&mut order);
                order[..count - 1].to_vec()
            })
            .collect();
        let size = [config.trees, count, classes];
        let total = size.iter().product();
        let leaves = match config.update {
            Update::Em => buffer(vec![1.0 / classes as f32; total], size, device),
            Update::Sgd => {
                let values: Vec<f32> = (0..total).map(|_| (0.01 * random.normal()) as f32).collect();
                Param::from_tensor(Tensor::from_data(TensorData::new(values, size), device))
            }
        };
        let split_outputs = split_outputs(&splits, device);
        Ok(Self { trunk: Trunk::new(shape, initial, device), leaves, config: config.clone(), splits, split_outputs })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn log_probs(&self, pass: &Pass) -> Tensor<2> {
        log_shares(self.trees(self.omega(pass)))
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let activations = self.activations(pass);
        let omega = route(activations.clone(), self.config.depth);
        let trees = self.trees(omega); // [n, trees, C]
        let log_probs = log_shares(trees.clone());
        let shares = match self.config.on {
            Of::Trees => trees,
            Of::Forest => trees.mean_dim(1),
        };
        let target: Tensor<3> = truth.target.clone().unsqueeze_dim(1);
        let (name, loss) = match self.config.objective {
            Objective::Ordinal => ("ordinal", ordinal(shares, target)),
            Objective::Nll => ("nll", cross_entropy(shares.clamp(CLAMP, 1.0).log(), target)),
        };
        // how undecided the splits are: ln 2 at the start, 0 where all are saturated
        let d = activation::sigmoid(activations.detach()).clamp(CLAMP, 1.0 - CLAMP);
        let other = d.clone().neg() + 1.0;
        let entropy = (d.clone() * d.log() + other.clone() * other.log()).mean().neg();
        Loss { watched: vec![("split_entropy", entropy)], ..Loss::single(name, loss, log_probs) }
    }

    fn readout(&self) -> Result<Readout> {
        let [_, count, classes] = self.leaves.val().dims();
        let values: Vec<f64> = self.shares().into_data().iter::<f32>().map(f64::from).collect();
        let leaf = |l: &[f64]| {
            let sum: f64 = l.iter().sum();
            l.iter().map(|q| q / sum).collect::<Vec<f64>>()
        };
        let leaves = values.chunks(count * classes).map(|tree| tree.chunks(classes).map(leaf).collect()).collect();
        Forest::new(self.splits.clone(), leaves, self.config.units, "the trained forest").map(Readout::Forest)
    }

    fn end_epoch(self, outputs: impl FnOnce() -> Result<Outputs>) -> Result<Self> {
        if self.config.update != Update::Em {
            return Ok(self);
        }
        let Outputs { outputs, labels } = outputs()?;
        let [_, count, classes] = self.leaves.val().dims();
        let old: Vec<f64> = self.leaves.val().into_data().iter::<f32>().map(f64::from).collect();
        let trees = self.splits.iter().zip(old.chunks(count * classes)).map(|(splits, leaves)| {
            let rows = outputs.iter().map(|u| splits.iter().map(|&s| f64::from(u[s])).collect::<Vec<f64>>());
            let leaves = leaves.chunks(classes).map(<[f64]>::to_vec).collect();
            Leaves::new(rows, leaves).updated(&labels, leaves::ROUNDS, leaves::EPSILON)
        });
        let values: Vec<f32> = trees.flatten().flatten().map(|q| q as f32).collect();
        let leaves = self
            .leaves
            .map(|t| Tensor::from_data(TensorData::new(values, t.dims()), &t.device()).set_require_grad(false));
        Ok(Self { leaves, ..self })
    }
}

/// The splits' outputs one after another.
fn split_outputs(splits: &[Vec<usize>], device: &Device) -> Tensor<1, Int> {
    let outputs: Vec<i32> = splits.iter().flatten().map(|&output| output as i32).collect();
    Tensor::from_ints(outputs.as_slice(), device)
}

impl Head {
    /// The leaves' distributions, `[trees, 2^depth, C]`.
    fn shares(&self) -> Tensor<3> {
        match self.config.update {
            Update::Em => self.leaves.val(),
            Update::Sgd => activation::softmax(self.leaves.val(), 2),
        }
    }

    /// The splits' activations, `[n, trees, 2^depth - 1]`.
    fn activations(&self, pass: &Pass) -> Tensor<3> {
        let n = pass.outputs.dims()[0];
        let (trees, splits) = (self.splits.len(), self.splits[0].len());
        pass.outputs.clone().select(1, self.split_outputs.clone()).reshape([n, trees, splits])
    }

    /// The share of each leaf, `[n, trees, 2^depth]`.
    fn omega(&self, pass: &Pass) -> Tensor<3> {
        route(self.activations(pass), self.config.depth)
    }

    /// Each tree's distribution g = sum_l omega_l q_l.
    ///
    /// # Shapes
    /// `[n, trees, 2^depth]` -> `[n, trees, C]`
    fn trees(&self, omega: Tensor<3>) -> Tensor<3> {
        omega.swap_dims(0, 1).matmul(self.shares()).swap_dims(0, 1)
    }
}

/// log p of the forest, the mean of its trees, as the readout has it.
///
/// # Shapes
/// `[n, trees, C]` -> `[n, C]`
fn log_shares(trees: Tensor<3>) -> Tensor<2> {
    trees.mean_dim(1).squeeze_dim::<2>(1).clamp_min(LEAST_SHARE).log()
}

/// The share of each leaf: level by level, d = sigmoid(u) to the left.
///
/// # Shapes
/// `[n, trees, 2^depth - 1]` -> `[n, trees, 2^depth]`
fn route(activations: Tensor<3>, depth: usize) -> Tensor<3> {
    let [n, trees, _] = activations.dims();
    let left = activation::sigmoid(activations);
    let mut level = Tensor::ones([n, trees, 1], &left.device());
    for k in 0..depth {
        let (first, count) = ((1 << k) - 1, 1 << k);
        let d = left.clone().slice([0..n, 0..trees, first..first + count]);
        let (to_left, to_right) = (level.clone() * d.clone(), level * (d.neg() + 1.0));
        level = Tensor::stack::<4>(vec![to_left, to_right], 3).reshape([n, trees, 2 * count]);
    }
    level
}

/// -sum_k [1(y > k) log G_k + 1(y <= k) log(1 - G_k)], G_k = sum_{j > k} g_j; 1 - G_k is the sum of the lower classes.
///
/// # Shapes
/// `shares` `[n, trees, C]`, `target` one-hot `[n, 1, C]` -> `[1]`
fn ordinal(shares: Tensor<3>, target: Tensor<3>) -> Tensor<1> {
    let [n, trees, classes] = shares.dims();
    let sum = |t: &Tensor<3>, range: std::ops::Range<usize>| {
        let [n, m, _] = t.dims();
        t.clone().slice([0..n, 0..m, range]).sum_dim(2)
    };
    let mut loss = Tensor::zeros([n, trees, 1], &shares.device());
    for k in 0..classes - 1 {
        let log = |p: Tensor<3>| p.clamp(CLAMP, 1.0 - CLAMP).log();
        let above = sum(&target, k + 1..classes) * log(sum(&shares, k + 1..classes));
        let below = sum(&target, 0..k + 1) * log(sum(&shares, 0..k + 1));
        loss = loss - above - below;
    }
    loss.mean()
}

#[cfg(test)]
#[path = "corf_tests.rs"]
mod tests;
