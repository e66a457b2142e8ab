//! The audit of a study's data, kept with the study: its report then needs no data set.

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::study::audit::document::{Audit, audit};
use clip_lung_core::study::cells::Study;

use crate::io::files;
use crate::io::study_dir::StudyDir;
use crate::io::study_results::AUDIT;

/// Audits data under the split that the settings of a study's cells say; `None` where it has no cells.
pub fn of(study: &Study, data: &Dataset) -> Result<Option<Audit>> {
    let Some(cell) = study.cells.first() else { return Ok(None) };
    Ok(Some(audit(data, &cell.config()?)?))
}

/// Whether one is there.
pub fn is_kept(study: &StudyDir) -> bool {
    study.path.join(AUDIT).is_file()
}

/// Keeps an audit of the study's data as its `audit.json`, where none is kept yet; `found` is one that was made already.
pub fn keep(study: &StudyDir, data: &Dataset, found: Option<Audit>) -> Result<()> {
    if is_kept(study) {
        return Ok(());
    }
    let found = found.map_or_else(|| of(&study.study, data), |found| Ok(Some(found)))?;
    found.map_or(Ok(()), |found| files::write(&study.path.join(AUDIT), &serde_json::to_vec_pretty(&found)?))
}
