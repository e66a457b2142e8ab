//! What every scheduler is told: a command a cell, what it takes, and which cell it waits for.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clip_lung_core::study::cells::{Cell, CellId};

use crate::io::study_dir::{CellState, StudyDir};
use crate::run::cell;

/// How long a cell waits for a process that still has it: one that is told to stop finishes its step first, and a file server keeps a
/// lost node's locks until their lease ends (90 s for Linux's NFS).
const WAIT: &str = "300";

/// Where the cells' messages go, within the study.
pub const LOGS: &str = "logs";

/// A cell that is not done.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub cell: CellId,
    /// The place among the tasks of the cell whose training is this one's too.
    pub after: Option<usize>,
}

/// What a cell takes of a node.
#[derive(Clone, Debug)]
pub struct Needs {
    pub cpus: u16,
    /// 0 or 1: a cell computes on one device.
    pub gpus: u16,
    pub device: String,
    pub save_every: u64,
}

/// The cells of a study that are to be run, those that wait for others at the end.
pub struct Job {
    /// This program's own file.
    program: String,
    /// The study's directory, from the root.
    pub study: PathBuf,
    pub needs: Needs,
    pub tasks: Vec<Task>,
}

impl Job {
    /// The cells that are neither done nor running, but those that wait for one that is. Stale ones are named on standard error: no task
    /// could run them.
    pub fn new(dir: &StudyDir, needs: Needs) -> Result<Self> {
        let program = std::env::current_exe().context("the program's own file can't be found")?;
        let is_running = |cell: &Cell| Ok::<_, anyhow::Error>(matches!(dir.state(cell)?, CellState::Running { .. }));
        let mut cells: Vec<(&Cell, Option<&Cell>)> = Vec::new();
        for cell in &dir.study.cells {
            match dir.state(cell)? {
                CellState::Done | CellState::Running { .. } => {}
                CellState::Stale { error } => eprintln!("warning: {} is left out: {error}", cell.id),
                CellState::Failed { .. } | CellState::Waiting { .. } => {
                    let twin = cell::twin(dir, cell)?;
                    if !twin.map(is_running).transpose()?.unwrap_or(false) {
                        cells.push((cell, twin));
                    }
                }
            }
        }
        let (waiting, free): (Vec<_>, Vec<_>) =
            cells.iter().partition(|(_, twin)| twin.is_some_and(|twin| cells.iter().any(|(c, _)| c.id == twin.id)));
        let place = |twin: &Cell| free.iter().position(|(cell, _)| cell.id == twin.id);
        let waiting = waiting.iter().map(|(cell, twin)| (cell, twin.and_then(place)));
        let tasks = free.iter().map(|(cell, _)| (cell, None)).chain(waiting);
        let tasks = tasks.map(|(cell, after)| Task { cell: cell.id.clone(), after }).collect();
        // links are kept: what they lead to may differ from node to node
        let study = std::path::absolute(&dir.path).context("the study's place can't be found")?;
        Ok(Self { program: program.display().to_string(), study, needs, tasks })
    }

    /// The study's directory as text.
    pub fn place(&self) -> String {
        self.study.display().to_string()
    }

    /// The command of a cell, word by word: what stands before the cell's name, and what behind it.
    pub fn command(&self) -> [Vec<String>; 2] {
        let save_every = self.needs.save_every.to_string();
        let before = [self.program.as_str(), "sweep", "run", &self.place(), "--cell"];
        let behind = ["--device", &self.needs.device, "--save-every", &save_every, "--wait", WAIT];
        [before.map(Into::into).into(), behind.map(Into::into).into()]
    }

    /// How many tasks wait for no other.
    pub fn free(&self) -> usize {
        self.tasks.iter().filter(|task| task.after.is_none()).count()
    }
}
