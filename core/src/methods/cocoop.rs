//! CoCoOp (Zhou et al., CVPR 2022, as CLIP-Lung's comparison uses it): class prompts with learned context that one image feature
//! conditions, ctx_t = l_t + h(F) for all four tokens. L = L_CE(classifier) + CE(cos(F, C'_c) / tau, y), the tower frozen.

use std::sync::Arc;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor, activation::log_softmax};

use super::ce::softmax_shape;
pub use super::clip::Config;
use super::head::{MethodHead, Truth};
use super::heads::alignment::{IcForm, image_class};
use super::heads::prompt::{Infer, PromptLearner, text_of};
use super::heads::temperature::START_TAU;
use super::heads::trunk::{Pass, Trunk};
use super::loss::{Loss, cross_entropy};
use super::setup::Setup;
use crate::error::Result;
use crate::nn::layers::{Initial, normalise};
use crate::nn::text::side::TextSide;

/// Classifier and prompts.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    prompt: PromptLearner,
    #[module(skip)]
    text: Arc<TextSide>,
}

impl MethodHead for Head {
    type Config = Config;

    const NEEDS_TEXT: bool = true;

    fn encodes_text(_: &Config) -> bool {
        true
    }

    fn new(_: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let text = text_of(setup)?;
        Ok(Self {
            trunk: Trunk::new(softmax_shape(setup), initial, device),
            prompt: PromptLearner::new(&text, setup.seed, START_TAU, device),
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
        let (feature, prompts) = self.aligned(pass);
        let ic = image_class(feature, prompts, self.prompt.scale(), truth.target.clone(), IcForm::Mean);
        Loss {
            total: ce.clone() + ic.clone(),
            terms: vec![("ce", ce), ("ic", ic)],
            watched: vec![("scale", self.prompt.scale())],
            log_probs,
        }
    }

    fn text_log_probs(&self, pass: impl FnOnce() -> Pass) -> Option<Tensor<2>> {
        let (feature, prompts) = self.aligned(&pass());
        let cosines: Tensor<2> = feature.matmul(prompts.swap_dims(1, 2)).squeeze_dim(1);
        Some(log_softmax(cosines * self.prompt.scale().unsqueeze(), 1))
    }

    fn no_decay(&self) -> Vec<ParamId> {
        self.prompt.no_decay()
    }

    fn after_step(self) -> Self {
        Self { prompt: self.prompt.clamped(), ..self }
    }
}

impl Head {
    /// F `[n, 1, 512]` and C'_c `[n, C, 512]`, normalised.
    fn aligned(&self, pass: &Pass) -> (Tensor<3>, Tensor<3>) {
        let feature: Tensor<3> = normalise(pass.features.clone()).unsqueeze_dim(1);
        let prompts = self.text.encode_classes(self.prompt.context(feature.clone()));
        (feature, self.prompt.mapped(prompts))
    }
}
