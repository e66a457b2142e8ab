//! A run's directory: one writer, a state that is always whole, a log that matches it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::log::StepLog;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::io::events::Events;
use crate::io::files;
use crate::io::lock::Lock;
use crate::io::predictions::CONFIG;

/// A line a step.
pub const LOG: &str = "log.jsonl";

/// What a run was started with that its configuration does not hold: where things lie on this machine. Paths are kept whole, so that
/// the run can be continued from anywhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    pub data: String,
    pub text_encoder: String,
    pub text_seed: u64,
    /// `inner`, or where the data set lies that the run is validated on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validate: Option<String>,
    /// Where the data set lies that the run is scored on, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<String>,
    /// Whether the log is kept as TensorBoard's events too.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub tensorboard: bool,
}

impl Invocation {
    const FILE: &str = "invocation.json";

    /// Of the run in this directory; runs of version 0.1 have none.
    pub fn read(run: &Path) -> Result<Option<Self>> {
        files::read_json(&run.join(Self::FILE))
    }

    /// Into the run's directory.
    pub fn write(&self, run: &Path) -> Result<()> {
        files::write(&run.join(Self::FILE), &serde_json::to_vec_pretty(self)?)
    }
}

/// The directory while this process may write to it.
pub struct RunDir {
    path: PathBuf,
    log: Option<File>,
    /// The log as TensorBoard's events, where they are wanted.
    events: Option<Events>,
    with_events: bool,
    _lock: Lock,
}

impl RunDir {
    /// Creates the directory where needed and locks it.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::locked(path, Lock::take(path)?))
    }

    /// The directory that is locked already.
    pub fn locked(path: &Path, lock: Lock) -> Self {
        files::remove_unfinished(path, true);
        Self { path: path.into(), log: None, events: None, with_events: false, _lock: lock }
    }

    /// The same, with TensorBoard's events beside the log.
    #[must_use]
    pub fn with_events(self, wanted: bool) -> Self {
        Self { with_events: wanted, ..self }
    }

    /// The last step in a run's log, whoever writes it.
    pub fn last_step(run: &Path) -> u64 {
        read_log(&run.join(LOG)).last().map_or(0, |(_, log)| log.step)
    }

    /// The configuration of the run in this directory.
    pub fn config(run: &Path) -> Result<TrainConfig> {
        let path = run.join(CONFIG);
        let config = TrainConfig::parse(&files::read(&path)?, &path.display().to_string())?;
        config.check()?;
        Ok(config)
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The saved state, if there is one.
    pub fn state(&self) -> Result<Option<Vec<u8>>> {
        let path = self.state_path();
        if path.exists() { files::read(&path).map(Some) } else { Ok(None) }
    }

    /// Where the state lies.
    pub fn state_path(&self) -> PathBuf {
        self.file("state.safetensors")
    }

    /// Starts or continues the log: lines after step `step` were written by a process that died before it saved.
    pub fn continue_log(&mut self, step: u64) -> Result<()> {
        let path = self.file(LOG);
        let kept: String = read_log(&path)
            .into_iter()
            .filter(|(_, log)| log.step <= step)
            .fold(String::new(), |all, (line, _)| all + &line + "\n");
        files::write(&path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path);
        self.log = Some(file.map_err(|e| Failure::File(format!("{}: can't be opened ({e})", path.display())))?);
        if self.with_events {
            let mut events = Events::create(&self.path)?;
            self.steps().iter().try_for_each(|log| events.append(log))?;
            self.events = Some(events);
        }
        Ok(())
    }

    /// Appends one step.
    pub fn append(&mut self, log: &StepLog) -> Result<()> {
        let line = serde_json::to_string(log)? + "\n";
        if let Some(file) = &mut self.log {
            file.write_all(line.as_bytes()).map_err(|e| {
                Failure::File(format!("log.jsonl: can't be written ({e}); free some space and run the command again"))
            })?;
        }
        self.events.as_mut().map_or(Ok(()), |events| events.append(log))
    }

    /// All steps so far.
    pub fn steps(&self) -> Vec<StepLog> {
        steps(&self.path)
    }
}

/// All steps of the run in this directory; none where no log was kept.
pub fn steps(run: &Path) -> Vec<StepLog> {
    read_log(&run.join(LOG)).into_iter().map(|(_, log)| log).collect()
}

/// The whole lines of a log, as text and read; a last line that a kill cut short is left out.
fn read_log(path: &Path) -> Vec<(String, StepLog)> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(std::io::Result::ok);
    lines.filter_map(|l| StepLog::parse(&l).map(|log| (l, log))).collect()
}
