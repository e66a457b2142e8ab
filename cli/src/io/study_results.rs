//! What is finished of a study: cells with their predictions, and anchors. No model and no data set is needed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::anchors::Anchor;
use clip_lung_core::study::audit::document::Audit;
use clip_lung_core::study::cells::Cell;
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::study::summary::finished::Finished;

use crate::failure::Failure;
use crate::io::files;
use crate::io::predictions::{self, Metrics};
use crate::io::run_dir::RunDir;
use crate::io::study_dir::StudyDir;

/// What the data and their split are worth.
pub const AUDIT: &str = "audit.json";

/// A study with what is finished of it.
pub struct StudyResults {
    pub dir: StudyDir,
    pub finished: Vec<Finished>,
    pub anchors: Vec<(Anchor, Predictions)>,
    /// Of the data, where it was kept.
    pub audit: Option<Audit>,
}

impl StudyResults {
    /// Reads plan, finished cells and anchors.
    ///
    /// A cell that is another than planned, and predictions that were changed, are refused by name.
    pub fn read(path: &Path) -> Result<Self> {
        let dir = StudyDir::open(path)?;
        let cells = &dir.study.cells;
        let done = cells.iter().filter(|c| predictions::finished(&dir.cell_dir(&c.id)));
        let finished = done.map(|c| finished(&dir, c)).collect::<Result<Vec<_>>>()?;
        if finished.is_empty() {
            let (place, n) = (path.display(), cells.len());
            let message = format!("{place}: none of {n} cells is finished; run `clip-lung sweep run {place}`");
            return Err(Failure::File(message).into());
        }
        let mut anchors = Vec::new();
        for task in Task::ALL {
            for anchor in Anchor::ALL {
                let file = anchor_file(path, task, anchor);
                if file.is_file() {
                    anchors.push((anchor, predictions::of_file(&file, Some(task))?));
                }
            }
        }
        let audit = audit(&path.join(AUDIT))?;
        Ok(Self { dir, finished, anchors, audit })
    }
}

fn audit(path: &Path) -> Result<Option<Audit>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bad = |e: serde_json::Error| Error::BadJson { file: path.display().to_string(), reason: e.to_string() };
    Ok(Some(serde_json::from_slice(&files::read(path)?).map_err(bad)?))
}

/// Where an anchor's predictions are kept.
pub fn anchor_file(study: &Path, task: Task, anchor: Anchor) -> PathBuf {
    study.join("anchors").join(format!("{}.{}.csv", task.name(), anchor.name()))
}

fn finished(study: &StudyDir, cell: &Cell) -> Result<Finished> {
    let dir = study.cell_dir(&cell.id);
    let stale = |reason: String| Error::Stale { cell: cell.id.to_string(), reason };
    let metrics = Metrics::read(&dir)?;
    if (metrics.method, metrics.task, metrics.fold) != (cell.method, cell.task, cell.fold) {
        return Err(stale("its metrics.json is that of another cell".into()).into());
    }
    let (found, expected) = (&metrics.data.sha256, &study.study.data.sha256);
    if found != expected {
        return Err(stale(format!("its metrics are of data of SHA-256 {found}, not {expected}")).into());
    }
    if let Some(difference) = metrics.program.difference() {
        return Err(stale(difference).into());
    }
    // finished cells may be kept without it: the plan has the same
    let ran = if dir.join("config.json").is_file() { Some(RunDir::config(&dir)?) } else { None };
    let config = match &ran {
        Some(config) => config.clone(),
        None => cell.config()?,
    };
    let predictions = predictions::of_run(&dir, &metrics, Some(&config))?;
    Ok(Finished::new(&study.study, cell, ran, predictions, metrics.synthetic_images)?)
}
