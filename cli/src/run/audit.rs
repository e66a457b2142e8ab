//! The audit of a study's data, kept with the study: its report then needs no data set.

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::study::audit::document::audit;

use crate::io::files;
use crate::io::study_dir::StudyDir;
use crate::io::study_results::AUDIT;

/// Audits the data under the split that the settings of the study's cells say, as its `audit.json`, where that is not kept yet.
pub fn keep(study: &StudyDir, data: &Dataset) -> Result<()> {
    let path = study.path.join(AUDIT);
    match study.study.cells.first() {
        Some(cell) if !path.is_file() => {
            files::write(&path, &serde_json::to_vec_pretty(&audit(data, &cell.config()?)?)?)
        }
        _ => Ok(()),
    }
}
