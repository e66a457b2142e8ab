//! A process that runs cells one after the other and says on its standard output what it does. It stops as at a signal when its
//! standard input ends, so that no worker outlives who started it.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use burn::tensor::Device;
use clip_lung_core::study::cells::{Cell, CellId};
use serde::{Deserialize, Serialize};

use crate::io::lock::Lock;
use crate::io::study_dir::{CellState, StudyDir};
use crate::run::cell;
use crate::run::shared::Shared;
use crate::run::training::{Pace, Position};

/// A line that a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    Start { cell: CellId },
    Step { done: u64, total: u64 },
    Done,
    Failed { error: String },
}

impl Event {
    fn say(&self) {
        if let Ok(line) = serde_json::to_string(self) {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }
}

/// Runs all cells that nobody else runs, until none is left.
pub fn run(path: &Path, device: &Device, pace: Pace<'_>) -> Result<()> {
    let study = StudyDir::open(path)?;
    let mut shared = Shared::load(&study)?;
    while let Some((cell, lock)) = next(&study)? {
        Event::Start { cell: cell.id.clone() }.say();
        let mut said: Option<Instant> = None;
        let watch = |at: &Position<'_>| {
            if said.is_none_or(|said| said.elapsed() > Duration::from_millis(200)) || at.done == at.total {
                Event::Step { done: at.done, total: at.total }.say();
                said = Some(Instant::now());
            }
        };
        match cell::run(&study, cell, lock, &mut shared, device, pace, watch) {
            Ok(()) => Event::Done.say(),
            Err(e) if pace.stop.load(Ordering::Relaxed) => return Err(e),
            Err(e) => {
                let error = format!("{e:#}");
                study.keep_error(&cell.id, &error)?;
                Event::Failed { error }.say();
            }
        }
        if pace.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
    Ok(())
}

/// The next cell that is waiting and not another's, with its lock.
fn next(study: &StudyDir) -> Result<Option<(&Cell, Lock)>> {
    for cell in &study.study.cells {
        if !is_ready(study, cell)? {
            continue;
        }
        let Some(lock) = Lock::try_take(&study.cell_dir(&cell.id))? else { continue };
        // another worker may have done it between the look and the lock
        if study.state(cell)? != CellState::Done {
            return Ok(Some((cell, lock)));
        }
    }
    Ok(None)
}

/// Whether a cell can be run now.
pub fn is_ready(study: &StudyDir, cell: &Cell) -> Result<bool> {
    // this is asked again and again: of finished cells their files are enough
    if study.is_finished(cell) || !matches!(study.state(cell)?, CellState::Waiting { .. }) {
        return Ok(false);
    }
    // what another cell trains is not trained again
    let Some(twin) = cell::twin(study, cell)?.filter(|twin| !study.is_finished(twin)) else { return Ok(true) };
    Ok(matches!(study.state(twin)?, CellState::Failed { .. } | CellState::Stale { .. }))
}

/// Stops when the process that started this one closes its input, or ends.
pub fn stop_with_the_input(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let mut buffer = [0u8; 64];
        while matches!(std::io::stdin().read(&mut buffer), Ok(n) if n > 0) {}
        stop.store(true, Ordering::Relaxed);
    });
}
