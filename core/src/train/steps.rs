//! The steps of a run: launched kernel by kernel, or replayed where a GPU has recorded them.

use super::batch::Batch;
use super::numbers::Numbers;
#[cfg(feature = "cube")]
use super::replay::{NotRecorded, Replay};
use super::step::Trainer;
use crate::error::Result;

/// A trainer and how its steps are taken.
pub enum Steps {
    Launched(Box<Trainer>),
    #[cfg(feature = "cube")]
    Replayed(Box<Replay>),
}

impl Steps {
    /// Whose kernels are launched one by one.
    pub fn launched(trainer: Trainer) -> Self {
        Self::Launched(Box::new(trainer))
    }

    /// Recorded for batches of these sizes where that works, and why not.
    ///
    /// # Errors
    /// When the device fails.
    #[cfg(feature = "cube")]
    pub fn recorded(trainer: Trainer, batches: Vec<Batch>) -> Result<(Self, Option<NotRecorded>)> {
        Ok(match Replay::new(trainer, batches)? {
            Ok(replay) => (Self::Replayed(Box::new(replay)), None),
            Err((trainer, reason)) => (Self::launched(trainer), Some(reason)),
        })
    }

    /// The trainer now.
    pub fn trainer(&self) -> &Trainer {
        match self {
            Self::Launched(trainer) => trainer,
            #[cfg(feature = "cube")]
            Self::Replayed(replay) => replay.trainer(),
        }
    }

    /// The trainer, at the end.
    pub fn into_trainer(self) -> Trainer {
        match self {
            Self::Launched(trainer) => *trainer,
            #[cfg(feature = "cube")]
            Self::Replayed(replay) => replay.into_trainer(),
        }
    }

    /// One step, of which nothing is read: [`Trainer::queue`].
    pub fn queue(self, batch: &Batch, epoch: usize) -> (Self, Numbers) {
        match self {
            Self::Launched(trainer) => launched(*trainer, batch, epoch),
            #[cfg(feature = "cube")]
            Self::Replayed(mut replay) => match replay.queue(batch, epoch) {
                Some(numbers) => (Self::Replayed(replay), numbers),
                None => launched(replay.into_trainer(), batch, epoch),
            },
        }
    }

    /// Changes the trainer between two steps.
    ///
    /// # Errors
    /// Those of `change`.
    pub fn change(self, change: impl FnOnce(Trainer) -> Result<Trainer>) -> Result<Self> {
        Ok(match self {
            Self::Launched(trainer) => Self::launched(change(*trainer)?),
            #[cfg(feature = "cube")]
            Self::Replayed(replay) => Self::Replayed(Box::new(replay.change(change)?)),
        })
    }
}

fn launched(trainer: Trainer, batch: &Batch, epoch: usize) -> (Steps, Numbers) {
    let (trainer, numbers) = trainer.queue(batch, epoch);
    (Steps::launched(trainer), numbers)
}
