//! Steps recorded on a GPU and replayed: the host then launches one graph a step, not hundreds of kernels. What a step changes and what
//! it reads lie in the same arrays all the time, the learning rate too.

use std::fmt::{self, Display, Formatter};

use burn::tensor::Tensor;
use clip_lung_graphs::Recorded;

use super::batch::Batch;
use super::changing::{Changing, apart};
use super::numbers::{Numbers, Taken, number};
use super::schedule::cosine;
use super::step::Trainer;
use crate::error::Result;
use crate::nn::kernels::{self, LearningRate};

/// A recorded step may differ from a launched one by this share of how far the step goes: kernels that add in another order make
/// some difference.
const TOLERANCE: f64 = 0.02;

/// Why steps are not replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRecorded {
    /// The device has no graphs, or a step does what none can hold.
    Fell,
    /// A replayed step gave other weights than a launched one.
    Differs,
}

impl Display for NotRecorded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fell => "this device could not record one as a graph",
            Self::Differs => "a replayed one gave other weights than one whose kernels were launched",
        })
    }
}

/// A trainer whose steps are replayed.
pub struct Replay {
    trainer: Trainer,
    kept: Changing,
    /// The learning rate on the device, `[1]`, and what it is now.
    lr: (Tensor<1>, f64),
    steps: Vec<Step>,
}

/// The recorded step of a batch of one size.
struct Step {
    inputs: Batch,
    recorded: Recorded<Made>,
}

/// What a step leaves.
struct Made {
    numbers: Numbers,
    /// What it changed, which must live while it is recorded.
    _written: Vec<Tensor<1>>,
}

impl Replay {
    /// Records the step of a batch of each of these sizes; the trainer stays where it is, and comes back where that can't be done.
    ///
    /// # Errors
    /// When the device fails.
    pub fn new(trainer: Trainer, batches: Vec<Batch>) -> Result<std::result::Result<Self, (Trainer, NotRecorded)>> {
        let kept = Changing::of(&trainer).copies();
        let before = kept.copies();
        let device = trainer.device().clone().without_autodiff();
        let rate = cosine(trainer.config.lr, 0, trainer.config.epochs);
        let lr = (Tensor::full([1], rate, &device), rate);
        let mut replay = Self { trainer: kept.put_into(apart(trainer)), kept, lr, steps: Vec::new() };
        for batch in batches {
            let Some(step) = replay.record(batch) else {
                return Ok(Err((before.put_into(replay.trainer), NotRecorded::Fell)));
            };
            replay.steps.push(step);
            if !replay.agrees(&before)? {
                return Ok(Err((before.put_into(replay.trainer), NotRecorded::Differs)));
            }
            drop(replay.kept.write(&before));
        }
        Ok(Ok(replay))
    }

    /// The trainer now.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The trainer, which is replayed no more.
    pub fn into_trainer(self) -> Trainer {
        self.trainer
    }

    /// Replays a step, where there is one of the batch's size.
    pub fn queue(&mut self, batch: &Batch, epoch: usize) -> Option<Numbers> {
        let samples = batch.truth.labels.len();
        let Self { trainer, lr, steps, .. } = self;
        let step = steps.iter_mut().find(|step| step.inputs.truth.labels.len() == samples)?;
        let rate = cosine(trainer.config.lr, epoch, trainer.config.epochs);
        if lr.1 != rate {
            drop(kernels::write(vec![lr.0.clone()], vec![Tensor::full([1], rate, &lr.0.device())]));
            lr.1 = rate;
        }
        drop(kernels::write(arrays(&step.inputs), arrays(&prepared(trainer, batch.clone()))));
        let made = step.recorded.replay();
        trainer.step += 1;
        let of = Taken { epoch, step: trainer.step, lr: rate, decision: trainer.network.head.decision() };
        Some(made.numbers.again(of, batch.truth.labels.clone()))
    }

    /// Changes the trainer between two steps.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn change(mut self, change: impl FnOnce(Trainer) -> Result<Trainer>) -> Result<Self> {
        let trainer = change(self.trainer)?;
        drop(self.kept.write(&Changing::of(&trainer).copies()));
        self.trainer = self.kept.put_into(apart(trainer));
        Ok(self)
    }

    fn record(&self, batch: Batch) -> Option<Step> {
        let (trainer, kept, lr) = (self.trainer.clone(), self.kept.clone(), self.lr.0.clone());
        let inputs = with_own_arrays(prepared(&self.trainer, batch));
        let device = trainer.device().clone().without_autodiff();
        let read = inputs.clone();
        let recorded = Recorded::new(&device, move || {
            let (after, numbers) = trainer.clone().queue_at(&read, 0, LearningRate::Array(Box::new(lr.clone())));
            Made { numbers, _written: kept.write(&Changing::of(&after)) }
        });
        recorded.map(|recorded| Step { inputs, recorded })
    }

    /// Whether two replays of the last step recorded and two launched steps lead to the same place.
    fn agrees(&mut self, before: &Changing) -> Result<bool> {
        let start = before.without_average();
        drop(self.kept.write(&start));
        let Some(Step { inputs, recorded }) = self.steps.last_mut() else { return Ok(true) };
        for _ in 0..2 {
            recorded.replay();
        }
        let replayed = self.kept.copies();
        let mut launched = start.put_into(self.trainer.clone());
        for _ in 0..2 {
            (launched, _) = launched.queue_at(inputs, 0, LearningRate::Number(self.lr.1));
        }
        Ok(number(replayed.distance(&Changing::of(&launched), &start))? <= TOLERANCE)
    }
}

/// The batch with all that a step reads of it on the device.
fn prepared(trainer: &Trainer, mut batch: Batch) -> Batch {
    batch.truth.attribute_weights = trainer.network.head.attribute_weights(&batch.truth);
    batch
}

/// What a step reads of a batch.
fn arrays(batch: &Batch) -> Vec<Tensor<1>> {
    let Batch { images, log_diameter, truth } = batch;
    let images = images.clone().inner().flatten(0, 3);
    let tables = [Some(&truth.target), log_diameter.as_ref(), truth.attribute_weights.as_ref()].into_iter().flatten();
    std::iter::once(images).chain(tables.map(|table| table.clone().inner().flatten(0, 1))).collect()
}

fn with_own_arrays(mut batch: Batch) -> Batch {
    let mut own = kernels::copies(arrays(&batch)).into_iter();
    let Batch { images, log_diameter, truth } = &mut batch;
    if let Some(array) = own.next() {
        *images = Tensor::from_inner(array.reshape(images.dims()));
    }
    let tables = [Some(&mut truth.target), log_diameter.as_mut(), truth.attribute_weights.as_mut()];
    for (table, array) in tables.into_iter().flatten().zip(own) {
        *table = Tensor::from_inner(array.reshape(table.dims()));
    }
    batch
}

#[cfg(all(test, feature = "flex"))]
#[path = "replay_tests.rs"]
mod tests;
