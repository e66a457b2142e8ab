//! The training loop, and what it shows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use clip_lung_core::train::log::StepLog;
use clip_lung_core::train::state;
use clip_lung_core::train::step::Trainer;
use clip_lung_core::train::steps::Steps;
use indicatif::ProgressBar;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use super::ahead;
use super::ahead::{Batches, Data, Readings};
use crate::failure::Failure;
use crate::io::files;
use crate::io::run_dir::RunDir;
use crate::show::progress;

/// Where training is.
pub struct Position<'a> {
    pub log: &'a StepLog,
    pub done: u64,
    pub total: u64,
    pub steps_an_epoch: u64,
}

/// How a run takes its steps, when it saves its state, and who stops it.
#[derive(Clone, Copy)]
pub struct Pace<'a> {
    pub save_every: Duration,
    pub stop: &'a AtomicBool,
    /// Whether a GPU may record a step and replay it.
    pub graphs: bool,
}

/// Who follows a run, step by step.
pub trait Watch {
    fn step(&mut self, position: &Position<'_>);
}

impl<F: FnMut(&Position<'_>)> Watch for F {
    fn step(&mut self, position: &Position<'_>) {
        self(position);
    }
}

/// The loop: epochs of shuffled batches; the state is saved in between, when asked to stop, and at the end. A step's numbers are read
/// while the next one is computed, except before anything is measured or saved: what a step made of no finite loss is never kept.
pub fn run(trainer: Trainer, dir: &mut RunDir, on: Data<'_>, pace: Pace<'_>, watch: impl Watch) -> Result<Trainer> {
    let config = trainer.config.clone();
    let steps_an_epoch = on.steps_an_epoch(&config);
    let total = steps_an_epoch * config.epochs as u64;
    let lines = Lines { dir, watch, total, steps_an_epoch };
    // before other threads use the device: their work could fall into the recording
    let steps = if pace.graphs && trainer.step < total { recorded(trainer, on)? } else { Steps::launched(trainer) };
    std::thread::scope(|scope| {
        let trainer = steps.trainer();
        let mut batches = Batches::start(scope, on, &config, trainer.device(), [trainer.step, total]);
        let mut readings = Readings::start(scope);
        take(steps, on, pace, lines, &mut batches, &mut readings)
    })
}

/// Steps that are replayed, where that works; else it is said why not.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn recorded(trainer: Trainer, on: Data<'_>) -> Result<Steps> {
    let batches = ahead::one_of_each_size(on, &trainer)?;
    let (steps, reason) = Steps::recorded(trainer, batches)?;
    if let Some(reason) = reason {
        eprintln!("note: steps are not replayed, which is slower: {reason}; --graphs off does not try it");
    }
    Ok(steps)
}

/// The CPU launches nothing.
#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn recorded(trainer: Trainer, _: Data<'_>) -> Result<Steps> {
    Ok(Steps::launched(trainer))
}

/// Where the steps' lines go.
struct Lines<'a, W> {
    dir: &'a mut RunDir,
    watch: W,
    total: u64,
    steps_an_epoch: u64,
}

impl<W: Watch> Lines<'_, W> {
    fn add(&mut self, log: &StepLog) -> Result<()> {
        self.dir.append(log)?;
        let Self { total, steps_an_epoch, .. } = *self;
        self.watch.step(&Position { log, done: log.step, total, steps_an_epoch });
        Ok(())
    }
}

fn take<W: Watch>(
    mut steps: Steps,
    on: Data<'_>,
    pace: Pace<'_>,
    mut lines: Lines<'_, W>,
    batches: &mut Batches<'_>,
    readings: &mut Readings<'_>,
) -> Result<Trainer> {
    let Data { data, train, norm, validation } = on;
    let total = lines.total;
    let (mut saved, mut waiting) = (Instant::now(), false);
    while steps.trainer().step < total {
        let (epoch, batch) = batches.next()?;
        let (next, numbers) = steps.queue(&batch, epoch);
        steps = next;
        let step = steps.trainer().step;
        readings.queue(numbers)?;
        if std::mem::replace(&mut waiting, true) {
            lines.add(&readings.wait()?)?;
        }
        let ends_epoch = step.is_multiple_of(lines.steps_an_epoch);
        let stopping = pace.stop.load(Ordering::Relaxed);
        let saving = stopping || saved.elapsed() >= pace.save_every || step == total;
        if !(ends_epoch || saving) {
            continue;
        }
        let mut log = readings.wait()?;
        waiting = false;
        if ends_epoch {
            steps = steps.change(|trainer| {
                let trainer = trainer.end_epoch(data, train, norm)?;
                let Some(validation) = validation else { return Ok(trainer) };
                let (trainer, found) = trainer.validate(data, train, norm, validation, epoch)?;
                log.validation = Some(found);
                Ok(trainer)
            })?;
        }
        lines.add(&log)?;
        if saving {
            files::write(&lines.dir.state_path(), &state::save(steps.trainer(), norm)?)?;
            saved = Instant::now();
        }
        if stopping && step < total {
            let message =
                format!("stopped after step {step} of {total}; the state is saved, the same command continues");
            return Err(Failure::Interrupted(message).into());
        }
    }
    Ok(steps.into_trainer())
}

/// A bar on a terminal, a line an epoch elsewhere.
pub struct Shown {
    bar: Option<ProgressBar>,
    /// When the first step of this process was done, and which it was.
    start: Option<(Instant, u64)>,
}

impl Shown {
    pub fn new() -> Self {
        Self { bar: None, start: None }
    }
}

impl Watch for Shown {
    fn step(&mut self, at: &Position<'_>) {
        let validated = at.log.validation.map_or(String::new(), |v| format!("; validation loss {:.3}", v.loss));
        let message = format!("loss {:.3}, accuracy {:.2}{validated}", at.log.loss, at.log.accuracy);
        let Some((start, first)) = self.start else {
            self.start = Some((Instant::now(), at.done));
            self.bar = progress::bar(at.total, "steps").inspect(|bar| {
                bar.set_position(at.done);
                bar.reset_eta();
            });
            return;
        };
        if let Some(bar) = &self.bar {
            bar.set_position(at.done);
            bar.set_message(message);
        } else if at.done.is_multiple_of(at.steps_an_epoch) {
            let pace = start.elapsed().as_secs_f64() / (at.done - first).max(1) as f64;
            let left = pace * (at.total - at.done) as f64;
            eprintln!(
                "epoch {}: step {}/{}, last batch {message}; {pace:.2} s a step, {left:.0} s left",
                at.log.epoch + 1,
                at.done,
                at.total
            );
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
