//! What is compared: a file of predictions, a run, or a method of a study.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::cells::{Cell, Study};
use clip_lung_core::study::summary::entry::{Entry, entries};
use clip_lung_core::train::config::HeldOut;

use crate::failure::Failure;
use crate::io::predictions::{self, CONFIG, METRICS, Metrics};
use crate::io::run_dir::RunDir;
use crate::io::study_dir::{STUDY, StudyDir};
use crate::io::study_results::StudyResults;

/// One side of a comparison.
pub struct Contender {
    /// As it was given.
    pub name: String,
    /// One a task, called by the name.
    pub entries: Vec<Entry>,
    /// The directories of the runs that it consists of.
    pub runs: Vec<PathBuf>,
    /// Whether its images are drawn, not scanned, as far as what was kept says so.
    pub synthetic: bool,
}

impl Contender {
    /// Reads what `name` names; `task` leaves the others out, and says what a file alone doesn't.
    pub fn read(name: &str, task: Option<Task>) -> Result<Self> {
        let path = Path::new(name);
        let (entries, runs, synthetic) = if path.is_file() {
            (vec![Entry::alone(name, &predictions::of_file(path, task)?, None)], Vec::new(), false)
        } else if path.join(STUDY).is_file() {
            let message = format!("{name} is a study; name one of its methods, as {name}:METHOD: {}", planned(path)?);
            return Err(Failure::Usage(message).into());
        } else if path.join(METRICS).is_file() {
            let (entry, synthetic) = run(name, path)?;
            (vec![entry], vec![path.to_owned()], synthetic)
        } else if let Some((study, method)) = name.rsplit_once(':').filter(|(s, _)| Path::new(s).join(STUDY).is_file())
        {
            of_study(name, Path::new(study), method, task)?
        } else {
            let message = format!(
                "{name}: neither a predictions.csv, nor the directory of a finished run, nor STUDY:METHOD of a study with a {STUDY}"
            );
            return Err(Failure::File(message).into());
        };
        let wanted = |e: &Entry| task.is_none_or(|t| e.task == t);
        let entries: Vec<Entry> = entries.into_iter().filter(wanted).collect();
        if let (Some(task), true) = (task, entries.is_empty()) {
            return Err(Failure::File(format!("{name}: there are no predictions of {} in it", task.name())).into());
        }
        Ok(Self { name: name.into(), entries, runs, synthetic })
    }

    /// Its text encoder in words; `None` where it has none, or where a file alone does not say.
    pub fn text_encoder(&self) -> Option<String> {
        let config = self.entries.iter().find_map(|entry| entry.config.as_ref())?;
        config.text_encoder.as_ref().map(|_| config.encoder())
    }
}

fn run(name: &str, dir: &Path) -> Result<(Entry, bool)> {
    let config = if dir.join(CONFIG).is_file() { Some(RunDir::config(dir)?) } else { None };
    if config.as_ref().is_some_and(|config| config.held_out == HeldOut::None && config.test.is_none()) {
        let message = format!("{name}: the run trained on all nodules, so it has no predictions of others to compare");
        return Err(Failure::File(message).into());
    }
    let metrics = Metrics::read(dir)?;
    let predictions = predictions::of_run(dir, &metrics, config.as_ref())?;
    Ok((Entry::alone(name, &predictions, config), metrics.synthetic_images))
}

/// The methods and variants of a study, as they are named.
fn rows(study: &Study) -> impl Iterator<Item = String> {
    study.cells.iter().map(Cell::row)
}

/// Those that a study has, in words.
fn planned(study: &Path) -> Result<String> {
    let names: BTreeSet<String> = rows(&StudyDir::open(study)?.study).collect();
    Ok(names.into_iter().collect::<Vec<_>>().join(", "))
}

/// The rows of a method on every task, the runs of those of `task`, and whether the study's images are drawn.
fn of_study(name: &str, study: &Path, method: &str, task: Option<Task>) -> Result<(Vec<Entry>, Vec<PathBuf>, bool)> {
    let results = StudyResults::read(study)?;
    let mut found = Vec::new();
    let mut known = Vec::new();
    for each in Task::ALL {
        for entry in entries(each, &results.finished, &results.anchors)? {
            known.push(entry.name.clone());
            if entry.name == method {
                found.push(entry.called(name));
            }
        }
    }
    if found.is_empty() {
        known.sort_unstable();
        known.dedup();
        let what = if rows(&results.dir.study).any(|row| row == method) { "not finished" } else { "not planned" };
        let message = format!("{}: `{method}` is {what} in it; there are {}", study.display(), known.join(", "));
        return Err(Failure::File(message).into());
    }
    let drawn = found.iter().filter(|e| task.is_none_or(|t| e.task == t));
    let runs = drawn.flat_map(|e| &e.cells).map(|id| results.dir.cell_dir(id)).collect();
    Ok((found, runs, results.finished.iter().any(|f| f.synthetic)))
}
