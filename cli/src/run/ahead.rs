//! What is done beside a step while the device computes it: the batches of the steps to come are made and uploaded, unless the device
//! makes them itself, and the numbers of the step before are read.

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use anyhow::{Result, anyhow};
use burn::tensor::Device;
use clip_lung_core::dataset::augment::Augment;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::nodules::Nodules;
use clip_lung_core::train::batch::{Batch, epoch_batches, images};
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::log::StepLog;
use clip_lung_core::train::numbers::Numbers;
use clip_lung_core::train::resident::Resident;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;

/// What a run trains on, and is validated on.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    pub data: &'a Dataset,
    pub train: &'a [usize],
    pub norm: &'a Normalisation,
    pub validation: Option<Nodules<'a>>,
}

impl Data<'_> {
    /// Batches of an epoch.
    pub fn steps_an_epoch(&self, config: &TrainConfig) -> u64 {
        self.train.len().div_ceil(config.batch_size) as u64
    }
}

/// A batch of every size that a run's batches have, in the order of its first.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub fn one_of_each_size(on: Data<'_>, trainer: &Trainer) -> Result<Vec<Batch>> {
    let config = &trainer.config;
    let mut sizes = BTreeMap::new();
    for rows in epoch_batches(on.train, config.batch_size, config.seed, 0) {
        sizes.entry(rows.len()).or_insert(rows);
    }
    let of = |rows: Vec<usize>| {
        let images = images(on.data, &rows, on.norm, Some((config.augment, config.seed, 0)), trainer.device());
        Batch::new(images, on.data, &rows, config, 0)
    };
    Ok(sizes.into_values().map(of).collect::<clip_lung_core::error::Result<_>>()?)
}

/// Makes the batch of any step.
struct Maker<'a> {
    on: Data<'a>,
    config: TrainConfig,
    device: Device,
    resident: Option<Resident>,
}

impl<'a> Maker<'a> {
    fn new(on: Data<'a>, config: &TrainConfig, device: &Device) -> Self {
        // what resamples does so on the CPU
        let moves = config.augment != Augment::Jitter;
        let resident = moves.then(|| Resident::upload(on.data, on.norm, device)).flatten();
        Self { on, config: config.clone(), device: device.clone(), resident }
    }

    /// Its epoch, and the batch.
    fn make(&self, step: u64) -> clip_lung_core::error::Result<(usize, Batch)> {
        let Self { on, config, device, resident } = self;
        let steps_an_epoch = on.steps_an_epoch(config);
        let (epoch, index) = ((step / steps_an_epoch) as usize, (step % steps_an_epoch) as usize);
        let rows = &epoch_batches(on.train, config.batch_size, config.seed, epoch)[index];
        let augment = Some((config.augment, config.seed, epoch));
        let images = match resident {
            Some(resident) => resident.images(rows, augment).autodiff(),
            None => images(on.data, rows, on.norm, augment, device),
        };
        Ok((epoch, Batch::new(images, on.data, rows, config, epoch)?))
    }
}

/// Batches that wait for their step.
const READY: usize = 1;

/// The batches of a run's steps.
pub struct Batches<'s>(Made<'s>);

enum Made<'s> {
    /// Made by another thread.
    Ahead { made: Receiver<clip_lung_core::error::Result<(usize, Batch)>>, maker: Option<ScopedJoinHandle<'s, ()>> },
    /// Gathered by the GPU that holds the data set, when its turn comes: only then are they asked for. Arrays that pass from one thread
    /// to another would make it wait.
    Gathered { maker: Box<Maker<'s>>, step: u64 },
}

impl<'s> Batches<'s> {
    /// From step `done` on, up to `total`; a thread ends with its scope.
    pub fn start<'e>(
        scope: &'s Scope<'s, 'e>,
        on: Data<'e>,
        config: &TrainConfig,
        device: &Device,
        [done, total]: [u64; 2],
    ) -> Self {
        let maker = Maker::new(on, config, device);
        if maker.resident.is_some() {
            return Self(Made::Gathered { maker: Box::new(maker), step: done });
        }
        let (sender, made) = sync_channel(READY);
        // nobody waits any more where sending fails: the run is stopped
        let maker = scope.spawn(move || {
            (done..total).all(|step| sender.send(maker.make(step)).is_ok());
        });
        Self(Made::Ahead { made, maker: Some(maker) })
    }

    /// The next step's epoch and batch.
    pub fn next(&mut self) -> Result<(usize, Batch)> {
        match &mut self.0 {
            Made::Ahead { made, maker } => Ok(made.recv().map_err(|_| ended(maker.take()))??),
            Made::Gathered { maker, step } => {
                *step += 1;
                Ok(maker.make(*step - 1)?)
            }
        }
    }
}

/// Reads the numbers of steps, one after another, on another thread.
pub struct Readings<'s> {
    queued: Sender<Numbers>,
    read: Receiver<clip_lung_core::error::Result<StepLog>>,
    reader: Option<ScopedJoinHandle<'s, ()>>,
}

impl<'s> Readings<'s> {
    /// The thread ends with its scope.
    pub fn start(scope: &'s Scope<'s, '_>) -> Self {
        let (queued, numbers) = channel::<Numbers>();
        let (logs, read) = channel();
        let reader = scope.spawn(move || {
            numbers.into_iter().all(|numbers| logs.send(numbers.read()).is_ok());
        });
        Self { queued, read, reader: Some(reader) }
    }

    /// Begins to read a step's numbers.
    pub fn queue(&mut self, numbers: Numbers) -> Result<()> {
        self.queued.send(numbers).map_err(|_| ended(self.reader.take()))
    }

    /// Waits for the line of the first step queued that was not waited for.
    pub fn wait(&mut self) -> Result<StepLog> {
        Ok(self.read.recv().map_err(|_| ended(self.reader.take()))??)
    }
}

/// Why a thread ended that is still needed: a device's panic in it goes on where it is waited for, and is told as one of its own.
fn ended(thread: Option<ScopedJoinHandle<'_, ()>>) -> anyhow::Error {
    match thread.map(ScopedJoinHandle::join) {
        Some(Err(panic)) => resume_unwind(panic),
        _ => anyhow!("a thread of the training ended before its time; please report it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_goes_on_where_its_thread_is_waited_for() {
        let caught = std::panic::catch_unwind(|| {
            std::thread::scope(|scope| {
                let (sender, made) = sync_channel(READY);
                let maker = scope.spawn(move || {
                    let _sender = sender;
                    panic!("wgpu: out of memory");
                });
                Batches(Made::Ahead { made, maker: Some(maker) }).next().map(drop)
            })
        });
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"wgpu: out of memory"));
    }
}
