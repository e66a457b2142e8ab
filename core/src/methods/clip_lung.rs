//! CLIP-Lung (Lei et al., MICCAI 2023, arXiv 2304.08013): channel-wise conditional prompts and the alignment losses of eqs. (2)-(4),
//! L = L_CE + L_IC + alpha L_IA + beta L_CA (eq. 5).

use std::sync::Arc;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::ce::softmax_shape;
use super::head::{MethodHead, Truth};
use super::heads::alignment::{CaForm, IaForm, IcForm, class_attribute, image_attribute, image_class};
use super::heads::attribute_weights::AttributeWeights;
use super::heads::prompt::{PromptLearner, text_of};
use super::heads::temperature::START_TAU;
use super::heads::trunk::{Pass, Trunk};
use super::loss::{Loss, cross_entropy};
use super::pool::Pool;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::nn::layers::{Initial, normalise};
use crate::nn::text::clip::tower::ClipTower;
use crate::nn::text::side::TextSide;

/// Weights and forms of the losses; a weight of 0 leaves a loss out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Image-class alignment, eq. (2).
    pub ic: f64,
    /// Image-attribute alignment, eq. (3); the alpha of eq. (5).
    pub ia: f64,
    /// Class-attribute alignment, eq. (4); the beta of eq. (5).
    pub ca: f64,
    pub ic_form: IcForm,
    pub ia_form: IaForm,
    pub ca_form: CaForm,
    /// Eq. (1).
    pub attribute_weights: AttributeWeights,
    /// As in the published code: nine attribute prompts, malignancy among them, each with the sample's context.
    pub conditioned_attributes: bool,
    /// As in the published code: the text tower is trained with everything else.
    pub train_text: bool,
    /// tau's start; the published code's is the pretrained 0.01.
    pub start_tau: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ic: 1.0,
            ia: 1.0,
            ca: 0.5,
            ic_form: IcForm::Mean,
            ia_form: IaForm::Soft,
            ca_form: CaForm::Class,
            attribute_weights: AttributeWeights::Softmax,
            conditioned_attributes: false,
            train_text: false,
            start_tau: START_TAU,
        }
    }
}

/// Ablation and controls, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// All losses, as in the paper.
    Paper,
    /// Image-class alignment alone.
    Ic,
    /// Image-class and image-attribute alignment.
    IcIa,
    /// Image-class and class-attribute alignment.
    IcCa,
    /// Image-attribute and class-attribute alignment.
    IaCa,
    /// No alignment: cross-entropy through the view.
    None,
    /// Attribute weights from ratings scaled to 0..1.
    Range,
    /// The same weight for all attributes.
    Uniform,
    /// As the published code differs from the paper: text tower trained, tau from 0.01, nine conditioned attributes, its targets.
    Official,
}

impl From<Variant> for Config {
    fn from(variant: Variant) -> Self {
        let paper = Self::default();
        match variant {
            Variant::Paper => paper,
            Variant::Ic => Self { ia: 0.0, ca: 0.0, ..paper },
            Variant::IcIa => Self { ca: 0.0, ..paper },
            Variant::IcCa => Self { ia: 0.0, ..paper },
            Variant::IaCa => Self { ic: 0.0, ..paper },
            Variant::None => Self { ic: 0.0, ia: 0.0, ca: 0.0, ..paper },
            Variant::Range => Self { attribute_weights: AttributeWeights::Range, ..paper },
            Variant::Uniform => Self { attribute_weights: AttributeWeights::Uniform, ..paper },
            Variant::Official => Self {
                ic_form: IcForm::Official,
                ia_form: IaForm::Official,
                ca_form: CaForm::Official,
                conditioned_attributes: true,
                train_text: true,
                start_tau: 0.01,
                ..paper
            },
        }
    }
}

/// Classifier, prompts and, where it is trained, the text tower.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    prompt: PromptLearner,
    tower: Option<ClipTower>,
    #[module(skip)]
    config: Config,
    #[module(skip)]
    text: Arc<TextSide>,
}

