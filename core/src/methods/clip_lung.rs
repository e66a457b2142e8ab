//! CLIP-Lung (Lei et al., MICCAI 2023, arXiv 2304.08013): channel-wise conditional prompts and the losses of eqs. (2)-(5).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

use super::attributes::AttributeWeights;
use super::losses::{self, CaForm, IaForm, normalise};
use crate::data::class::Class;
use crate::data::random::Stream;
use crate::error::Result;
use crate::model::layers::Linear;
use crate::model::prompts::{ClassPrompts, attribute_ids, class_ids};
use crate::model::text_tower::TextTower;
use crate::model::tokenizer::Tokenizer;

/// logit_scale never exceeds ln 100.
pub const MAX_LOGIT_SCALE: f32 = 4.605_170_2;

/// Weights and forms of the losses; a weight of 0 leaves a loss out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Image-class alignment, eq. (2).
    pub ic: f64,
    /// Image-attribute alignment, eq. (3); the alpha of eq. (5).
    pub ia: f64,
    /// Class-attribute alignment, eq. (4); the beta of eq. (5).
    pub ca: f64,
    pub ia_form: IaForm,
    pub ca_form: CaForm,
    pub attribute_weights: AttributeWeights,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            ic: 1.0,
            ia: 1.0,
            ca: 0.5,
            ia_form: IaForm::Soft,
            ca_form: CaForm::Class,
            attribute_weights: AttributeWeights::Softmax,
        }
    }
}

/// What is trained beside the image network: context, context net and temperature.
#[derive(Module, Debug)]
pub struct PromptLearner {
    /// l, `[4, width]`, shared by all samples and classes.
    context: Param<Tensor<2>>,
    /// h: 512 -> 32 -> 512.
    hidden: Linear,
    out: Linear,
    /// ln(1/tau), `[1]`.
    logit_scale: Param<Tensor<1>>,
}

impl PromptLearner {
    /// Context from the opening words, a fresh context net, tau = 0.07.
    pub fn new(opening: Tensor<2>, seed: u64, device: &Device) -> Self {
        let width = opening.dims()[1];
        let mut random = Stream::new(seed, 2);
        Self {
            context: Param::from_tensor(opening),
            hidden: Linear::new(512, 32, &mut random, device),
            out: Linear::new(32, width, &mut random, device),
            logit_scale: Param::from_tensor(Tensor::from_floats([(1.0f32 / 0.07).ln()], device)),
        }
    }

    /// ctx_t = l_t + h(F_t).
    ///
    /// # Shapes
    /// `[n, 4, 512]` normalised -> `[n, 4, width]`
    pub fn context(&self, features: Tensor<3>) -> Tensor<3> {
        let [n, t, d] = features.dims();
        let h = self.out.forward(activation::relu(self.hidden.forward(features.reshape([n * t, d]))));
        let width = h.dims()[1];
        h.reshape([n, t, width]) + self.context.val().unsqueeze()
    }

    /// 1/tau, `[1]`.
    pub fn scale(&self) -> Tensor<1> {
        self.logit_scale.val().exp()
    }

    /// The parameter that no weight decay applies to.
    pub fn temperature(&self) -> &Param<Tensor<1>> {
        &self.logit_scale
    }

    /// After each step: logit_scale within 0..ln 100.
    pub fn clamp(mut self) -> Self {
        self.logit_scale = self.logit_scale.map(|s| {
            let tracked = s.is_require_grad();
            let s = Tensor::from_inner(s.inner().clamp(0.0, MAX_LOGIT_SCALE));
            if tracked { s.require_grad() } else { s }
        });
        self
    }
}

/// The token ids of the class prompts, and of the attribute prompts.
pub type PromptIds = (Vec<Vec<u32>>, Vec<Vec<u32>>);

/// The constant text side of a run: tower, class prompts and attribute features.
pub struct TextSide {
    tower: TextTower,
    prompts: ClassPrompts,
    /// a_k, normalised, `[8, d]`.
    attributes: Tensor<2>,
}

impl TextSide {
    /// The token ids that a run's prompts use.
    ///
    /// # Errors
    /// Only when the build embedded a damaged vocabulary.
    pub fn ids(classes: &[Class]) -> Result<PromptIds> {
        let tokenizer = Tokenizer::new()?;
        Ok((class_ids(&tokenizer, classes)?, attribute_ids(&tokenizer)?))
    }

    /// From a tower that holds those ids.
    pub fn new(tower: TextTower, class_ids: &[Vec<u32>], attribute_ids: &[Vec<u32>]) -> Self {
        let attributes = normalise(tower.encode_ids(attribute_ids)).detach();
        let prompts = ClassPrompts::new(&tower, class_ids);
        Self { tower, prompts, attributes }
    }

    /// What the learnable context starts from.
    pub fn opening(&self) -> Tensor<2> {
        self.prompts.opening()
    }

    /// a_k, normalised, `[8, d]`.
    pub fn attributes(&self) -> Tensor<2> {
        self.attributes.clone()
    }
}

/// The alignment losses of a batch, unweighted, each `[1]`; a loss of weight 0 is not computed.
pub struct Alignment {
    pub ic: Option<Tensor<1>>,
    pub ia: Option<Tensor<1>>,
    pub ca: Option<Tensor<1>>,
}

/// Eqs. (2)-(4) for the channel groups of a batch.
///
/// # Shapes
/// `groups` `[n, 4, 512]` not normalised, `target` one-hot `[n, C]`, `weights` `[n, 8]`
pub fn align(
    learner: &PromptLearner,
    text: &TextSide,
    groups: Tensor<3>,
    target: Tensor<2>,
    weights: Tensor<2>,
    config: &LossConfig,
) -> Alignment {
    let features = normalise(groups);
    let scale = learner.scale();
    let needs_classes = config.ic != 0.0 || config.ca != 0.0;
    let classes = needs_classes.then(|| normalise(text.prompts.encode(&text.tower, learner.context(features.clone()))));
    let ic = classes.clone().filter(|_| config.ic != 0.0);
    let ca = classes.filter(|_| config.ca != 0.0);
    Alignment {
        ic: ic.map(|c| losses::image_class(features.clone(), c, scale.clone(), target.clone())),
        ca: ca.map(|c| {
            losses::class_attribute(c, text.attributes(), scale.clone(), weights.clone(), target, config.ca_form)
        }),
        ia: (config.ia != 0.0)
            .then(|| losses::image_attribute(features, text.attributes(), scale, weights, config.ia_form)),
    }
}
