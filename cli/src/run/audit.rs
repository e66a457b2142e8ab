//! The audit of a study's data, kept with the study: its report then needs no data set.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::study::audit::document::audit;
use clip_lung_core::train::config::TrainConfig;

use crate::io::files;
use crate::io::study_results::AUDIT;

/// Audits the data under the split that the settings of a study's cells say, as `audit.json` of the study.
#[allow(dead_code)] // `sweep run` calls it
pub fn write(study_dir: &Path, data: &Dataset, config: &TrainConfig) -> Result<()> {
    files::write(&study_dir.join(AUDIT), &serde_json::to_vec_pretty(&audit(data, config)?)?)
}
