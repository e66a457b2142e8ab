//! UDM, the unsure data model (Wu et al., ICCV 2019): one score f between increasing thresholds t_1 < t_2 under logistic noise,
//! P(benign) = sg(t_1 - f), P(malignant) = sg(f - t_2), P(unsure) = sg(t_2 - f) - sg(t_1 - f), each gap softplus(r).
//!
//! In training alone, delta_n asks negatives for a margin (conservative) and delta_p pushes positives (aggressive), and every class may
//! have a cost. The published symbols were not at hand: the formulation is a reconstruction.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use super::head::{MethodHead, Truth};
use super::heads::trunk::{Pass, Shape, Trunk};
use super::loss::{Loss, cross_entropy, log_sigmoid, values};
use super::pool::Pool;
use super::readout::{Decision, Readout};
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::nn::layers::Initial;

/// r where the gap is 2: ln(e^2 - 1).
const START_GAP: f32 = 1.854_587;

/// Margins and costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// No margins, all costs 1: a cumulative link.
    #[default]
    Plain,
    /// Both margins 0.5 and the costs n / (C n_c).
    PaperLike,
}

/// The settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Margins and class costs: plain (none) or paper-like (margins 0.5, costs against imbalance)
    #[cfg_attr(feature = "cli", arg(long = "udm", value_enum, default_value = "plain"))]
    pub form: Form,
    /// The margin of negatives in training [default: 0, paper-like: 0.5]
    #[cfg_attr(feature = "cli", arg(long = "udm-delta-n", allow_negative_numbers = true))]
    pub delta_n: Option<f64>,
    /// The push of positives in training [default: 0, paper-like: 0.5]
    #[cfg_attr(feature = "cli", arg(long = "udm-delta-p", allow_negative_numbers = true))]
    pub delta_p: Option<f64>,
    /// The class decided on: median (the interval that the score lies in) or argmax
    #[cfg_attr(feature = "cli", arg(long = "udm-decision", value_enum, default_value = "median"))]
    pub decision: Rule,
}

/// How a class is decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    #[default]
    Median,
    Argmax,
}

impl From<Rule> for Decision {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Median => Self::Median,
            Rule::Argmax => Self::Argmax,
        }
    }
}

impl Config {
    fn margin(&self, own: Option<f64>) -> f64 {
        own.unwrap_or(if self.form == Form::PaperLike { 0.5 } else { 0.0 })
    }
}

/// Classifier of one score without bias, and the thresholds.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    /// t_1, `[1]`.
    first: Param<Tensor<1>>,
    /// r of each further threshold, `[C - 2]`; none for two classes.
    gaps: Option<Param<Tensor<1>>>,
    #[module(skip)]
    margins: [f64; 2],
    /// What each class's loss counts, `[C]`.
    costs: Tensor<1>,
    #[module(skip)]
    rule: Rule,
}

impl MethodHead for Head {
    type Config = Config;

    fn check(config: &Config, _: Pool) -> Result<()> {
        for (what, value) in [("delta-n", config.delta_n), ("delta-p", config.delta_p)] {
            if let Some(value) = value.filter(|v| !(v.is_finite() && *v >= 0.0)) {
                let (what, value) = (format!("--udm-{what}"), value.to_string());
                return Err(Error::OutOfRange { what, value, expected: "0 or more".into() });
            }
        }
        Ok(())
    }

    fn new(config: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let classes = setup.classes();
        let shape = Shape { pool: setup.pool, units: 1, bias: false, diameter: setup.diameter };
        let total: usize = setup.class_counts.iter().sum();
        let cost = |n: &usize| total as f32 / (classes as f32 * (*n).max(1) as f32);
        let costs = match config.form {
            Form::Plain => vec![1.0; classes],
            Form::PaperLike => setup.class_counts.iter().map(cost).collect(),
        };
        let vector = |values: Vec<f32>| {
            let n = values.len();
            Param::from_tensor(Tensor::<1>::from_data(TensorData::new(values, [n]), device))
        };
        Ok(Self {
            trunk: Trunk::new(shape, initial, device),
            first: vector(vec![if classes > 2 { -1.0 } else { 0.0 }]),
            gaps: (classes > 2).then(|| vector(vec![START_GAP; classes - 2])),
            margins: [config.margin(config.delta_n), config.margin(config.delta_p)],
            costs: Tensor::from_floats(costs.as_slice(), device),
            rule: config.decision,
        })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn log_probs(&self, pass: &Pass) -> Tensor<2> {
        log_probs(pass.outputs.clone(), self.first.val(), self.steps(), [0.0; 2])
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        let with_margins = match self.margins {
            [0.0, 0.0] => log_probs.clone(),
            margins => self::log_probs(pass.outputs.clone(), self.first.val(), self.steps(), margins),
        };
        let loss = cross_entropy(with_margins * self.costs.clone().unsqueeze(), truth.target.clone());
        let first = ("threshold", self.first.val());
        let gap = self.steps().map(|s| ("gap", s.narrow(0, 0, 1)));
        Loss { watched: std::iter::once(first).chain(gap).collect(), ..Loss::single("nll", loss, log_probs) }
    }

    fn readout(&self) -> Result<Readout> {
        let mut thresholds = values(self.first.val());
        for step in self.steps().map(values).unwrap_or_default() {
            thresholds.push(thresholds[thresholds.len() - 1] + step);
        }
        Ok(Readout::Cumulative { thresholds })
    }

    fn decision(&self) -> Decision {
        self.rule.into()
    }

    fn no_decay(&self) -> Vec<ParamId> {
        std::iter::once(self.first.id).chain(self.gaps.iter().map(|g| g.id)).collect()
    }
}

impl Head {
    /// The distances D of neighbouring thresholds, `[C - 2]`.
    fn steps(&self) -> Option<Tensor<1>> {
        self.gaps.as_ref().map(|r| activation::softplus(r.val(), 1.0))
    }
}

/// log P of every class, or, with margins, the log of what training asks for.
///
/// The middle classes by ls(t' - f) + ls(f - t) + ln(1 - exp(-(t' - t))): the difference of two sigmoids is 0 on one side.
///
/// # Shapes
/// `f` `[n, 1]`, `first` `[1]`, `steps` `[C - 2]` -> `[n, C]`
fn log_probs(f: Tensor<2>, first: Tensor<1>, steps: Option<Tensor<1>>, [delta_n, delta_p]: [f64; 2]) -> Tensor<2> {
    let mut lower: Tensor<2> = first.unsqueeze();
    let mut columns = vec![log_sigmoid(lower.clone() - f.clone() - delta_n)];
    for k in 0..steps.as_ref().map_or(0, |s| s.dims()[0]) {
        let Some(step) = &steps else { break };
        let step: Tensor<2> = step.clone().narrow(0, k, 1).unsqueeze();
        let upper = lower.clone() + step.clone();
        let inside = log_sigmoid(upper.clone() - f.clone()) + log_sigmoid(f.clone() - lower);
        columns.push(inside + log_one_minus_exp(step));
        lower = upper;
    }
    columns.push(log_sigmoid(f - lower - delta_p));
    Tensor::cat(columns, 1)
}

/// ln(1 - exp(-d)) of d > 0: -d/2 + ln(2 sinh(d/2)) where d < ln 2, by log1p otherwise.
fn log_one_minus_exp(d: Tensor<2>) -> Tensor<2> {
    let ln2 = std::f64::consts::LN_2;
    let small = d.clone().lower_elem(ln2);
    let half = d.clone().clamp(1e-7, ln2) * 0.5;
    let near = (half.clone().sinh() * 2.0).log() - half;
    d.clamp_min(ln2).neg().exp().neg().log1p().mask_where(small, near)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
        t.into_data().iter::<f32>().collect()
    }

