//! The training loop, and what it shows.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::train::batch::{batch, epoch_batches};
use clip_lung_core::train::log::StepLog;
use clip_lung_core::train::split::Split;
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::volume::crop::Normalisation;
use indicatif::ProgressBar;

use crate::failure::Failure;
use crate::io::files;
use crate::io::run_dir::RunDir;
use crate::show::progress;

/// The loop: epochs of shuffled batches; the state is saved in between, at a signal, and at the end.
pub fn run(
    mut trainer: Trainer,
    dir: &mut RunDir,
    data: &Dataset,
    split: &Split,
    norm: &Normalisation,
    save_every: Duration,
) -> Result<Trainer> {
    let config = trainer.config.clone();
    let steps_an_epoch = split.train.len().div_ceil(config.batch_size) as u64;
    let total = steps_an_epoch * config.epochs as u64;
    let stop = progress::stop_signal()?;
    let progress = Progress::new(trainer.step, total);
    let mut saved = Instant::now();
    while trainer.step < total {
        let (epoch, index) = ((trainer.step / steps_an_epoch) as usize, (trainer.step % steps_an_epoch) as usize);
        let rows = &epoch_batches(&split.train, config.batch_size, config.seed, epoch)[index];
        let batch = batch(data, rows, norm, &config, epoch, trainer.device())?;
        let (next, log) = trainer.step(&batch, epoch)?;
        trainer =
            if next.step.is_multiple_of(steps_an_epoch) { next.end_epoch(data, &split.train, norm)? } else { next };
        dir.append(&log)?;
        progress.step(&log, trainer.step, steps_an_epoch);
        let stopping = stop.load(Ordering::Relaxed);
        if stopping || saved.elapsed() >= save_every || trainer.step == total {
            files::write(&dir.state_path(), &state::save(&trainer, norm)?)?;
            saved = Instant::now();
        }
        if stopping && trainer.step < total {
            let message = format!(
                "stopped after step {} of {total}; the state is saved, the same command continues",
                trainer.step
            );
            return Err(Failure::Interrupted(message).into());
        }
    }
    progress.finish();
    Ok(trainer)
}

/// A bar on a terminal, a line an epoch elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    start: (Instant, u64),
    total: u64,
}

impl Progress {
    fn new(done: u64, total: u64) -> Self {
        let bar = progress::bar(total, "steps").inspect(|bar| {
            bar.set_position(done);
            bar.reset_eta();
        });
        Self { bar, start: (Instant::now(), done), total }
    }

    fn step(&self, log: &StepLog, step: u64, steps_an_epoch: u64) {
        let message = format!("loss {:.3}, accuracy {:.2}", log.loss, log.accuracy);
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.set_message(message);
        } else if step.is_multiple_of(steps_an_epoch) {
            let pace = self.start.0.elapsed().as_secs_f64() / (step - self.start.1).max(1) as f64;
            let left = pace * (self.total - step) as f64;
            eprintln!(
                "epoch {}: step {step}/{}, last batch {message}; {pace:.2} s a step, {left:.0} s left",
                log.epoch + 1,
                self.total
            );
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
