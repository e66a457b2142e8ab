//! CLIP-Lung (Lei et al., MICCAI 2023, arXiv 2304.08013): channel-wise conditional prompts and the losses of eqs. (2)-(5).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, activation};
use serde::{Deserialize, Serialize};

use super::attributes::AttributeWeights;
use super::losses::{self, CaForm, IaForm, normalise};
use crate::base::random::Stream;
use crate::nn::layers::{Initial, Linear};
use crate::nn::text::side::TextSide;

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
        let mut initial = Initial::Uniform(Stream::new(seed, 2));
        Self {
            context: Param::from_tensor(opening),
            hidden: Linear::new(512, 32, &mut initial, device),
            out: Linear::new(32, width, &mut initial, device),
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
    let classes = needs_classes.then(|| normalise(text.encode_classes(learner.context(features.clone()))));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::{apply, collect};
    use crate::nn::text::clip::geometry::Geometry;
    use burn::optim::GradientsParams;
    use burn::tensor::TensorData;

    const GEOMETRY: Geometry = Geometry { width: 64, layers: 2, heads: 2, output: 512 };

    fn draw<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
        let mut r = Stream::new(seed, 0);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| r.normal() as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    struct Case {
        text: TextSide,
        learner: PromptLearner,
        groups: Tensor<3>,
        target: Tensor<2>,
        weights: Tensor<2>,
    }

    fn case() -> Case {
        let device = Device::flex().autodiff();
        let text = TextSide::random_clip(GEOMETRY, 3, &["benign", "unsure", "malignant"], &device).unwrap();
        let opening = Tensor::from_inner(text.opening().inner());
        Case {
            learner: PromptLearner::new(opening, 1, &device),
            groups: draw(1, [3, 4, 512], &device).require_grad(),
            target: Tensor::from_floats([[1., 0., 0.], [0., 0., 1.], [0., 1., 0.]], &device),
            weights: activation::softmax(draw(2, [3, 8], &device), 1),
            text,
        }
    }

    fn loss(case: &Case, learner: &PromptLearner) -> Tensor<1> {
        let config = LossConfig { ca: 0.5, ..Default::default() };
        let a = align(learner, &case.text, case.groups.clone(), case.target.clone(), case.weights.clone(), &config);
        a.ic.unwrap() + a.ia.unwrap() + a.ca.unwrap() * 0.5
    }

    /// Gradients reach context, context net, temperature and features through the frozen tower, and equal finite differences.
    #[test]
    fn gradients_flow_through_the_frozen_tower() {
        let c = case();
        let mut grads = loss(&c, &c.learner).backward();
        assert!(c.groups.grad(&grads).unwrap().abs().sum().into_scalar::<f32>() > 0.0);
        let params = GradientsParams::from_module(&mut grads, &c.learner);
        assert_eq!(params.len(), 6, "a trained parameter without gradient, or a frozen one with");
        let of = |id| params.get::<2>(id).unwrap().into_data().iter::<f32>().collect::<Vec<_>>();
        let analytic = [
            ("context", of(c.learner.context.id)),
            ("hidden.weight", of(c.learner.hidden.weight.id)),
            ("out.weight", of(c.learner.out.weight.id)),
        ];
        let arrays = collect(&c.learner);
        for (name, gradient) in analytic {
            // the steepest entry: the best ratio of slope to rounding
            let at = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs())).unwrap();
            let moved = |by: f32| -> f64 {
                let mut arrays = arrays.clone();
                arrays.get_mut(name).unwrap().values[at] += by;
                f64::from(loss(&c, &apply(c.learner.clone(), arrays, "test").unwrap()).into_scalar::<f32>())
            };
            let step = 2e-3;
            let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            assert!(
                (numeric / f64::from(gradient[at]) - 1.0).abs() < 0.03,
                "{name}: {numeric} is not {}",
                gradient[at]
            );
        }
    }

    /// Losses of weight 0 are not computed; the temperature stays within its bounds.
    #[test]
    fn subsets_and_clamp() {
        let c = case();
        let only_ia = LossConfig { ic: 0.0, ca: 0.0, ..Default::default() };
        let a = align(&c.learner, &c.text, c.groups.clone(), c.target.clone(), c.weights.clone(), &only_ia);
        assert!(a.ic.is_none() && a.ca.is_none() && a.ia.is_some());
        assert!((c.learner.scale().into_scalar::<f32>() - 1.0 / 0.07).abs() < 1e-3);
        let mut arrays = collect(&c.learner);
        for (value, clamped) in [(9.0, MAX_LOGIT_SCALE), (-1.0, 0.0)] {
            arrays.get_mut("logit_scale").unwrap().values[0] = value;
            let learner = apply(c.learner.clone(), arrays.clone(), "test").unwrap().clamp();
            assert_eq!(learner.temperature().val().into_scalar::<f32>(), clamped);
        }
    }
}
