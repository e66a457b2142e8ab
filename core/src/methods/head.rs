//! What a method's file gives: the trait that the list's enums match over.

use burn::module::{Module, ParamId};
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};

use super::heads::trunk::{Pass, Trunk};
use super::loss::Loss;
use super::pool::Pool;
use super::readout::{Decision, Readout};
use super::setup::Setup;
use crate::error::Result;
use crate::nn::layers::Initial;

/// A method's head: what is trained beside the image encoder.
pub trait MethodHead: Module + Sized {
    /// The method's own settings.
    type Config;

    /// How layer4 is pooled where nothing else is asked for.
    const POOL: Pool = Pool::Mean;
    /// Whether training needs a text encoder.
    const NEEDS_TEXT: bool = false;

    /// Whether training needs the readers' ratings of the attributes.
    fn needs_ratings(_config: &Self::Config) -> bool {
        false
    }

    /// Whether every step runs the frozen text tower, not only what makes the head.
    fn encodes_text(_config: &Self::Config) -> bool {
        false
    }

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

    /// log p of every class, `[n, C]`, normalised: by softmax unless the method says otherwise.
    fn log_probs(&self, pass: &Pass) -> Tensor<2> {
        log_softmax(pass.outputs.clone(), 1)
    }

    /// The loss of a batch.
    fn loss(&self, pass: &Pass, truth: &Truth) -> Loss;

    /// How the loss weighs a batch's attributes, on its device, for methods that do: made before a step that is recorded, since that
    /// uploads nothing.
    fn attribute_weights(&self, _truth: &Truth) -> Option<Tensor<2>> {
        None
    }

    /// Whether a run's predictions rest on the text features.
    fn infers_by_text(_config: &Self::Config) -> bool {
        false
    }

    /// What is left of the head when it is trained: softmax unless the method says otherwise.
    ///
    /// # Errors
    /// When the trained values are none that a readout can have.
    fn readout(&self) -> Result<Readout> {
        Ok(Readout::Softmax { classes: self.trunk().units() })
    }

    /// How a class is decided on.
    fn decision(&self) -> Decision {
        Decision::Argmax
    }

    /// log p of every class by the text features, `[n, C]`, for methods that can answer by them; only those ask for `pass`.
    fn text_log_probs(&self, _pass: impl FnOnce() -> Pass) -> Option<Tensor<2>> {
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
    /// [`MethodHead::attribute_weights`] of these ratings, where they were made before the step.
    pub attribute_weights: Option<Tensor<2>>,
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
        Self { labels, target, ratings, malignancy, attribute_weights: None }
    }
}

/// The training fold as the network in evaluation mode sees it, without augmentation.
pub struct Outputs {
    /// The classifier's outputs, a row a nodule.
    pub outputs: Vec<Vec<f32>>,
    /// Class indices.
    pub labels: Vec<usize>,
}
