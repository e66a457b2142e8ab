//! CLIP (Radford et al., ICML 2021, as CLIP-Lung's comparison uses it): the image feature is aligned with the fixed prompts "a nodule image
//! of {class}." of a frozen text tower. L = L_CE(classifier) + CE(cos(F, C_c) / tau, y).
//!
//! A cosine classifier with fixed, highly correlated prototypes: the cosines of the class prompts are watched, since near 1 the
//! temperature must do all the work.

use std::sync::Arc;

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

use super::ce::softmax_shape;
use super::head::{MethodHead, Truth};
use super::heads::alignment::{IcForm, image_class};
use super::heads::prompt::{Infer, text_of};
use super::heads::temperature::{self, START_TAU};
use super::heads::text_map::TextMap;
use super::heads::trunk::{Pass, Trunk};
use super::loss::{Loss, cross_entropy};
use super::setup::Setup;
use crate::error::Result;
use crate::nn::layers::{Initial, normalise};
use crate::nn::text::side::TextSide;

/// The settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What a run's predictions rest on: classifier, or text (the closest class prompt); both are reported
    #[cfg_attr(feature = "cli", arg(long, value_enum, default_value = "classifier"))]
    pub infer: Infer,
}

/// Classifier and temperature.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    /// ln(1/tau), `[1]`.
    logit_scale: Param<Tensor<1>>,
    /// Where text features are not 512 wide.
    map: Option<TextMap>,
    #[module(skip)]
    text: Arc<TextSide>,
}

impl MethodHead for Head {
    type Config = Config;

    const NEEDS_TEXT: bool = true;

    fn new(_: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let text = text_of(setup)?;
        Ok(Self {
            trunk: Trunk::new(softmax_shape(setup), initial, device),
            logit_scale: temperature::logit_scale(START_TAU, device),
            map: TextMap::new(text.feature_width(), setup.seed, device),
            text,
        })
    }

    fn infers_by_text(config: &Config) -> bool {
        config.infer == Infer::Text
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        let ce = cross_entropy(log_probs.clone(), truth.target.clone());
        let n = pass.features.dims()[0];
        let prompts = self.prompts();
        let [_, classes, width] = prompts.dims();
        let (feature, scale) = (normalise(pass.features.clone()).unsqueeze_dim(1), self.logit_scale.val().exp());
        let expanded = prompts.clone().expand([n, classes, width]);
        let ic = image_class(feature, expanded, scale.clone(), truth.target.clone(), IcForm::Mean);
        Loss {
            total: ce.clone() + ic.clone(),
            terms: vec![("ce", ce), ("ic", ic)],
            watched: vec![("scale", scale), ("prompt_cosine", mean_cosine(prompts))],
            log_probs,
        }
    }

    fn text_log_probs(&self, pass: impl FnOnce() -> Pass) -> Option<Tensor<2>> {
        let prompts: Tensor<2> = self.prompts().squeeze_dim(0);
        let cosines = normalise(pass().features).matmul(prompts.transpose());
        Some(log_softmax(cosines * self.logit_scale.val().exp().unsqueeze(), 1))
    }

    fn no_decay(&self) -> Vec<ParamId> {
        vec![self.logit_scale.id]
    }

    fn after_step(self) -> Self {
        Self { logit_scale: temperature::clamped(self.logit_scale), ..self }
    }
}

impl Head {
    /// C_c, normalised, `[1, C, 512]`.
    fn prompts(&self) -> Tensor<3> {
        // on the parameters' side of autodiff, whichever that is
        let fixed = like(self.text.classes(), &self.logit_scale.val()).unsqueeze();
        match &self.map {
            Some(map) => normalise(map.forward(fixed)),
            None => fixed,
        }
    }
}

/// A constant on the device of `other`, tracked by autodiff only where that is.
pub fn like<const D: usize>(constant: Tensor<D>, other: &Tensor<1>) -> Tensor<D> {
    let inner = constant.inner();
    if other.device() == inner.device() { inner } else { Tensor::from_inner(inner) }
}

/// The mean cosine of different classes' prompts, `[1]`.
fn mean_cosine(prompts: Tensor<3>) -> Tensor<1> {
    let prompts: Tensor<2> = prompts.squeeze_dim(0);
    let classes = prompts.dims()[0] as f64;
    let all = prompts.clone().matmul(prompts.transpose()).sum();
    (all - classes) / (classes * (classes - 1.0))
}