impl MethodHead for Head {
    type Config = Config;

    const POOL: Pool = Pool::View;
    const NEEDS_TEXT: bool = true;

    fn needs_ratings(config: &Config) -> bool {
        config.ia != 0.0 || config.ca != 0.0
    }

    fn encodes_text(config: &Config) -> bool {
        !config.train_text
    }

    fn check(config: &Config, pool: Pool) -> Result<()> {
        let bad = |what: &str, value: String, expected: &str| {
            Err(Error::OutOfRange { what: what.into(), value, expected: expected.into() })
        };
        if pool != Pool::View {
            return bad("--pool of clip-lung", "mean".into(), "view: its channel groups are made by it");
        }
        let weights = [config.ic, config.ia, config.ca];
        if weights.iter().any(|w| !(w.is_finite() && *w >= 0.0)) {
            return bad("a loss weight (--ic, --ia, --ca)", format!("{weights:?}"), "0 or more");
        }
        if !(config.start_tau.is_finite() && (0.01..=1.0).contains(&config.start_tau)) {
            return bad("--start-tau", config.start_tau.to_string(), "0.01 to 1");
        }
        Ok(())
    }

    fn new(config: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let text = text_of(setup)?;
        Ok(Self {
            trunk: Trunk::new(softmax_shape(setup), initial, device),
            prompt: PromptLearner::new(&text, setup.seed, config.start_tau, device),
            tower: config.train_text.then(|| text.trainable_tower()).transpose()?,
            config: *config,
            text,
        })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// Eq. (1), `[n, 8]` or with malignancy `[n, 9]`.
    fn attribute_weights(&self, truth: &Truth) -> Option<Tensor<2>> {
        let malignancy = self.config.conditioned_attributes.then_some(&truth.malignancy[..]);
        Some(self.config.attribute_weights.rows(&truth.ratings, malignancy, &truth.target.device()))
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        let ce = cross_entropy(log_probs.clone(), truth.target.clone());
        let scale = self.prompt.scale();
        let mut loss = Loss { total: ce.clone(), terms: vec![("ce", ce)], watched: vec![("scale", scale)], log_probs };
        // the view is checked before a head is made
        let Some(groups) = pass.groups.clone() else { return loss };
        for (name, weight, term) in self.alignment(normalise(groups), truth) {
            loss.total = loss.total + term.clone().mul_scalar(weight);
            loss.terms.push((name, term));
        }
        loss
    }

    fn words(&self) -> Option<(Tensor<2>, Tensor<1>)> {
        Some((self.prompt.attributes(&self.text).squeeze_dim(0), self.prompt.logit_scale.val()))
    }

    fn no_decay(&self) -> Vec<ParamId> {
        self.prompt.no_decay()
    }

    fn after_step(self) -> Self {
        Self { prompt: self.prompt.clamped(), ..self }
    }
}

impl Head {
    /// The alignment losses of eqs. (2)-(4) with their weights in eq. (5); one of weight 0 is not computed.
    ///
    /// # Shapes
    /// `features` `[n, 4, 512]` normalised
    fn alignment(&self, features: Tensor<3>, truth: &Truth) -> Vec<(&'static str, f64, Tensor<1>)> {
        let config = &self.config;
        let scale = self.prompt.scale();
        let context = (config.ic != 0.0 || config.ca != 0.0 || config.conditioned_attributes)
            .then(|| self.prompt.context(features.clone()));
        let classes = context.clone().filter(|_| config.ic != 0.0 || config.ca != 0.0).map(|context| {
            self.prompt.mapped(match &self.tower {
                Some(tower) => self.text.encode_classes_with(tower, context),
                None => self.text.encode_classes(context),
            })
        });
        let attributes = match context.filter(|_| config.conditioned_attributes) {
            Some(context) => self.prompt.mapped(match &self.tower {
                Some(tower) => self.text.encode_attributes_with(tower, context),
                None => self.text.encode_attributes(context),
            }),
            None => self.prompt.attributes(&self.text),
        };
        let Some(weights) = truth.attribute_weights.clone().or_else(|| self.attribute_weights(truth)) else {
            return Vec::new();
        };
        let target = || truth.target.clone();
        let ic = classes.clone().filter(|_| config.ic != 0.0);
        let ic = ic.map(|c| image_class(features.clone(), c, scale.clone(), target(), config.ic_form));
        let ca = classes
            .filter(|_| config.ca != 0.0)
            .map(|c| class_attribute(c, attributes.clone(), scale.clone(), weights.clone(), target(), config.ca_form));
        let ia =
            (config.ia != 0.0).then(|| image_attribute(features, attributes, scale, weights, target(), config.ia_form));
        let all = [("ic", config.ic, ic), ("ia", config.ia, ia), ("ca", config.ca, ca)];
        all.into_iter().filter_map(|(name, weight, term)| Some((name, weight, term?))).collect()
    }
}

#[cfg(feature = "cli")]
mod flags {
    use super::{AttributeWeights, CaForm, Config, IaForm, IcForm, Variant};

