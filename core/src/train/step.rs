//! One training step, and the trainer that holds what a step changes.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::config::{EmaBn, TrainConfig};
use super::ema::Ema;
use super::optimizer::{Optimizer, gradient_norm};
use super::recompute::recompute;
use super::schedule::cosine;
use crate::dataset::crops::Dataset;
use crate::error::{Error, Result};
use crate::methods::Method;
use crate::methods::clip_lung::{PromptLearner, align};
use crate::methods::losses;
use crate::metrics::argmax;
use crate::nn::image_net::ImageNet;
use crate::nn::layers::MOMENTUM;
use crate::nn::parameters::pytorch_name;
use crate::nn::text::side::TextSide;
use crate::volume::crop::Normalisation;

/// All that is trained.
#[derive(Module, Debug)]
pub struct Network {
    pub image: ImageNet,
    /// For methods with prompts.
    pub prompt: Option<PromptLearner>,
}

/// What one step reports; a loss that is not computed is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLog {
    pub epoch: usize,
    /// Steps done, this one included.
    pub step: u64,
    pub lr: f64,
    pub loss: f64,
    pub ce: f64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ic: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ia: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ca: Option<f64>,
    /// 1/tau before the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scale: Option<f64>,
    /// Over all trained weights, before it is clipped.
    #[serde(default)]
    pub gradient_norm: f64,
    /// Share of right answers in the batch.
    pub accuracy: f64,
    /// Samples in the batch.
    pub samples: usize,
}

/// A run between two steps.
pub struct Trainer {
    pub config: TrainConfig,
    pub network: Network,
    pub ema: Ema<Network>,
    pub optimizer: Optimizer,
    /// Steps done.
    pub step: u64,
    text: Option<TextSide>,
    device: Device,
}

impl Trainer {
    /// A fresh run on `device` (without autodiff; it is added here). `text` is needed by methods with prompts.
    ///
    /// # Errors
    /// When the configuration is not usable or the text side is missing.
    pub fn new(config: TrainConfig, text: Option<TextSide>, device: &Device) -> Result<Self> {
        config.check()?;
        let device = device.clone().autodiff();
        let image = ImageNet::new(config.task.classes().len(), config.seed, &device);
        let prompt = match (config.method, &text) {
            (Method::Ce, _) => None,
            (Method::ClipLung, Some(text)) => {
                let opening = Tensor::from_inner(text.opening().inner());
                Some(PromptLearner::new(opening, config.seed, &device))
            }
            (Method::ClipLung, None) => {
                return Err(Error::OutOfRange {
                    what: "text encoder".into(),
                    value: "none".into(),
                    expected: "given for clip-lung".into(),
                });
            }
        };
        let network = Network { image, prompt };
        let exempt = network.prompt.iter().map(|p| p.temperature().id).collect();
        let optimizer = Optimizer::new(config.momentum, config.weight_decay, exempt);
        let ema = Ema::new(&network, config.ema);
        Ok(Self { config, network, ema, optimizer, step: 0, text, device })
    }

    /// The device with autodiff, on which batches belong.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The text side, for methods that have one.
    pub fn text(&self) -> Option<&TextSide> {
        self.text.as_ref()
    }

    /// The losses of a batch: (total, parts, right answers).
    fn losses(
        &self,
        batch: &Batch,
        statistics: &mut Vec<crate::nn::layers::BatchStatistics>,
    ) -> (Tensor<1>, Parts, Tensor<2>) {
        let out = self.network.image.forward(batch.images.clone(), statistics);
        let ce = losses::classification(out.logits.clone(), batch.target.clone());
        let mut total = ce.clone();
        let mut parts = Parts { ce, ic: None, ia: None, ca: None };
        if let (Some(learner), Some(text)) = (&self.network.prompt, &self.text) {
            let weights = &self.config.losses;
            let a = align(learner, text, out.groups(), batch.target.clone(), batch.attribute_weights.clone(), weights);
            for (loss, weight) in [(&a.ic, weights.ic), (&a.ia, weights.ia), (&a.ca, weights.ca)] {
                if let Some(loss) = loss {
                    total = total + loss.clone().mul_scalar(weight);
                }
            }
            parts = Parts { ic: a.ic, ia: a.ia, ca: a.ca, ..parts };
        }
        (total, parts, out.logits)
    }

