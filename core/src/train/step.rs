//! One training step, and the trainer that holds what a step changes.

use std::collections::BTreeMap;

use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::batch::Batch;
use super::best::Best;
use super::config::{EmaBn, TrainConfig};
use super::ema::Ema;
use super::evaluate::{outputs, text_probabilities};
use super::flat::gradients;
use super::log::StepLog;
use super::network::Network;
use super::numbers::{Numbers, Taken};
use super::optimizer::Optimizer;
use super::recompute::recompute;
use super::schedule::cosine;
use crate::dataset::crops::Dataset;
use crate::error::Result;
use crate::methods::Setup;
use crate::nn::kernels::{self, LearningRate};
use crate::nn::layers::MOMENTUM;
use crate::nn::parameters::names;
use crate::volume::crop::Normalisation;

/// A run between two steps.
#[derive(Clone)]
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

    /// One step of epoch `epoch` on `batch`, its numbers read.
    ///
    /// # Errors
    /// When the loss is no longer finite.
    pub fn step(self, batch: &Batch, epoch: usize) -> Result<(Self, StepLog)> {
        let (next, numbers) = self.queue(batch, epoch);
        Ok((next, numbers.read()?))
    }

    /// One step of epoch `epoch` on `batch`, of which nothing is read: a GPU need not have begun it. Whether the loss is finite shows
    /// when the numbers are read, and no state may be saved before that.
    pub fn queue(self, batch: &Batch, epoch: usize) -> (Self, Numbers) {
        let lr = cosine(self.config.lr, epoch, self.config.epochs);
        self.queue_at(batch, epoch, LearningRate::Number(lr))
    }

    /// [`Self::queue`] at this learning rate, which only the log of the numbers takes from the epoch.
    pub(super) fn queue_at(mut self, batch: &Batch, epoch: usize, by: LearningRate) -> (Self, Numbers) {
        let lr = cosine(self.config.lr, epoch, self.config.epochs);
        let mut statistics = Vec::new();
        let layer4 = self.network.backbone.forward(batch.images.clone(), &mut statistics);
        let pass = self.network.head.trunk().forward(layer4, batch.log_diameter.clone());
        let loss = self.network.head.loss(&pass, &batch.truth);
        let grads = GradientsParams::from_grads(loss.total.clone().backward(), &self.network);
        let grads = gradients(&self.network, grads);
        let norm = kernels::norm(grads.iter().map(|(_, grad)| grad.clone()).collect());
        let scale = self.config.clip_norm.map(|most| kernels::clip_factor(norm.clone(), most));
        let of = Taken { epoch, step: self.step + 1, lr, decision: self.network.head.decision() };
        let numbers = Numbers::new(of, loss, norm, batch.truth.labels.clone());
        self.network = self.optimizer.step(by, self.network, grads, scale);
        self.network.backbone.absorb(statistics, MOMENTUM);
        self.network.head = self.network.head.after_step();
        self.ema = self.ema.update(&self.network);
        self.step += 1;
        (self, numbers)
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
        self.ema.module = match &self.best {
            Some(best) => best.network.clone(),
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
