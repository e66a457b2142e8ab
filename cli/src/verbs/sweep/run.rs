//! `clip-lung sweep run`: starts workers, watches them, and goes on without those that die.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use burn::tensor::Device;
use clip_lung_core::study::cells::{Cell, CellId};

use super::team::{News, Over, Team};
use super::worker;
use crate::failure::Failure;
use crate::io::lock::Lock;
use crate::io::study_dir::{CellState, StudyDir};
use crate::machine::device;
use crate::run::cell;
use crate::run::shared::{self, Here, Shared};
use crate::run::training::{Pace, Shown};
use crate::show::progress;
use crate::show::study_progress::{Cost, StudyProgress};

#[derive(clap::Args)]
pub struct Args {
    /// The study's directory
    study: PathBuf,
    /// Run this cell alone, in this process
    #[arg(long)]
    cell: Option<CellId>,
    /// Processes that run cells at the same time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Seconds to wait for another process that has the cell, as one that is about to stop
    #[arg(long, default_value_t = 0, requires = "cell")]
    wait: u64,
    #[command(flatten)]
    here: Here,
    #[command(flatten)]
    on: device::Choice,
    /// Record a training step on a GPU once and replay it; auto: on an NVIDIA GPU
    #[arg(long, value_enum, default_value_t)]
    graphs: device::Graphs,
    /// Seconds between saved states; 0 saves after each step
    #[arg(long, default_value_t = 60)]
    save_every: u64,
    /// One of the processes that this command starts
    #[arg(long, hide = true)]
    worker: bool,
}

impl Args {
    /// Whether this process trains.
    pub fn trains(&self) -> bool {
        self.worker || self.cell.is_some()
    }
}

pub fn run(args: Args) -> Result<()> {
    let stop = progress::stop_signal()?;
    let save_every = Duration::from_secs(args.save_every);
    let (device, device_name) = args.on.open()?;
    let pace = Pace { save_every, stop: &stop, graphs: args.graphs.on(&device_name) };
    if args.worker {
        worker::stop_with_the_input(Arc::clone(&stop));
        return worker::run(&args.study, &device, pace);
    }
    device::advice(&device_name).iter().for_each(|advice| eprintln!("{advice}"));
    let study = StudyDir::open(&args.study)?;
    args.here.check_data(&study)?;
    args.here.keep(&study, &device)?;
    match &args.cell {
        Some(id) => alone(&study, id, &device, Duration::from_secs(args.wait), pace),
        None => supervise(&study, &args, &stop),
    }
}

/// One cell, in this process.
fn alone(study: &StudyDir, id: &CellId, device: &Device, wait: Duration, pace: Pace<'_>) -> Result<()> {
    let cell = study.cell(id)?;
    let is_done = || Ok::<_, anyhow::Error>(study.state(cell)? == CellState::Done);
    let lock = if is_done()? { None } else { Some(lock(&study.cell_dir(id), wait, pace.stop)?) };
    if let CellState::Stale { error } = study.state(cell)? {
        return Err(Failure::File(error).into());
    }
    // another process may have done it between the look and the lock
    let Some(lock) = lock.filter(|_| !is_done().unwrap_or(false)) else {
        println!("{id} is done");
        return Ok(());
    };
    let mut shared = Shared::load(study)?;
    let ran = cell::run(study, cell, lock, &mut shared, device, pace, Shown::new());
    if let Err(e) = &ran
        && !pace.stop.load(Ordering::Relaxed)
    {
        study.keep_error(id, &format!("{e:#}"))?;
    }
    ran
}