    /// One step of epoch `epoch` on `batch`.
    ///
    /// # Errors
    /// When the loss is no longer finite.
    pub fn step(mut self, batch: &Batch, epoch: usize) -> Result<(Self, StepLog)> {
        let lr = cosine(self.config.lr, epoch, self.config.epochs);
        let mut statistics = Vec::new();
        let (total, parts, logits) = self.losses(batch, &mut statistics);
        let grads = GradientsParams::from_grads(total.backward(), &self.network);
        let scale = self.network.prompt.as_ref().map(PromptLearner::scale);
        let norm = gradient_norm(&self.network, &grads);
        let ([loss, ce, gradient_norm], [ic, ia, ca, scale], answers) = read(
            [total.inner(), parts.ce.inner(), norm],
            [parts.ic, parts.ia, parts.ca, scale].map(|t| t.map(Tensor::inner)),
            logits.inner(),
        );
        let right = answers.iter().zip(&batch.labels).filter(|(a, l)| a == l).count();
        let log = StepLog {
            epoch,
            step: self.step + 1,
            lr,
            loss,
            ce,
            ic,
            ia,
            ca,
            scale,
            gradient_norm,
            accuracy: right as f64 / batch.labels.len() as f64,
            samples: batch.labels.len(),
        };
        for (name, value) in [("loss", log.loss), ("gradient's norm", log.gradient_norm)] {
            if !value.is_finite() {
                return Err(Error::OutOfRange {
                    what: format!("the {name} in step {}", log.step),
                    value: value.to_string(),
                    expected: "finite; lower --lr".into(),
                });
            }
        }
        let scale = self.config.clip_norm.map_or(1.0, |most| (most / log.gradient_norm).min(1.0));
        self.network = self.optimizer.step(lr, self.network, grads, scale);
        self.network.image.absorb(statistics, MOMENTUM);
        self.network.prompt = self.network.prompt.map(PromptLearner::clamp);
        self.ema = self.ema.update(&self.network);
        self.step += 1;
        Ok((self, log))
    }

    /// After the last step of an epoch.
    #[must_use]
    pub fn end_epoch(mut self) -> Self {
        self.ema = self.ema.copy_buffers(&self.network);
        self
    }

    /// After the last step of a run on these rows.
    #[must_use]
    pub fn finish(mut self, data: &Dataset, train: &[usize], norm: &Normalisation) -> Self {
        if self.config.ema_bn == EmaBn::Recompute {
            let device = self.device.clone().without_autodiff();
            self.ema.module.image = recompute(self.ema.module.image, data, train, norm, &self.config, &device);
        }
        self
    }

    /// PyTorch's name of every parameter.
    pub fn names(&self) -> BTreeMap<ParamId, String> {
        #[derive(Default)]
        struct Names(Vec<String>, BTreeMap<ParamId, String>);
        impl ModuleVisitor for Names {
            fn enter_module(&mut self, name: &str, _: &str) {
                self.0.push(name.into());
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.0.pop();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.1.insert(param.id, pytorch_name(&self.0.join(".")));
            }
        }
        let mut names = Names::default();
        self.network.visit(&mut names);
        names.1
    }
}

/// Numbers, those of others that are there, and the classes of the largest logits, read from the device at once: on a GPU each reading
/// waits for all work so far.
///
/// # Shapes
/// numbers `[1]`, logits `[n, C]` -> n classes
fn read<const N: usize, const M: usize>(
    numbers: [Tensor<1>; N],
    others: [Option<Tensor<1>>; M],
    logits: Tensor<2>,
) -> ([f64; N], [Option<f64>; M], Vec<usize>) {
    let [n, classes] = logits.dims();
    let there = others.each_ref().map(Option::is_some);
    let all = numbers.into_iter().chain(others.into_iter().flatten()).chain([logits.reshape([n * classes])]);
    let values: Vec<f64> = Tensor::cat(all.collect(), 0).into_data().iter::<f32>().map(f64::from).collect();
    let mut next = N;
    let others = there.map(|is| {
        is.then(|| {
            next += 1;
            values[next - 1]
        })
    });
    (std::array::from_fn(|i| values[i]), others, values[next..].chunks(classes).map(argmax).collect())
}

/// The losses of one batch.
struct Parts {
    ce: Tensor<1>,
    ic: Option<Tensor<1>>,
    ia: Option<Tensor<1>>,
    ca: Option<Tensor<1>>,
}
