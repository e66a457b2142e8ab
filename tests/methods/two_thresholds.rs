//! Two thresholds at fixed places: one score f, P(y > k) = sigmoid(f - t_k) with t = (-1, 1).

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

/// A classifier of one score.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
}

impl MethodHead for Head {
    type Config = Config;

    fn new(_: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let shape = Shape { pool: setup.pool, units: 1, bias: false, diameter: setup.diameter };
        Ok(Self { trunk: Trunk::new(shape, initial, device) })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn log_probs(&self, pass: &Pass) -> Tensor<2> {
        let f = pass.outputs.clone();
        let middle = log_sigmoid(f.clone().neg() + 1.0) + log_sigmoid(f.clone() + 1.0) + (-(-2f64).exp()).ln_1p();
        Tensor::cat(vec![log_sigmoid(f.clone().neg() - 1.0), middle, log_sigmoid(f - 1.0)], 1)
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        Loss::single("nll", cross_entropy(log_probs.clone(), truth.target.clone()), log_probs)
    }

    fn readout(&self) -> Result<Readout> {
        Ok(Readout::Cumulative { thresholds: vec![-1.0, 1.0] })
    }
}
