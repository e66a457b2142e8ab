//! A study's directory: `study.json`, `cells/ID/` with a run each, `log.txt`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::study::cells::{Cell, CellId, Study};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::io::files;
use crate::io::lock::Lock;
use crate::io::predictions::{self, CONFIG, Metrics, PREDICTIONS};
use crate::io::run_dir::{LOG, RunDir};

/// The study's own file.
pub const STUDY: &str = "study.json";
const ERROR: &str = "error.txt";
const TIME: &str = "time.json";

/// A study on the disk.
pub struct StudyDir {
    pub path: PathBuf,
    pub study: Study,
}

/// Where a cell stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum CellState {
    Done,
    /// A process holds its lock.
    Running {
        step: u64,
        steps: u64,
    },
    /// It failed, and its error was kept; the next `sweep run` tries it again.
    Failed {
        error: String,
    },
    /// Its directory holds a run of other settings or of another program, or one whose files can't be read.
    Stale {
        error: String,
    },
    /// It has not been started, or was interrupted after some steps.
    Waiting {
        step: u64,
        steps: u64,
    },
}

/// How long a cell took so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// Steps of the whole run.
    pub steps: u64,
    pub seconds: f64,
}

impl StudyDir {
    /// The study in this directory.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.join(STUDY);
        if !file.is_file() {
            let message = format!("{}: there is no study; plan one with `clip-lung sweep plan`", file.display());
            return Err(Failure::File(message).into());
        }
        let study = Study::read(&file.display().to_string(), &files::read(&file)?)?;
        study.cells.iter().try_for_each(|cell| cell.config().map(drop))?;
        Ok(Self { path: path.into(), study })
    }

    /// A new study, or more cells of the one that is there; the number of cells that are new.
    pub fn plan(path: &Path, study: Study) -> Result<(Self, usize)> {
        files::create_dir(path)?;
        let _lock = Lock::take(path)?;
        let mut kept = if path.join(STUDY).exists() {
            Self::open(path)?.study
        } else {
            Study { cells: Vec::new(), ..study.clone() }
        };
        let refuse = |what: String| {
            let message = format!("{}: {what}; plan another study beside it", path.join(STUDY).display());
            anyhow::Error::from(Failure::File(message))
        };
        if kept.data != study.data {
            let (a, b) = (&kept.data, &study.data);
            return Err(refuse(format!("it is of {} ({}), not of {} ({})", a.name, a.sha256, b.name, b.sha256)));
        }
        let before = kept.cells.len();
        for cell in study.cells {
            match kept.cell(&cell.id) {
                Some(known) if known.config()? != cell.config()? => {
                    return Err(refuse(format!("it has {} with other settings", cell.id)));
                }
                Some(_) => {}
                None => kept.cells.push(cell),
            }
        }
        files::write(&path.join(STUDY), &kept.write()?)?;
        let new = kept.cells.len() - before;
        Ok((Self { path: path.into(), study: kept }, new))
    }

    /// A cell's run directory.
    pub fn cell_dir(&self, id: &CellId) -> PathBuf {
        self.path.join("cells").join(id.as_str())
    }

    /// The cell of this name.
    pub fn cell(&self, id: &CellId) -> Result<&Cell> {
        let missing = || Failure::File(format!("{}: the study has no cell {id}", self.path.display()));
        Ok(self.study.cell(id).ok_or_else(missing)?)
    }

    /// Where a cell stands.
    pub fn state(&self, cell: &Cell) -> Result<CellState> {
        let dir = self.cell_dir(&cell.id);
        let stale = |other: &str| {
            let error = format!("{}{other}; remove it to run it again", dir.display());
            Ok(CellState::Stale { error })
        };
        if dir.join(CONFIG).is_file() {
            match RunDir::config(&dir) {
                Ok(ran) if ran == cell.config()? => {}
                Ok(_) => return stale(" is of other settings than study.json has"),
                Err(e) => return stale(&format!(": {e:#}")),
            }
        }
        if self.is_finished(cell) {
            return Ok(self
                .kept(cell)
                .map_or_else(|e| CellState::Stale { error: format!("{e:#}") }, |_| CellState::Done));
        }
        let held = Lock::is_held(&dir);
        if !held && let Ok(error) = std::fs::read_to_string(dir.join(ERROR)) {
            return Ok(CellState::Failed { error });
        }
        let (step, steps) = (RunDir::last_step(&dir), self.time(&cell.id).steps);
        Ok(if held { CellState::Running { step, steps } } else { CellState::Waiting { step, steps } })
    }

    /// Whether a cell has left all that a finished one leaves, as it should be or not: what tells the two apart reads its predictions.
    pub fn is_finished(&self, cell: &Cell) -> bool {
        predictions::finished(&self.cell_dir(&cell.id))
    }

    /// Whether a cell is finished, with the settings that were planned and by this program. Its predictions are checked by who reads them.
    pub fn is_as_planned(&self, cell: &Cell) -> Result<bool> {
        let planned = cell.config()?;
        let ran_so = || RunDir::config(&self.cell_dir(&cell.id)).is_ok_and(|ran| ran == planned);
        Ok(self.is_finished(cell) && ran_so() && self.metrics(cell).is_ok())
    }

    /// A finished cell's predictions, as bytes, and what is known of them.
    ///
    /// # Errors
    /// The cell is stale where these are of another cell, of other data or of another program, can't be read, or are not as they were
    /// written.
    pub fn kept(&self, cell: &Cell) -> Result<(Metrics, Vec<u8>)> {
        let metrics = self.metrics(cell)?;
        let bytes =
            predictions::unchanged(&self.cell_dir(&cell.id), &metrics).map_err(|e| refused(cell, changed(&e)))?;
        Ok((metrics, bytes))
    }

    /// What is known of a finished cell's predictions.
    fn metrics(&self, cell: &Cell) -> Result<Metrics, Error> {
        let metrics = Metrics::read(&self.cell_dir(&cell.id)).map_err(|e| refused(cell, format!("{e:#}")))?;
        let (found, expected) = (&metrics.data.sha256, &self.study.data.sha256);
        let reason = if (metrics.method, metrics.task, metrics.fold) != (cell.method, cell.task, cell.fold) {
            Some("its metrics.json is that of another cell".into())
        } else if found != expected {
            Some(format!("its metrics are of data of SHA-256 {found}, not {expected}"))
        } else if metrics.predictions_sha256.is_none() {
            let lacks = "its metrics.json has no `predictions_sha256`, so nothing says that its predictions are as they were written";
            Some(lacks.into())
        } else {
            metrics.program.difference()
        };
        reason.map_or(Ok(metrics), |reason| Err(refused(cell, reason)))
    }

    /// Keeps why a cell failed.
    pub fn keep_error(&self, id: &CellId, error: &str) -> Result<()> {
        self.log(&format!("failed {id}: {error}"))?;
        files::create_dir(&self.cell_dir(id))?;
        files::write(&self.cell_dir(id).join(ERROR), error.as_bytes())
    }

    /// Lets a failed cell be run again.
    pub fn forget_error(&self, id: &CellId) -> Result<()> {
        match std::fs::remove_file(self.cell_dir(id).join(ERROR)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::File(format!("{}: can't be removed ({e})", self.cell_dir(id).join(ERROR).display()))
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// How long a cell took so far; nothing where that is not known.
    pub fn time(&self, id: &CellId) -> Time {
        let read = std::fs::read(self.cell_dir(id).join(TIME)).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps how long a cell took so far.
    pub fn keep_time(&self, id: &CellId, time: Time) -> Result<()> {
        files::write(&self.cell_dir(id).join(TIME), &serde_json::to_vec(&time)?)
    }

    /// A line in the study's log.
    pub fn log(&self, line: &str) -> Result<()> {
        let path = self.path.join("log.txt");
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(format!("{now} {line}\n").as_bytes()))
            .map_err(|e| Failure::File(format!("{}: can't be written ({e})", path.display())).into())
    }
}

fn refused(cell: &Cell, reason: String) -> Error {
    Error::Stale { cell: cell.id.to_string(), reason }
}

/// Why predictions are not as they were written, in words.
fn changed(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Digest { file, expected, found }) => {
            format!("{file} was changed: its SHA-256 is {found}, {expected} was written")
        }
        _ => format!("{error:#}"),
    }
}

/// That a place holds no run and no study, whose files others would replace.
pub fn is_free(out: &Path) -> Result<()> {
    let holds = [(LOG, "a training run"), (PREDICTIONS, "a training run"), (STUDY, "a study")];
    match holds.into_iter().find(|(file, _)| out.join(file).exists()) {
        Some((_, what)) => {
            Err(Failure::File(format!("{} is {what}; give another place for --out", out.display())).into())
        }
        None => Ok(()),
    }
}
