//! All arrays of a trainer that a step changes.

use std::collections::HashSet;

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::best::Best;
use super::flat::{Flat, put, values};
use super::network::Network;
use super::step::Trainer;
use crate::nn::kernels;

/// Without autodiff, flat, each with the parameter it belongs to.
#[derive(Clone)]
pub struct Changing {
    /// Weights and running statistics.
    network: Flat,
    velocities: Flat,
    /// The averaged weights; their running statistics change with the epoch.
    average: Flat,
}

impl Changing {
    /// Those of a trainer; velocities are zeros before a parameter's first step.
    pub fn of(trainer: &Trainer) -> Self {
        let trained = values(&trainer.network, true);
        let velocities = trained.iter().map(|(id, value)| (*id, trainer.optimizer.velocity(*id, value)));
        let (velocities, ids) = (velocities.collect(), ids(&trained));
        let average = all(&trainer.ema.module).into_iter().filter(|(id, _)| ids.contains(id)).collect();
        let network = [trained, values(&trainer.network, false)].concat();
        Self { network, velocities, average }
    }

    /// The trainer with these arrays.
    pub fn put_into(&self, mut trainer: Trainer) -> Trainer {
        trainer.network = put(trainer.network, self.network.clone());
        trainer.optimizer.restore_velocities(self.velocities.clone());
        trainer.ema.module = put(trainer.ema.module, self.average.clone());
        trainer
    }

    /// Copies in arrays of their own.
    pub fn copies(&self) -> Self {
        self.like(kernels::copies(self.tensors()))
    }

    /// Writes other values, of a trainer of the same kind, into these arrays; what this returns must live until that is done.
    pub fn write(&self, values: &Self) -> Vec<Tensor<1>> {
        kernels::write(self.tensors(), values.tensors())
    }

    /// How far these values are from others, beside how far those are from where both started.
    pub fn distance(&self, other: &Self, start: &Self) -> Tensor<1> {
        let apart = |a: &Self, b: &Self| {
            let pairs = a.tensors().into_iter().zip(b.tensors()).collect();
            kernels::norm(kernels::blend(pairs, [1.0, -1.0]))
        };
        apart(self, other) / apart(other, start)
    }

    fn tensors(&self) -> Vec<Tensor<1>> {
        let all = [&self.network, &self.velocities, &self.average].into_iter().flatten();
        all.map(|(_, tensor)| tensor.clone()).collect()
    }

    /// The same parameters with other tensors.
    fn like(&self, tensors: Vec<Tensor<1>>) -> Self {
        let mut tensors = tensors.into_iter();
        let mut next = |flat: &Flat| flat.iter().zip(&mut tensors).map(|((id, _), tensor)| (*id, tensor)).collect();
        Self { network: next(&self.network), velocities: next(&self.velocities), average: next(&self.average) }
    }
}

/// A trainer of which nothing but what a step changes lies in arrays that others overwrite.
pub fn apart(mut trainer: Trainer) -> Trainer {
    let trained = ids(&values(&trainer.network, true));
    let buffers = all(&trainer.ema.module).into_iter().filter(|(id, _)| !trained.contains(id)).collect();
    trainer.ema.module = put(trainer.ema.module, own(buffers));
    trainer.best = trainer.best.map(|best| {
        let values = own(all(&best.network));
        Best { network: put(best.network, values), ..best }
    });
    trainer
}

fn own(values: Flat) -> Flat {
    let (ids, tensors): (Vec<ParamId>, Vec<Tensor<1>>) = values.into_iter().unzip();
    ids.into_iter().zip(kernels::copies(tensors)).collect()
}

fn all(network: &Network) -> Flat {
    [values(network, true), values(network, false)].concat()
}

fn ids(values: &Flat) -> HashSet<ParamId> {
    values.iter().map(|(id, _)| *id).collect()
}
