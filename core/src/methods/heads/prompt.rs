//! What is trained of conditional prompts: context, context net, temperature and, where needed, the map of text features to 512.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, activation};

use super::temperature;
use super::text_map::TextMap;
use crate::base::random::Stream;
use crate::error::{Error, Result};
use crate::methods::setup::Setup;
use crate::nn::backbone::FEATURES;
use crate::nn::layers::{Initial, Linear, normalise};
use crate::nn::text::side::TextSide;

/// The width between the two layers of h.
const HIDDEN: usize = FEATURES / 16;
/// The random stream of h.
const STREAM: u64 = 2;

/// Context l, context net h and temperature.
#[derive(Module, Debug)]
pub struct PromptLearner {
    /// l, `[4, width]`, shared by all samples and classes.
    pub context: Param<Tensor<2>>,
    /// h: 512 -> 32 -> width of a token.
    pub hidden: Linear,
    pub out: Linear,
    /// ln(1/tau), `[1]`.
    pub logit_scale: Param<Tensor<1>>,
    /// Where text features are not 512 wide.
    map: Option<TextMap>,
}

impl PromptLearner {
    /// Context from the opening words, a fresh context net, tau at its start.
    pub fn new(text: &TextSide, seed: u64, start_tau: f64, device: &Device) -> Self {
        let opening: Tensor<2> = Tensor::from_inner(text.opening().inner());
        Self {
            map: TextMap::new(text.feature_width(), seed, device),
            ..Self::from_context(opening, seed, start_tau, device)
        }
    }

    /// The same without a text side, for text features that are 512 wide.
    pub fn from_context(context: Tensor<2>, seed: u64, start_tau: f64, device: &Device) -> Self {
        let width = context.dims()[1];
        let mut initial = Initial::Uniform(Stream::new(seed, STREAM));
        Self {
            context: Param::from_tensor(context),
            hidden: Linear::new(FEATURES, HIDDEN, true, &mut initial, device),
            out: Linear::new(HIDDEN, width, true, &mut initial, device),
            logit_scale: temperature::logit_scale(start_tau, device),
            map: None,
        }
    }

    /// ctx_t = l_t + h(F_t); one feature conditions all four tokens.
    ///
    /// # Shapes
    /// `[n, 4 or 1, 512]` normalised -> `[n, 4, width]`
    pub fn context(&self, features: Tensor<3>) -> Tensor<3> {
        let [n, t, d] = features.dims();
        let h = self.out.forward(activation::relu(self.hidden.forward(features.reshape([n * t, d]))));
        let width = h.dims()[1];
        h.reshape([n, t, width]) + self.context.val().unsqueeze()
    }

    /// Features of the text side, 512 wide and normalised.
    ///
    /// # Shapes
    /// `[n, m, d]` -> `[n, m, 512]`
    pub fn mapped(&self, features: Tensor<3>) -> Tensor<3> {
        match &self.map {
            Some(map) => normalise(map.forward(features)),
            None => normalise(features),
        }
    }

    /// a_k, normalised, `[1, 8, 512]`.
    pub fn attributes(&self, text: &TextSide) -> Tensor<3> {
        match &self.map {
            Some(map) => normalise(map.forward(text.attributes().unsqueeze())),
            None => text.attributes().unsqueeze(),
        }
    }

    /// 1/tau, `[1]`.
    pub fn scale(&self) -> Tensor<1> {
        self.logit_scale.val().exp()
    }

    /// The parameter that no weight decay applies to.
    pub fn no_decay(&self) -> Vec<ParamId> {
        vec![self.logit_scale.id]
    }

    /// After each step: the temperature within its bounds.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self { logit_scale: temperature::clamped(self.logit_scale), ..self }
    }
}

/// The text side that a method needs.
///
/// # Errors
/// When there is none.
pub fn text_of(setup: &Setup) -> Result<std::sync::Arc<TextSide>> {
    setup.text.clone().ok_or_else(|| Error::OutOfRange {
        what: "text encoder".into(),
        value: "none".into(),
        expected: "given for a method with prompts".into(),
    })
}

/// How CLIP and CoCoOp answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Infer {
    /// By the classifier.
    #[default]
    Classifier,
    /// By the closest class prompt; needs the text encoder, so an exported model still answers by its classifier.
    Text,
}
