//! CE: a linear classifier on the pooled features, and cross-entropy. L = -log softmax(u)_y.

use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::head::{MethodHead, Truth};
use super::heads::trunk::{Pass, Shape, Trunk};
use super::loss::{Loss, cross_entropy};
use super::setup::Setup;
use crate::error::Result;
use crate::nn::layers::Initial;

/// Nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The classifier, one output a class.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
}

impl MethodHead for Head {
    type Config = Config;

    fn new(_: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        Ok(Self { trunk: Trunk::new(softmax_shape(setup), initial, device) })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        Loss::single("ce", cross_entropy(log_probs.clone(), truth.target.clone()), log_probs)
    }
}

/// The classifier of the methods that read by softmax: one output a class.
pub fn softmax_shape(setup: &Setup) -> Shape {
    Shape { pool: setup.pool, units: setup.classes(), bias: true, diameter: setup.diameter }
}
