//! What a method's file gives: the trait that the list's enums match over.

use std::sync::Arc;

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::heads::trunk::{Pass, Trunk};
use super::pool::Pool;
use super::readout::{Decision, Readout};
use crate::error::Result;
use crate::nn::layers::Initial;
use crate::nn::text::side::TextSide;

/// A method's head: what is trained beside the image encoder.
pub trait MethodHead: Module + Sized {
    /// The method's own settings.
    type Config;

    /// How layer4 is pooled where nothing else is asked for.
    const POOL: Pool = Pool::Mean;
    /// Whether training needs a text encoder.
    const NEEDS_TEXT: bool = false;

    /// That every setting is usable, with this pooling.
    ///
    /// # Errors
    /// The first that is not.
    fn check(_config: &Self::Config, _pool: Pool) -> Result<()> {
        Ok(())
    }

    /// A fresh head. `initial` gives the classifier's weights, after those of the image encoder.
    ///
    /// # Errors
    /// When the text side is missing, or does not fit.
    fn new(config: &Self::Config, setup: &Setup, initial: &mut Initial, device: &Device) -> Result<Self>;

    /// Pooling and classifier.
    fn trunk(&self) -> &Trunk;

    /// log p of every class, `[n, C]`, normalised.
    fn log_probs(&self, pass: &Pass) -> Tensor<2>;

    /// The loss of a batch.
    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss;

    /// Whether a run's predictions rest on the text features.
    fn infers_by_text(_config: &Self::Config) -> bool {
        false
    }

    /// What is left of the head when it is trained.
    ///
    /// # Errors
    /// When the trained values are none that a readout can have.
    fn readout(&self) -> Result<Readout>;

    /// How a class is decided on.
    fn decision(&self) -> Decision {
        Decision::Argmax
    }

    /// log p of every class by the text features, `[n, C]`, for methods that can answer by them.
    fn text_log_probs(&self, _pass: &Pass) -> Option<Tensor<2>> {
        None
    }

    /// The words of the attribute read-out: unit rows `[8, 512]` and ln(1/tau) `[1]`.
    fn words(&self) -> Option<(Tensor<2>, Tensor<1>)> {
        None
    }

    /// Parameters that no weight decay applies to.
    fn no_decay(&self) -> Vec<ParamId> {
        Vec::new()
    }

    /// After each step, to keep a parameter within its bounds.
    #[must_use]
    fn after_step(self) -> Self {
        self
    }

    /// After each epoch; `outputs` passes the training fold through the network in evaluation mode.
    ///
    /// # Errors
    /// When the device fails.
    fn end_epoch(self, _outputs: impl FnOnce() -> Result<Outputs>) -> Result<Self> {
        Ok(self)
    }
}

/// What a head is made for.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Nodules of each class in the training fold, in the order of the outputs.
    pub class_counts: Vec<usize>,
    pub pool: Pool,
    /// Whether ln De - ln 8 is one more input of the classifier.
    pub diameter: bool,
    pub seed: u64,
    /// The text side, for methods that need one.
    pub text: Option<Arc<TextSide>>,
}

impl Setup {
    /// Classes C.
    pub fn classes(&self) -> usize {
        self.class_counts.len()
    }
}

/// What is known of a batch's nodules.
#[derive(Clone, Debug)]
pub struct Truth {
    /// Class indices.
    pub labels: Vec<usize>,
    /// The same one-hot, `[n, C]`.
    pub target: Tensor<2>,
    /// The readers' mean ratings of the eight attributes.
    pub ratings: Vec<[f64; 8]>,
    /// The readers' mean malignancy, 1 to 5.
    pub malignancy: Vec<f64>,
}

impl Truth {
    /// Of these nodules on a device.
    pub fn new(
        labels: Vec<usize>,
        classes: usize,
        ratings: Vec<[f64; 8]>,
        malignancy: Vec<f64>,
        device: &Device,
    ) -> Self {
        let one_hot: Vec<f32> =
            labels.iter().flat_map(|&l| (0..classes).map(move |c| f32::from(u8::from(c == l)))).collect();
        let target = Tensor::from_data(TensorData::new(one_hot, [labels.len(), classes]), device);
        Self { labels, target, ratings, malignancy }
    }
}

/// The loss of a batch.
pub struct Loss {
    /// What is minimised, `[1]`.
    pub total: Tensor<1>,
    /// Its terms by name, unweighted, each `[1]`.
    pub terms: Vec<(&'static str, Tensor<1>)>,
    /// Other numbers worth watching, each `[1]`.
    pub watched: Vec<(&'static str, Tensor<1>)>,
    /// log p of every class, `[n, C]`.
    pub log_probs: Tensor<2>,
}

impl Loss {
    /// A loss of one term.
    pub fn single(name: &'static str, loss: Tensor<1>, log_probs: Tensor<2>) -> Self {
        Self { total: loss.clone(), terms: vec![(name, loss)], watched: Vec::new(), log_probs }
    }
}

/// The training fold as the network in evaluation mode sees it, without augmentation.
pub struct Outputs {
    /// The classifier's outputs, a row a nodule.
    pub outputs: Vec<Vec<f32>>,
    /// Class indices.
    pub labels: Vec<usize>,
}

/// -sum target log p over the last axis, mean over all others.
pub fn cross_entropy<const D: usize>(log_p: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    (log_p * target).sum_dim(D - 1).mean().neg()
}

/// ln sigmoid(x), exact on both tails.
pub fn log_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::softplus(x.neg(), 1.0).neg()
}

/// A parameter's value on the host.
pub fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}
