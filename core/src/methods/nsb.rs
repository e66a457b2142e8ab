//! NSB, neuron stick-breaking (Liu et al., ECCV workshops 2018): C - 1 outputs, of which sigmoid(f_k) breaks class k's share off the stick
//! that the classes before have left. Equivalent to a continuation-ratio model, from benign upwards.
//!
//! log p_k = ls(f_k) + sum_{j<k} ls(-f_j), log p_C = sum_j ls(-f_j): running sums, never products.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::head::{MethodHead, Truth};
use super::heads::trunk::{Pass, Shape, Trunk};
use super::loss::{Loss, cross_entropy, log_sigmoid};
use super::readout::Readout;
use super::setup::Setup;
use crate::error::Result;
use crate::nn::layers::Initial;

/// Nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// Classifier of C - 1 outputs.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    #[module(skip)]
    classes: usize,
}

impl MethodHead for Head {
    type Config = Config;

    fn new(_: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let classes = setup.classes();
        let shape = Shape { pool: setup.pool, units: classes - 1, bias: true, diameter: setup.diameter };
        // uniform probabilities at the start
        let bias: Vec<f32> = (1..classes).map(|k| -((classes - k) as f32).ln()).collect();
        Ok(Self { trunk: Trunk::new(shape, initial, device).with_bias(&bias, device), classes })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn log_probs(&self, pass: &Pass) -> Tensor<2> {
        log_probs(pass.outputs.clone())
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        Loss::single("nll", cross_entropy(log_probs.clone(), truth.target.clone()), log_probs)
    }

    fn readout(&self) -> Result<Readout> {
        Ok(Readout::Sticks { classes: self.classes })
    }
}

/// # Shapes
/// `[n, C - 1]` -> `[n, C]`
fn log_probs(f: Tensor<2>) -> Tensor<2> {
    let [n, breaks] = f.dims();
    let (taken, left) = (log_sigmoid(f.clone()), log_sigmoid(f.neg()));
    let mut rest = Tensor::zeros([n, 1], &taken.device());
    let mut columns = Vec::with_capacity(breaks + 1);
    for k in 0..breaks {
        columns.push(taken.clone().slice([0..n, k..k + 1]) + rest.clone());
        rest = rest + left.clone().slice([0..n, k..k + 1]);
    }
    columns.push(rest);
    Tensor::cat(columns, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(t: Tensor<2>) -> Vec<f32> {
        t.into_data().iter::<f32>().collect()
    }

    /// Reference values at f = (.3, -.8), and no NaN far out.
    #[test]
    fn values_and_gradients() {
        let device = Device::flex().autodiff();
        for (y, golden) in [
            ([1., 0., 0.], [-0.425557, 0.0]),
            ([0., 1., 0.], [0.574443, -0.689974]),
            ([0., 0., 1.], [0.574443, 0.310026]),
        ] {
            let f = Tensor::<2>::from_floats([[0.3, -0.8]], &device).require_grad();
            let logs = log_probs(f.clone());
            for (found, golden) in numbers(logs.clone()).iter().zip([-0.554355, -2.025456, -1.225456]) {
                assert!((found - golden).abs() < 2e-6);
            }
            let loss = cross_entropy(logs, Tensor::<2>::from_floats([y], &device));
            for (found, golden) in numbers(f.grad(&loss.backward()).unwrap()).iter().zip(golden) {
                assert!((found - golden).abs() < 2e-6, "{found} {golden}");
            }
        }
        for far in [-60.0, -30.0, 60.0] {
            let f = Tensor::<2>::from_floats([[far, far]], &device).require_grad();
            let logs = log_probs(f.clone());
            assert!(numbers(logs.clone()).iter().all(|v| v.is_finite()));
            let slope = f.grad(&logs.sum().backward()).unwrap();
            assert!(numbers(slope).iter().all(|v| v.is_finite()));
        }
    }
}
