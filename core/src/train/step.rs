//! One training step, and the trainer that holds what a step changes.

use std::collections::BTreeMap;

use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::batch::Batch;
use super::best::Best;
use super::config::{EmaBn, TrainConfig};
use super::ema::Ema;
use super::evaluate::{outputs, text_probabilities};
use super::log::StepLog;
use super::network::Network;
use super::optimizer::{Optimizer, gradient_norm};
use super::recompute::recompute;
use super::schedule::cosine;
use crate::dataset::crops::Dataset;
use crate::error::{Error, Result};
use crate::methods::{Loss, Setup};
use crate::nn::layers::MOMENTUM;
use crate::nn::parameters::names;
use crate::volume::crop::Normalisation;

/// A run between two steps.
pub struct Trainer {
    pub config: TrainConfig,
    pub network: Network,
    pub ema: Ema<Network>,
    pub optimizer: Optimizer,
    /// Steps done.
    pub step: u64,
    /// Where the best epoch is chosen: that of the epochs so far.
    pub best: Option<Best>,
    device: Device,
}

impl Trainer {
    /// A fresh run on `device` (without autodiff; it is added here). `setup`: [`TrainConfig::setup`].
    ///
    /// # Errors
    /// When the configuration is not usable or the text side is missing.
    pub fn new(config: TrainConfig, setup: &Setup, device: &Device) -> Result<Self> {
        config.check()?;
        let device = device.clone().autodiff();
        let network = Network::new(&config.method, setup, &device)?;
        let optimizer = Optimizer::new(config.momentum, config.weight_decay, network.head.no_decay());
        let ema = Ema::new(&network, config.ema);
        Ok(Self { config, network, ema, optimizer, step: 0, best: None, device })
    }

    /// The device with autodiff, on which batches belong.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// One step of epoch `epoch` on `batch`.
    ///
    /// # Errors
    /// When the loss is no longer finite.
    pub fn step(mut self, batch: &Batch, epoch: usize) -> Result<(Self, StepLog)> {
        let lr = cosine(self.config.lr, epoch, self.config.epochs);
        let mut statistics = Vec::new();
        let layer4 = self.network.backbone.forward(batch.images.clone(), &mut statistics);
        let pass = self.network.head.trunk().forward(layer4, batch.log_diameter.clone());
        let Loss { total, terms, watched, log_probs } = self.network.head.loss(&pass, &batch.truth);
        let grads = GradientsParams::from_grads(total.clone().backward(), &self.network);
        let norm = gradient_norm(&self.network, &grads);
        let numbers = read([total.inner(), norm], &terms, &watched, log_probs.inner());
        let decision = self.network.head.decision();
        let answers = numbers.probabilities.iter().map(|p| decision.decide(p));
        let right = answers.zip(&batch.truth.labels).filter(|(a, l)| a == *l).count();
        let log = StepLog {
            epoch,
            step: self.step + 1,
            lr,
            loss: numbers.loss,
            terms: numbers.terms,
            watched: numbers.watched,
            gradient_norm: numbers.gradient_norm,
            accuracy: right as f64 / batch.truth.labels.len() as f64,
            samples: batch.truth.labels.len(),
            validation: None,
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
        self.network.backbone.absorb(statistics, MOMENTUM);
        self.network.head = self.network.head.after_step();
        self.ema = self.ema.update(&self.network);
        self.step += 1;
        Ok((self, log))
    }

    /// After the last step of an epoch.
    ///
    /// # Errors
    /// When the device fails.
    pub fn end_epoch(mut self, data: &Dataset, train: &[usize], norm: &Normalisation) -> Result<Self> {
        let Network { backbone, head } = self.network;
        let frozen = backbone.valid();
        let trunk = head.trunk().valid();
        let head = head.end_epoch(|| outputs(frozen, &trunk, data, train, norm, &self.config))?;
        self.network = Network { backbone, head };
        self.ema = self.ema.copy_buffers(&self.network);
        Ok(self)
    }

    /// After the last step of a run on these rows: what is left is the averaged network, of the last epoch or of the best.
    ///
    /// # Errors
    /// When the device fails.
    pub fn finish(mut self, data: &Dataset, train: &[usize], norm: &Normalisation) -> Result<Self> {
        self.ema.module = match self.best.take() {
            Some(best) => best.network,
            None => self.averaged(data, train, norm)?,
        };
        Ok(self)
    }

    /// The averaged network with the running statistics that it is to be used with.
    ///
    /// # Errors
    /// When the device fails.
    pub fn averaged(&self, data: &Dataset, train: &[usize], norm: &Normalisation) -> Result<Network> {
        let averaged = self.ema.module.clone();
        if self.config.ema_bn == EmaBn::Copy {
            return Ok(averaged);
        }
        let device = self.device.clone().without_autodiff();
        let backbone = recompute(averaged.backbone, data, train, norm, &self.config, &device);
        // what a head measures on the training data belongs to the averaged weights then, too
        let (frozen, trunk) = (backbone.clone(), averaged.head.trunk().clone());
        let head = averaged.head.end_epoch(|| outputs(frozen, &trunk, data, train, norm, &self.config))?;
        Ok(Network { backbone, head })
    }

    /// The averaged network's probabilities by the text features, for methods that can answer by them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn text_probabilities(
        &self,
        data: &Dataset,
        rows: &[usize],
        norm: &Normalisation,
    ) -> Result<Option<Vec<Vec<f64>>>> {
        text_probabilities(&self.ema.module, data, rows, norm, self.config.diameter)
    }

    /// PyTorch's name of every parameter.
    pub fn names(&self) -> BTreeMap<ParamId, String> {
        names(&self.network)
    }
}

/// The numbers of a step.
struct Numbers {
    loss: f64,
    gradient_norm: f64,
    terms: BTreeMap<String, f64>,
    watched: BTreeMap<String, f64>,
    probabilities: Vec<Vec<f64>>,
}

/// Reads loss, norm, terms and log-probabilities from the device at once: on a GPU each reading waits for all work so far.
fn read(
    numbers: [Tensor<1>; 2],
    terms: &[(&'static str, Tensor<1>)],
    watched: &[(&'static str, Tensor<1>)],
    log_probs: Tensor<2>,
) -> Numbers {
    let [n, classes] = log_probs.dims();
    let named = terms.iter().chain(watched).map(|(_, t)| t.clone().inner());
    let all: Vec<Tensor<1>> = numbers.into_iter().chain(named).chain([log_probs.reshape([n * classes])]).collect();
    let values: Vec<f64> = Tensor::cat(all, 0).into_data().iter::<f32>().map(f64::from).collect();
    let (heads, logs) = values.split_at(2 + terms.len() + watched.len());
    let (of_terms, of_watched) = heads[2..].split_at(terms.len());
    let map = |names: &[(&'static str, Tensor<1>)], values: &[f64]| {
        names.iter().zip(values).map(|((name, _), v)| ((*name).to_owned(), *v)).collect()
    };
    Numbers {
        loss: heads[0],
        gradient_norm: heads[1],
        terms: map(terms, of_terms),
        watched: map(watched, of_watched),
        probabilities: logs.chunks(classes).map(|row| row.iter().map(|l| l.exp()).collect()).collect(),
    }
}
