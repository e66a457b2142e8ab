//! All arrays of a trainer that a step changes.

use std::collections::HashSet;

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::best::Best;
use super::flat::{Flat, put, values};
use super::network::Network;
use super::step::Trainer;
use crate::nn::kernels;

/// What f32 rounds off, as a share of an array's norm, where a step moves that array less: 2e-7 of it at a tolerance of 0.02.
const ROUNDING: f64 = 1e-5;

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

    /// Writes other values, of a trainer of the same kind, into these arrays; what this returns must live while it is recorded.
    pub fn write(&self, values: &Self) -> Vec<Tensor<1>> {
        kernels::write(self.tensors(), values.tensors())
    }

    /// The same with averages of zero, beside which what a step adds to them is not rounded off.
    pub fn without_average(&self) -> Self {
        let average = self.average.iter().map(|(id, tensor)| (*id, tensor.zeros_like())).collect();
        Self { average, ..self.clone() }
    }

    /// How far these values are from others, beside how far those are from where both started: the most of weights, running statistics,
    /// velocities and averages, each of another size. `[1]`
    pub fn distance(&self, other: &Self, start: &Self) -> Tensor<1> {
        let apart = |a: &[(ParamId, Tensor<1>)], b: &[(ParamId, Tensor<1>)]| {
            let pairs = tensors(a).zip(tensors(b)).collect();
            kernels::norm(kernels::blend(pairs, [1.0, -1.0]))
        };
        let kinds = self.kinds().into_iter().zip(other.kinds()).zip(start.kinds());
        let shares = kinds
            .filter(|((kind, _), _)| !kind.is_empty())
            .map(|((a, b), from)| apart(a, b) / (apart(b, from) + kernels::norm(tensors(b).collect()) * ROUNDING));
        Tensor::cat(shares.collect(), 0).max()
    }

    /// Weights, running statistics, velocities, averages.
    fn kinds(&self) -> [&[(ParamId, Tensor<1>)]; 4] {
        let (weights, statistics) = self.network.split_at(self.velocities.len());
        [weights, statistics, &self.velocities, &self.average]
    }

    fn tensors(&self) -> Vec<Tensor<1>> {
        self.kinds().into_iter().flat_map(tensors).collect()
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

fn tensors(kind: &[(ParamId, Tensor<1>)]) -> impl Iterator<Item = Tensor<1>> {
    kind.iter().map(|(_, tensor)| tensor.clone())
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

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::methods::{Method, Setup, Truth};
    use crate::nn::kernels::LearningRate;
    use crate::train::batch::Batch;
    use crate::train::config::TrainConfig;
    use crate::train::numbers::number;

    /// What a recording leaves as it was shows, whichever kind of array it is and however small the learning rate.
    #[test]
    fn each_kind_of_array_counts() {
        let device = Device::flex();
        let setup =
            Setup { class_counts: vec![2, 1, 1], pool: Default::default(), diameter: false, seed: 2, text: None };
        let trainer = Trainer::new(TrainConfig::of(Method::Ce), &setup, &device).unwrap();
        let on = device.autodiff();
        let images = Tensor::random([2, 32, 32, 32], burn::tensor::Distribution::Default, &on);
        let truth = Truth::new(vec![0, 2], 3, vec![[3.0; 8]; 2], vec![3.0; 2], &on);
        let batch = Batch { images, log_diameter: None, truth };
        let start = Changing::of(&trainer).without_average();
        let mut after = start.put_into(trainer);
        for _ in 0..2 {
            (after, _) = after.queue_at(&batch, 0, LearningRate::Number(1e-5));
        }
        let after = Changing::of(&after);
        let share = |found: &Changing| number(found.distance(&after, &start)).unwrap();
        assert_eq!(share(&after), 0.0);
        let (weights, statistics) = after.network.split_at(after.velocities.len());
        let (old_weights, old_statistics) = start.network.split_at(after.velocities.len());
        let unwritten = [
            Changing { network: [old_weights, statistics].concat(), ..after.clone() },
            Changing { network: [weights, old_statistics].concat(), ..after.clone() },
            Changing { velocities: start.velocities.clone(), ..after.clone() },
            Changing { average: start.average.clone(), ..after.clone() },
        ];
        for (kind, found) in unwritten.iter().enumerate() {
            assert!(share(found) > 0.1, "kind {kind}: {}", share(found));
        }
    }
}
