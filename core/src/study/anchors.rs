//! Predictions without an image, which every table carries: what size and the readers' ratings alone tell.

use super::pooled::{PredictedNodule, Predictions};
use crate::base::decision::Decision;
use crate::dataset::class::Class;
use crate::dataset::table::Row;
use crate::dataset::task::Task;
use crate::error::{Error, Result};
use crate::metrics::logistic::probabilities;

/// A predictor without an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The shares of the classes in the training set, for every nodule.
    Majority,
    /// Logistic regression on the logarithm of the equivalent diameter.
    SizeOnly,
    /// Logistic regression on the readers' mean ratings of the eight attributes.
    Ratings,
    /// On both.
    RatingsAndSize,
}

impl Anchor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Majority, Self::SizeOnly, Self::Ratings, Self::RatingsAndSize];

    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::SizeOnly => "size-only",
            Self::Ratings => "ratings",
            Self::RatingsAndSize => "ratings-and-size",
        }
    }

    /// What it knows of a nodule.
    fn columns(self, row: &Row) -> Vec<f64> {
        // what a table lacks stays without effect
        let size = || row.diameter_mm.map_or(0.0, f64::ln);
        let ratings = row.ratings.unwrap_or_default();
        match self {
            Self::Majority => Vec::new(),
            Self::SizeOnly => vec![size()],
            Self::Ratings => ratings.to_vec(),
            Self::RatingsAndSize => ratings.into_iter().chain([size()]).collect(),
        }
    }

    /// Predicts every fold from the others, as a method would: `fold` is the fold of each row, and the task says which
    /// rows train and which are tested.
    ///
    /// # Errors
    /// When a fold leaves nothing to train on, or nothing is tested at all.
    pub fn predictions(self, rows: &[Row], fold: &[usize], task: Task) -> Result<Predictions> {
        let mut nodules = Vec::new();
        for held_out in 0..fold.iter().map(|f| f + 1).max().unwrap_or(0) {
            let part =
                |inside: bool| rows.iter().zip(fold).filter(move |(_, f)| (**f == held_out) == inside).map(|r| r.0);
            let train: Vec<&Row> = part(false).filter(|r| task.trains(r.class)).collect();
            let test: Vec<&Row> = part(true).filter(|r| task.tests(r.class)).collect();
            if train.is_empty() {
                return Err(Error::Split(format!("fold {held_out} leaves no nodule to train on; use more data")));
            }
            let fitted = self.fit(&train, &test, task);
            nodules.extend(test.iter().zip(fitted).map(|(row, p)| PredictedNodule {
                nodule_id: row.nodule_id.clone(),
                patient_id: row.patient_id.clone(),
                fold: held_out,
                class: row.class,
                probabilities: Class::ALL.map(|c| task.label(c).map_or(0.0, |k| p[k])),
            }));
        }
        Predictions::pool(
            self.name(),
            &[Predictions { name: self.name().into(), task, nodules, decision: Decision::Argmax }],
        )
    }

    /// Probabilities of the task's classes for each row of `test`.
    fn fit(self, train: &[&Row], test: &[&Row], task: Task) -> Vec<Vec<f64>> {
        let class: Vec<usize> = train.iter().filter_map(|r| task.label(r.class)).collect();
        let classes = task.classes().len();
        if self == Self::Majority {
            let share = |c: usize| class.iter().filter(|k| **k == c).count() as f64 / class.len() as f64;
            return vec![(0..classes).map(share).collect(); test.len()];
        }
        let columns = |rows: &[&Row]| rows.iter().map(|r| self.columns(r)).collect::<Vec<_>>();
        probabilities(&columns(train), &class, classes, &columns(test))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::class::Thresholds;
    use crate::dataset::folds::by_patient;
    use crate::metrics::across_folds::mean_sd;
    use crate::metrics::classification::macro_auc;
    use crate::phantom;

    /// Mean over the folds of accuracy and macro AUC.
    fn scores(anchor: Anchor, rows: &[Row], task: Task) -> (f64, f64) {
        let folds = by_patient(rows, 5, 2).unwrap();
        let predictions = anchor.predictions(rows, &folds, task).unwrap();
        let of_fold = |f: usize| {
            let nodules = predictions.nodules.iter().filter(|n| n.fold == f).cloned().collect();
            let scored = Predictions { nodules, ..predictions.clone() }.scored();
            let right = scored.answers().iter().zip(&scored.truth).filter(|(a, t)| a == t).count();
            (right as f64 / scored.len() as f64, macro_auc(&scored, task.classes().len()).unwrap())
        };
        let (accuracy, area): (Vec<f64>, Vec<f64>) = (0..5).map(of_fold).unzip();
        (mean_sd(&accuracy).unwrap().mean, mean_sd(&area).unwrap().mean)
    }

    /// Measured independently on other patient-grouped folds of the same table: within half of the deviation between folds.
    #[test]
    fn the_levels_of_the_whole_database() {
        let rows = phantom::rows(Thresholds::Inclusive).unwrap();
        let strict = phantom::rows(Thresholds::Strict).unwrap();
        for (anchor, rows, task, accuracy, area) in [
            (Anchor::Majority, &rows, Task::LidcA, 0.424, 0.5),
            (Anchor::SizeOnly, &rows, Task::LidcA, 0.561, 0.726),
            (Anchor::Ratings, &rows, Task::LidcA, 0.636, 0.801),
            (Anchor::RatingsAndSize, &rows, Task::LidcA, 0.662, 0.831),
            (Anchor::Majority, &rows, Task::LidcC, 0.691, 0.5),
            (Anchor::SizeOnly, &rows, Task::LidcC, 0.868, 0.901),
            (Anchor::Ratings, &rows, Task::LidcC, 0.872, 0.927),
            (Anchor::RatingsAndSize, &rows, Task::LidcC, 0.902, 0.949),
            (Anchor::SizeOnly, &strict, Task::LidcA, 0.576, 0.732),
            (Anchor::RatingsAndSize, &strict, Task::LidcA, 0.716, 0.848),
        ] {
            let (a, b) = scores(anchor, rows, task);
            assert!((a - accuracy).abs() < 0.008 && (b - area).abs() < 0.004, "{anchor:?} {task:?}: {a} {b}");
        }
    }

    /// lidc-b trains on unsure nodules, answers them, and tests none.
    #[test]
    fn tasks_train_and_test_as_methods_do() {
        let rows = crate::dataset::folds::tests::rows(60);
        let folds = by_patient(&rows, 5, 2).unwrap();
        let of = |task| Anchor::Majority.predictions(&rows, &folds, task).unwrap();
        let (b, c) = (of(Task::LidcB), of(Task::LidcC));
        assert!(b.nodules.iter().all(|n| n.class != Class::Unsure && n.probabilities[1] > 0.0));
        assert!(c.nodules.iter().all(|n| n.probabilities[1] == 0.0));
        assert_eq!(b.nodules.len(), c.nodules.len());
        assert!(matches!(Anchor::SizeOnly.predictions(&rows, &vec![0; rows.len()], Task::LidcA), Err(Error::Split(_))));
    }
}
