//! Poisson (Beckham and Pal, ICML 2017): one output a gives the rate f = softplus(a) of a Poisson law, whose log-pmf over the ordered
//! classes, r_j = j ln f - f - ln j!, divided by a temperature tau and normalised, gives the probabilities. -f cancels.
//!
//! The binomial sibling of the same paper: r_j = ln binom(C-1, j) + j a.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use super::head::{MethodHead, Truth};
use super::heads::trunk::{Pass, Shape, Trunk};
use super::loss::{Loss, cross_entropy, values};
use super::pool::Pool;
use super::readout::{Readout, log_factorial};
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::nn::layers::Initial;

/// tau = softplus(t) + 0.05 stays above this.
const LEAST_TAU: f64 = 0.05;
/// t where tau is 1.
const START_TAU: f32 = 0.461_032;
/// The bias at which the rate is 1: ln(e - 1).
const START_BIAS: f32 = 0.541_325;

/// Which law the output stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Law {
    #[default]
    Poisson,
    Binomial,
}

/// The settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The law of the classes: poisson or binomial
    #[cfg_attr(feature = "cli", arg(long = "poisson-law", value_enum, default_value = "poisson"))]
    pub law: Law,
    /// A fixed temperature instead of a learned one, which starts at 1
    #[cfg_attr(feature = "cli", arg(long = "poisson-tau", allow_negative_numbers = true, value_parser = tau))]
    pub tau: Option<f64>,
}

/// `fixed:1`, or the number alone.
#[cfg(feature = "cli")]
fn tau(text: &str) -> std::result::Result<f64, String> {
    let number = text.strip_prefix("fixed:").unwrap_or(text);
    number.parse().map_err(|_| "give fixed:NUMBER, or leave it out to learn the temperature".into())
}

/// Classifier of one output, and the temperature.
#[derive(Module, Debug)]
pub struct Head {
    trunk: Trunk,
    /// t, `[1]`, where tau is learned.
    raw_tau: Option<Param<Tensor<1>>>,
    /// `[1]`
    fixed_tau: Tensor<1>,
    pmf: LogPmf,
}

/// The law's logarithms but for what all classes share: a line in ln f, or for the binomial law in a. Made once: a step uploads nothing.
#[derive(Module, Debug)]
struct LogPmf {
    /// j, `[1, C]`.
    steps: Tensor<2>,
    /// -ln j!, or ln binom(C-1, j), `[1, C]`.
    offsets: Tensor<2>,
    #[module(skip)]
    law: Law,
}

impl LogPmf {
    fn new(law: Law, classes: usize, device: &Device) -> Self {
        let row = |f: &dyn Fn(usize) -> f64| {
            let values: Vec<f32> = (0..classes).map(|j| f(j) as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, classes]), device)
        };
        let n = classes - 1;
        let offset = |j| match law {
            Law::Poisson => -log_factorial(j),
            Law::Binomial => log_factorial(n) - log_factorial(j) - log_factorial(n - j),
        };
        Self { steps: row(&|j| j as f64), offsets: row(&offset), law }
    }

    fn classes(&self) -> usize {
        self.steps.dims()[1]
    }

    /// log p of every class.
    ///
    /// # Shapes
    /// `a` `[n, 1]`, `tau` `[1]` -> `[n, C]`
    fn log_probs(&self, a: Tensor<2>, tau: Tensor<1>) -> Tensor<2> {
        let x = match self.law {
            Law::Poisson => log_softplus(a),
            Law::Binomial => a,
        };
        activation::log_softmax((x * self.steps.clone() + self.offsets.clone()) / tau.unsqueeze(), 1)
    }
}

impl MethodHead for Head {
    type Config = Config;

    fn check(config: &Config, _: Pool) -> Result<()> {
        match config.tau.filter(|tau| !(tau.is_finite() && *tau > 0.0)) {
            None => Ok(()),
            Some(tau) => Err(Error::OutOfRange {
                what: "the temperature of --poisson-tau".into(),
                value: tau.to_string(),
                expected: "above 0".into(),
            }),
        }
    }

