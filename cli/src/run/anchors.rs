//! What size and ratings alone tell, kept with a study: its report then needs no data set.

use anyhow::Result;
use clip_lung_core::dataset::crops::Dataset;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::anchors::Anchor;
use clip_lung_core::study::cells::Cell;
use clip_lung_core::train::split::fold_of_rows;

use crate::io::anchor_files::AnchorFiles;
use crate::io::study_dir::StudyDir;

/// Keeps the anchors of a study's tasks that are not kept yet, or are not as they were written.
pub fn keep(study: &StudyDir, data: &Dataset) -> Result<()> {
    let Some(config) = study.study.cells.first().map(Cell::config).transpose()? else { return Ok(()) };
    let mut files = AnchorFiles::open_or_new(&study.path);
    let wanted = lacking(study, &files);
    if wanted.is_empty() {
        return Ok(());
    }
    write(&mut files, data, &wanted, &fold_of_rows(&data.rows, &config)?)
}

/// Whether all are there, as they were written.
pub fn are_kept(study: &StudyDir) -> bool {
    lacking(study, &AnchorFiles::open_or_new(&study.path)).is_empty()
}

/// The study's tasks whose anchors have to be written.
fn lacking(study: &StudyDir, files: &AnchorFiles) -> Vec<Task> {
    let of_study = |task: &Task| study.study.cells.iter().any(|c| c.task == *task);
    Task::ALL.into_iter().filter(of_study).filter(|task| !files.are_whole(*task)).collect()
}

/// Predicts each fold from the others by every anchor, and keeps that with the study; `fold_of_rows` is the fold of each of the data
/// set's rows.
fn write(files: &mut AnchorFiles, data: &Dataset, tasks: &[Task], fold_of_rows: &[usize]) -> Result<()> {
    for (task, anchor) in tasks.iter().flat_map(|t| Anchor::ALL.map(|a| (*t, a))) {
        files.write(task, anchor, &anchor.predictions(&data.rows, fold_of_rows, task)?)?;
    }
    files.declare()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clip_lung_core::dataset::class::Thresholds;
    use clip_lung_core::dataset::folds::by_patient;
    use clip_lung_core::phantom::phantom;

    /// What is kept reads as what was predicted, to the digits written.
    #[test]
    fn anchors_are_kept_a_file_each() {
        let data = phantom(Thresholds::Inclusive, Some(60)).unwrap();
        let folds = by_patient(&data.rows, 3, 2).unwrap();
        let place = tempfile::tempdir().unwrap();
        let open = || AnchorFiles::open(place.path()).unwrap();
        assert!(open().read().unwrap().is_empty());
        write(&mut open(), &data, &Task::ALL, &folds).unwrap();
        let all = open().read().unwrap();
        assert_eq!(all.len(), Task::ALL.len() * Anchor::ALL.len());
        for (anchor, kept) in all {
            let made = anchor.predictions(&data.rows, &folds, kept.task).unwrap();
            assert_eq!((kept.folds(), kept.nodules.len()), (made.folds(), made.nodules.len()));
            for (a, b) in kept.nodules.iter().zip(&made.nodules) {
                assert_eq!((&a.nodule_id, a.class, a.fold), (&b.nodule_id, b.class, b.fold));
                assert!(a.probabilities.iter().zip(b.probabilities).all(|(a, b)| (a - b).abs() < 1e-7));
            }
        }
        // what was touched, removed or is of a study without digests is written anew
        let at = |name: &str| place.path().join("anchors").join(name);
        let bytes = std::fs::read(at("lidc-a.size-only.csv")).unwrap();
        std::fs::write(at("lidc-a.size-only.csv"), "nodule_id").unwrap();
        std::fs::remove_file(at("lidc-c.ratings.csv")).unwrap();
        assert_eq!(Task::ALL.map(|task| open().are_whole(task)), [false, true, false]);
        assert!(open().read().is_err());
        write(&mut open(), &data, &[Task::LidcA, Task::LidcC], &folds).unwrap();
        assert_eq!(Task::ALL.map(|task| open().are_whole(task)), [true; 3]);
        assert_eq!(std::fs::read(at("lidc-a.size-only.csv")).unwrap(), bytes);
        std::fs::write(at("sha256.json"), "{").unwrap();
        let Err(damaged) = AnchorFiles::open(place.path()) else { panic!("damaged digests are taken") };
        assert!(damaged.to_string().contains("sweep run"), "{damaged}");
        assert!(!AnchorFiles::open_or_new(place.path()).are_whole(Task::LidcA));
        std::fs::remove_file(at("sha256.json")).unwrap();
        assert_eq!(Task::ALL.map(|task| open().are_whole(task)), [false; 3]);
    }
}