    fn close(found: &[f32], golden: &[f32]) {
        assert_eq!(found.len(), golden.len());
        found.iter().zip(golden).for_each(|(f, g)| assert!((f - g).abs() < 3e-6 * g.abs().max(1.0), "{f} is not {g}"));
    }

    fn at(f: f32, margins: [f64; 2]) -> (Tensor<2>, Tensor<2>, Tensor<1>, Tensor<1>) {
        let device = Device::flex().autodiff();
        let f = Tensor::<2>::from_floats([[f]], &device).require_grad();
        let first = Tensor::<1>::from_floats([-1.0], &device).require_grad();
        let step = Tensor::<1>::from_floats([2.0], &device).require_grad();
        (log_probs(f.clone(), first.clone(), Some(step.clone()), margins), f, first, step)
    }

    /// Reference values: plain and with margins at f = .4, costs, gradients with respect to score and thresholds.
    #[test]
    fn values_and_gradients() {
        close(&numbers(at(0.4, [0.0; 2]).0), &[-1.620417, -0.803319, -1.037488]);
        let (logs, ..) = at(0.4, [0.5, 0.25]);
        close(&numbers(logs.clone()), &[-2.039387, -0.803319, -1.205865]);
        close(&[1.6 * -numbers(logs)[2]], &[1.929384]);
        let (logs, f, first, step) = at(0.4, [0.0; 2]);
        let grads = logs.slice([0..1, 1..2]).sum().neg().backward();
        close(&numbers(f.grad(&grads).unwrap()), &[0.156528]);
        // t2 = t1 + D: d/dt1 of both thresholds together is the sum of the golden two
        close(&numbers(first.grad(&grads).unwrap()), &[0.354334 - 0.510861]);
        close(&numbers(step.grad(&grads).unwrap()), &[-0.510861]);
    }

    #[test]
    fn far_scores() {
        for f in [60.0, -60.0] {
            let (logs, u, ..) = at(f, [0.0; 2]);
            let found = numbers(logs.clone());
            close(&found[1..2], &[-59.145413]);
            let slopes = numbers(u.grad(&logs.sum().backward()).unwrap());
            assert!(found.iter().chain(&slopes).all(|v| v.is_finite()), "{found:?} {slopes:?}");
        }
    }

    /// The two branches of ln(1 - exp(-d)) meet, in value and slope.
    #[test]
    fn narrow_gaps() {
        let device = Device::flex().autodiff();
        for d in [1e-3f32, 0.1, 0.69, 0.70, 3.0] {
            let t = Tensor::<2>::from_floats([[d]], &device).require_grad();
            let value = log_one_minus_exp(t.clone());
            let exact = super::super::readout::log_one_minus_exp(f64::from(d)) as f32;
            close(&numbers(value.clone()), &[exact]);
            let slope = numbers(t.grad(&value.sum().backward()).unwrap())[0];
            let expected = 1.0 / d.exp_m1();
            assert!((slope / expected - 1.0).abs() < 1e-3, "{d}: {slope} {expected}");
        }
    }

    /// Reference values: the costs of the inclusive counts.
    #[test]
    fn costs_against_imbalance() {
        let setup =
            Setup { class_counts: vec![1123, 1025, 503], pool: Pool::Mean, diameter: false, seed: 0, text: None };
        let config = Config { form: Form::PaperLike, ..Default::default() };
        let head = Head::new(&config, &setup, &mut Initial::Blank, &Device::flex()).unwrap();
        close(&numbers(head.costs), &[0.786880, 0.862114, 1.756793]);
        assert_eq!(head.margins, [0.5, 0.5]);
    }
}