/// A directory's lock, as soon as no other process has it.
fn lock(path: &Path, wait: Duration, stop: &AtomicBool) -> Result<Lock> {
    let start = Instant::now();
    loop {
        if let Some(lock) = Lock::try_take(path)? {
            return Ok(lock);
        }
        if start.elapsed() >= wait {
            let message = format!("{}: another process runs the cell; wait for it with --wait SECONDS", path.display());
            return Err(Failure::File(message).into());
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted("stopped before another process was done with the cell".into()).into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn supervise(study: &StudyDir, args: &Args, stop: &AtomicBool) -> Result<()> {
    // what failed before is tried again
    for cell in &study.study.cells {
        if matches!(study.state(cell)?, CellState::Failed { .. }) {
            study.forget_error(&cell.id)?;
        }
    }
    shared::warnings(study)?
        .iter()
        .for_each(|warning| eprintln!("warning: {warning}; cells that train with it will fail"));
    if count_ready(study)? == 0 {
        Shared::keep(study)?;
    }
    let jobs = usize::from(args.jobs);
    let mut shown = StudyProgress::new(costs(study)?, jobs);
    let mut team = Team::new(command(args)?, jobs);
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        if !stopping && team.has_room() {
            team.fill(count_ready(study)?)?;
        }
        if team.is_empty() {
            break;
        }
        if stopping {
            team.stop();
        }
        if let Some((worker, news)) = team.next()? {
            tell(study, worker, news, &mut shown)?;
        }
    }
    drop(shown);
    if stop.load(Ordering::Relaxed) {
        let message = "stopped; states are saved, the same command continues";
        return Err(Failure::Interrupted(message.into()).into());
    }
    let Err(left) = summary(study) else { return Ok(()) };
    Err(match team.over() {
        Some(Over { reason, code }) => Failure::Process { message: format!("{reason}: {left:#}"), code: *code }.into(),
        None => left,
    })
}

/// Shows what became of a worker, and keeps it where its cell was lost.
fn tell(study: &StudyDir, worker: usize, news: News, shown: &mut StudyProgress) -> Result<()> {
    match news {
        News::Started(cell) => shown.start(worker, cell),
        News::Step { done, total } => shown.step(worker, done, total),
        News::Done(cell) => shown.end(worker, Ok(study.time(&cell).seconds)),
        News::Failed { error } => shown.end(worker, Err(&error)),
        News::Lost { cell, status } => {
            let error = format!("the process that ran it ended with {status}; see the messages above");
            study.keep_error(&cell, &error)?;
            shown.end(worker, Err(&error));
        }
        News::Missed(words) => shown.line(&words),
    }
    Ok(())
}

/// What is known of the cells' costs.
fn costs(study: &StudyDir) -> Result<Vec<Cost>> {
    let cost = |cell: &Cell| {
        let done = study.state(cell)? == CellState::Done;
        // a cell that another one trains costs nothing
        let epochs = if cell::twin(study, cell)?.is_some() { 0 } else { cell.config()?.epochs };
        let seconds = study.time(&cell.id).seconds;
        Ok(Cost { cell: cell.id.clone(), method: cell.method, epochs, done, seconds })
    };
    study.study.cells.iter().map(cost).collect()
}

fn count_ready(study: &StudyDir) -> Result<usize> {
    let mut ready = 0;
    for cell in &study.study.cells {
        ready += usize::from(worker::is_ready(study, cell)?);
    }
    Ok(ready)
}

/// What starts a worker.
fn command(args: &Args) -> Result<Command> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) / usize::from(args.jobs);
    let mut command = Command::new(std::env::current_exe().context("the program's own file can't be found")?);
    let save_every = args.save_every.to_string();
    command.args(["sweep", "run", "--worker", "--device", &args.on.device, "--graphs", args.graphs.word()]);
    command.args(["--save-every", &save_every]).arg(&args.study);
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        command.env("RAYON_NUM_THREADS", threads.max(1).to_string());
    }
    Ok(command)
}

/// What is left undone, as an error.
fn summary(study: &StudyDir) -> Result<()> {
    let (mut left, mut waiting) = (Vec::new(), 0);
    for cell in &study.study.cells {
        match study.state(cell)? {
            CellState::Done => {}
            CellState::Failed { error } | CellState::Stale { error } => left.push(format!("{}: {error}", cell.id)),
            CellState::Running { .. } => left.push(format!("{}: another process runs it", cell.id)),
            CellState::Waiting { .. } => waiting += 1,
        }
    }
    let undone = left.len() + waiting;
    if waiting > 0 {
        left.push(format!("{waiting} cells wait"));
    }
    let cells = study.study.cells.len();
    if left.is_empty() {
        println!("{}: all {cells} cells are done", study.path.display());
        return Ok(());
    }
    anyhow::bail!("{undone} of {cells} cells are not done:\n  {}", left.join("\n  "))
}