    fn new(config: &Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self> {
        let shape = Shape { pool: setup.pool, units: 1, bias: true, diameter: setup.diameter };
        let bias = if config.law == Law::Poisson { START_BIAS } else { 0.0 };
        let learned = config.tau.is_none();
        Ok(Self {
            trunk: Trunk::new(shape, initial, device).with_bias(&[bias], device),
            raw_tau: learned.then(|| Param::from_tensor(Tensor::from_floats([START_TAU], device))),
            fixed_tau: Tensor::from_floats([config.tau.unwrap_or(1.0) as f32], device),
            pmf: LogPmf::new(config.law, setup.classes(), device),
        })
    }

    fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    fn log_probs(&self, pass: &Pass) -> Tensor<2> {
        self.pmf.log_probs(pass.outputs.clone(), self.tau())
    }

    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss {
        let log_probs = self.log_probs(pass);
        let loss = cross_entropy(log_probs.clone(), truth.target.clone());
        Loss { watched: vec![("tau", self.tau())], ..Loss::single("ce", loss, log_probs) }
    }

    fn readout(&self) -> Result<Readout> {
        let (classes, tau) = (self.pmf.classes(), values(self.tau())[0]);
        Ok(match self.pmf.law {
            Law::Poisson => Readout::Poisson { classes, tau },
            Law::Binomial => Readout::Binomial { classes, tau },
        })
    }

    fn no_decay(&self) -> Vec<ParamId> {
        self.raw_tau.iter().map(|t| t.id).collect()
    }
}

impl Head {
    /// tau, `[1]`.
    fn tau(&self) -> Tensor<1> {
        match &self.raw_tau {
            Some(t) => activation::softplus(t.val(), 1.0) + LEAST_TAU,
            None => self.fixed_tau.clone(),
        }
    }
}

/// ln softplus(a); far below 0 that is a, and not the logarithm of an underflow.
fn log_softplus(a: Tensor<2>) -> Tensor<2> {
    let low = a.clone().lower_elem(-15.0);
    activation::softplus(a.clone().clamp_min(-15.0), 1.0).log().mask_where(low, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values: loss 1.641149 and dL/da -0.776196 at a = .5, y = 2, tau 1; t0 gives tau 1.
    #[test]
    fn loss_and_gradient() {
        let device = Device::flex().autodiff();
        let a = Tensor::<2>::from_floats([[0.5]], &device).require_grad();
        let raw = Tensor::<1>::from_floats([START_TAU], &device);
        let tau = activation::softplus(raw, 1.0) + LEAST_TAU;
        let y = Tensor::<2>::from_floats([[0., 0., 1.]], &device);
        let loss = cross_entropy(LogPmf::new(Law::Poisson, 3, &device).log_probs(a.clone(), tau), y);
        assert!((loss.clone().into_scalar::<f32>() - 1.641149).abs() < 2e-6);
        let slope = a.grad(&loss.backward()).unwrap().into_scalar::<f32>();
        assert!((slope + 0.776196).abs() < 2e-6, "{slope}");
    }

    /// Far outputs: finite log-probabilities and slopes, the tensors' values those of the readout on the host.
    #[test]
    fn far_outputs() {
        let device = Device::flex().autodiff();
        for law in [Law::Poisson, Law::Binomial] {
            for a in [-60.0f32, -15.5, -14.5, -1.0, 0.0, 2.5, 60.0] {
                let u = Tensor::<2>::from_floats([[a]], &device).require_grad();
                let tau = Tensor::<1>::from_floats([0.3], &device);
                let found = LogPmf::new(law, 3, &device).log_probs(u.clone(), tau);
                let (classes, tau) = (3, 0.3);
                let host = match law {
                    Law::Poisson => Readout::Poisson { classes, tau },
                    Law::Binomial => Readout::Binomial { classes, tau },
                };
                let on_host = host.log_probabilities(&[a]);
                for (f, h) in found.clone().into_data().iter::<f32>().zip(&on_host) {
                    assert!((f64::from(f) - h).abs() < 1e-5 * h.abs().max(1.0), "{law:?} {a}: {f} {h}");
                }
                let y = Tensor::<2>::from_floats([[0., 1., 0.]], &device);
                let slope = u.grad(&cross_entropy(found, y).backward()).unwrap().into_scalar::<f32>();
                let expected = -host.derivative(&[a], 1)[0] as f32;
                assert!((slope - expected).abs() < 1e-4 * expected.abs().max(1.0), "{law:?} {a}: {slope} {expected}");
            }
        }
    }
}
