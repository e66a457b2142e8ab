//! What is finished of a study: cells with their predictions, and anchors. No model and no data set is needed.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::study::anchors::Anchor;
use clip_lung_core::study::audit::document::Audit;
use clip_lung_core::study::cells::Cell;
use clip_lung_core::study::pooled::Predictions;
use clip_lung_core::study::summary::finished::Finished;

use crate::failure::Failure;
use crate::io::anchor_files::AnchorFiles;
use crate::io::files;
use crate::io::predictions;
use crate::io::run_dir::RunDir;
use crate::io::study_dir::StudyDir;
use crate::show::command::typed;

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
        let done = cells.iter().filter(|c| dir.is_finished(c));
        let finished = done.map(|c| finished(&dir, c)).collect::<Result<Vec<_>>>()?;
        if finished.is_empty() {
            let (place, n, study) = (path.display(), cells.len(), typed(path));
            let message = format!("{place}: none of {n} cells is finished; run `clip-lung sweep run {study}`");
            return Err(Failure::File(message).into());
        }
        let anchors = AnchorFiles::open(path)?.read()?;
        let audit = audit(&dir)?;
        Ok(Self { dir, finished, anchors, audit })
    }
}

/// The audit, where it is kept; that of other data or of another split is refused.
fn audit(dir: &StudyDir) -> Result<Option<Audit>> {
    let path = dir.path.join(AUDIT);
    let refused = |what: String| {
        let study = typed(&dir.path);
        Failure::File(format!("{what}; remove it, and `clip-lung sweep run {study}` writes it anew"))
    };
    let read = files::read_json::<Audit>(&path).map_err(|e| refused(format!("{e:#}")))?;
    let Some(audit) = read else { return Ok(None) };
    let split = dir.study.cells.first().map(Cell::config).transpose()?;
    match audit.difference(&dir.study.data, split.as_ref()) {
        Some(difference) => Err(refused(format!("{}: {difference}", path.display())).into()),
        None => Ok(Some(audit)),
    }
}

fn finished(study: &StudyDir, cell: &Cell) -> Result<Finished> {
    let dir = study.cell_dir(&cell.id);
    let (metrics, bytes) = study.kept(cell)?;
    let ran = RunDir::config(&dir)?;
    let predictions = predictions::read(&dir, &metrics, &bytes, Some(&ran))?;
    Ok(Finished::new(&study.study, cell, ran, predictions, metrics.synthetic_images)?)
}