    /// The options of the command line.
    #[derive(clap::Args)]
    #[group(skip)]
    struct Flags {
        /// An ablation or control by name, which the options below change [default: paper]
        #[arg(long, value_enum)]
        variant: Option<Variant>,
        /// Weight of the image-class loss, eq. (2); 0 leaves it out [default: 1]
        #[arg(long, allow_negative_numbers = true)]
        ic: Option<f64>,
        /// Weight of the image-attribute loss, eq. (3) [default: 1]
        #[arg(long, allow_negative_numbers = true)]
        ia: Option<f64>,
        /// Weight of the class-attribute loss, eq. (4) [default: 0.5]
        #[arg(long, allow_negative_numbers = true)]
        ca: Option<f64>,
        /// Targets and sum of eq. (2) [default: mean]
        #[arg(long, value_enum)]
        ic_form: Option<IcForm>,
        /// Form of eq. (3) [default: soft]
        #[arg(long, value_enum)]
        ia_form: Option<IaForm>,
        /// Form of eq. (4) [default: class]
        #[arg(long, value_enum)]
        ca_form: Option<CaForm>,
        /// Attribute weights, eq. (1): softmax, range, sum or uniform [default: softmax]
        #[arg(long, value_enum)]
        attribute_weights: Option<AttributeWeights>,
        /// The temperature of the cosines at the start [default: 0.07]
        #[arg(long, allow_negative_numbers = true)]
        start_tau: Option<f64>,
    }

    impl From<Flags> for Config {
        fn from(f: Flags) -> Self {
            let base = Self::from(f.variant.unwrap_or(Variant::Paper));
            Self {
                ic: f.ic.unwrap_or(base.ic),
                ia: f.ia.unwrap_or(base.ia),
                ca: f.ca.unwrap_or(base.ca),
                ic_form: f.ic_form.unwrap_or(base.ic_form),
                ia_form: f.ia_form.unwrap_or(base.ia_form),
                ca_form: f.ca_form.unwrap_or(base.ca_form),
                attribute_weights: f.attribute_weights.unwrap_or(base.attribute_weights),
                start_tau: f.start_tau.unwrap_or(base.start_tau),
                ..base
            }
        }
    }

    impl clap::Args for Config {
        fn augment_args(command: clap::Command) -> clap::Command {
            Flags::augment_args(command)
        }
        fn augment_args_for_update(command: clap::Command) -> clap::Command {
            Flags::augment_args(command)
        }
    }

    impl clap::FromArgMatches for Config {
        fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
            <Flags as clap::FromArgMatches>::from_arg_matches(matches).map(Self::from)
        }
        fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
            Self::from_arg_matches(matches).map(|read| *self = read)
        }
    }
}

#[cfg(test)]
#[path = "clip_lung_tests.rs"]
mod tests;
