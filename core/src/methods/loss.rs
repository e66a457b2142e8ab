//! The loss of a batch, and what the methods' losses are computed with.

use burn::tensor::{Tensor, activation};

/// The loss of a batch.
pub struct Loss {
    /// What is minimised, `[1]`.
    pub total: Tensor<1>,
    /// Its terms by name, unweighted, each `[1]`.
    pub terms: Vec<(&'static str, Tensor<1>)>,
    /// Other numbers worth watching, each `[1]`.
    pub watched: Vec<(&'static str, Tensor<1>)>,
    /// log p of every class, `[n, C]`.
    pub log_probs: Tensor<2>,
}

impl Loss {
    /// A loss of one term.
    pub fn single(name: &'static str, loss: Tensor<1>, log_probs: Tensor<2>) -> Self {
        Self { total: loss.clone(), terms: vec![(name, loss)], watched: Vec::new(), log_probs }
    }
}

/// -sum target log p over the last axis, mean over all others.
pub fn cross_entropy<const D: usize>(log_p: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    (log_p * target).sum_dim(D - 1).mean().neg()
}

/// ln sigmoid(x), exact on both tails.
pub fn log_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::softplus(x.neg(), 1.0).neg()
}

/// A parameter's value on the host.
pub fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}
