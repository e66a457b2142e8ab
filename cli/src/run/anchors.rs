//! What size and ratings alone tell, kept with a study: its report then needs no data set.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::anchors::Anchor;
use clip_lung_core::study::cells::Cell;
use clip_lung_core::train::split::fold_of_rows;

use crate::io::files;
use crate::io::study_dir::StudyDir;
use crate::io::study_results::anchor_file;

/// Keeps the anchors of a study's tasks that are not kept yet.
pub fn keep(study: &StudyDir, data: &Dataset) -> Result<()> {
    let Some(config) = study.study.cells.first().map(Cell::config).transpose()? else { return Ok(()) };
    for task in Task::ALL {
        let missing = |anchor: &Anchor| !anchor_file(&study.path, task, *anchor).is_file();
        if study.study.cells.iter().any(|c| c.task == task) && Anchor::ALL.iter().any(missing) {
            write(&study.path, data, task, &fold_of_rows(&data.rows, &config)?)?;
        }
    }
    Ok(())
}

/// Predicts each fold from the others by every anchor, and keeps that as `anchors/TASK.ANCHOR.csv` of the study; `fold_of_rows` is
/// the fold of each of the data set's rows.
fn write(study_dir: &Path, data: &Dataset, task: Task, fold_of_rows: &[usize]) -> Result<()> {
    for anchor in Anchor::ALL {
        let predictions = anchor.predictions(&data.rows, fold_of_rows, task)?;
        let path = anchor_file(study_dir, task, anchor);
        files::create_dir(path.parent().unwrap_or(study_dir))?;
        files::write(&path, &predictions.write()?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::predictions;
    use clip_lung_core::dataset::class::Thresholds;
    use clip_lung_core::dataset::folds::by_patient;
    use clip_lung_core::phantom::phantom;

    /// What is kept reads as what was predicted, to the digits written.
    #[test]
    fn anchors_are_kept_a_file_each() {
        let data = phantom(Thresholds::Inclusive, Some(60)).unwrap();
        let folds = by_patient(&data.rows, 3, 2).unwrap();
        let place = tempfile::tempdir().unwrap();
        for task in Task::ALL {
            write(place.path(), &data, task, &folds).unwrap();
            for anchor in Anchor::ALL {
                let kept = predictions::of_file(&anchor_file(place.path(), task, anchor), None).unwrap();
                let made = anchor.predictions(&data.rows, &folds, task).unwrap();
                assert_eq!((kept.task, kept.folds(), kept.nodules.len()), (task, made.folds(), made.nodules.len()));
                for (a, b) in kept.nodules.iter().zip(&made.nodules) {
                    assert_eq!((&a.nodule_id, a.class, a.fold), (&b.nodule_id, b.class, b.fold));
                    assert!(a.probabilities.iter().zip(b.probabilities).all(|(a, b)| (a - b).abs() < 1e-7));
                }
            }
        }
    }
}
