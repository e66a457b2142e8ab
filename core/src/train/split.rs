//! Which nodules train and which are held out.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{Grouping, HeldOut, TrainConfig, ValidateOn};
use crate::base::random::key;
use crate::dataset::folds;
use crate::dataset::table::Row;
use crate::error::{Error, Result};

/// Share of the training patients in the inner validation split.
const VALIDATION: f64 = 0.125;

/// Row indices of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub train: Vec<usize>,
    pub held_out: Vec<usize>,
    /// Of the inner validation split; empty where the run has none.
    pub validation: Vec<usize>,
}

/// The fold of every row; the same for all tasks: the table's own where it has a column of them.
///
/// # Errors
/// When the patients don't suffice, or the table's folds don't hold together.
pub fn fold_of_rows(rows: &[Row], config: &TrainConfig) -> Result<Vec<usize>> {
    if rows.iter().any(|r| r.fold.is_some()) {
        return own_folds(rows, config);
    }
    match config.grouping {
        Grouping::Patient => folds::by_patient(rows, config.folds, config.fold_seed),
        Grouping::Nodule => {
            let alone: Vec<Row> =
                rows.iter().enumerate().map(|(i, r)| Row { patient_id: i.to_string(), ..r.clone() }).collect();
            folds::by_patient(&alone, config.folds, config.fold_seed)
        }
    }
}

/// The folds that the table deals its rows to.
fn own_folds(rows: &[Row], config: &TrainConfig) -> Result<Vec<usize>> {
    let mut home: BTreeMap<&str, usize> = BTreeMap::new();
    let mut folds = Vec::with_capacity(rows.len());
    for row in rows {
        let (nodule, patient) = (&row.nodule_id, row.patient_id.as_str());
        let unfilled =
            || Error::Split(format!("nodule {nodule} has no fold, but others do; fill in the column `fold`"));
        let fold = row.fold.ok_or_else(unfilled)?;
        let first = *home.entry(patient).or_insert(fold);
        if first != fold && config.grouping == Grouping::Patient {
            let both = format!("patient {patient} is in the folds {first} and {fold} of the table");
            return Err(Error::Split(format!("{both}; deal whole patients, or ask for --grouping nodule")));
        }
        folds.push(fold);
    }
    if !folds.contains(&config.fold) {
        let known: BTreeSet<usize> = folds.into_iter().collect();
        return Err(Error::Split(format!(
            "the table has no fold {}, only {known:?}; choose another --fold",
            config.fold
        )));
    }
    Ok(folds)
}

/// The rows of a run, those of its task alone.
///
/// # Errors
/// When one side would be empty.
pub fn split(rows: &[Row], config: &TrainConfig) -> Result<Split> {
    let mut test = Vec::new();
    let mut train: Vec<usize> = (0..rows.len()).collect();
    let seed = |part: u64| key(&[config.fold_seed, config.fold as u64, part]);
    if config.held_out != HeldOut::None {
        let fold = fold_of_rows(rows, config)?;
        (test, train) = train.into_iter().partition(|&i| fold[i] == config.fold);
    }
    if config.held_out == HeldOut::Val {
        (train, test) = folds::hold_out(rows, &train, VALIDATION, key(&[config.fold_seed, config.fold as u64]))?;
    }
    let mut validation = Vec::new();
    if config.validation == Some(ValidateOn::Inner) {
        (train, validation) = folds::hold_out(rows, &train, VALIDATION, seed(1))?;
    }
    train.retain(|&i| config.task.trains(rows[i].class));
    test.retain(|&i| config.task.tests(rows[i].class));
    validation.retain(|&i| config.task.tests(rows[i].class));
    let needed = [
        ("train", &train, true),
        ("be held out", &test, config.held_out != HeldOut::None),
        ("be validated on", &validation, config.validation == Some(ValidateOn::Inner)),
    ];
    match needed.iter().find(|(_, rows, needed)| *needed && rows.is_empty()) {
        Some((what, ..)) => {
            Err(Error::Split(format!("no nodule would {what} on {}; use more data", config.task.name())))
        }
        None => Ok(Split { train, held_out: test, validation }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::class::Class;
    use crate::dataset::folds::tests::rows;
    use crate::dataset::task::Task;

    #[test]
    fn no_patient_on_both_sides() {
        let rows = rows(200);
        let mut union = BTreeSet::new();
        for fold in 0..5 {
            for held_out in [HeldOut::Test, HeldOut::Val] {
                let s = split(&rows, &TrainConfig { fold, held_out, ..Default::default() }).unwrap();
                let patients = |v: &[usize]| v.iter().map(|&i| rows[i].patient_id.clone()).collect::<BTreeSet<_>>();
                assert!(patients(&s.train).is_disjoint(&patients(&s.held_out)));
                if held_out == HeldOut::Test {
                    union.extend(s.held_out);
                }
            }
        }
        assert_eq!(union.len(), rows.len());
    }

    #[test]
    fn tasks_filter_and_keep_the_folds() {
        let rows = rows(200);
        let of = |task| split(&rows, &TrainConfig { task, ..Default::default() }).unwrap();
        let (a, b, c) = (of(Task::LidcA), of(Task::LidcB), of(Task::LidcC));
        let unsure = |v: &[usize]| v.iter().any(|&i| rows[i].class == Class::Unsure);
        assert!(unsure(&a.train) && unsure(&a.held_out));
        assert!(unsure(&b.train) && !unsure(&b.held_out));
        assert!(!unsure(&c.train) && !unsure(&c.held_out));
        assert!(b.held_out.iter().all(|i| a.held_out.contains(i)) && b.held_out == c.held_out);
    }

    #[test]
    fn everything_trains_where_nothing_is_held_out() {
        let rows = rows(200);
        let config = TrainConfig { held_out: HeldOut::None, ..Default::default() };
        let s = split(&rows, &config).unwrap();
        assert_eq!((s.train.len(), s.held_out.len(), s.validation.len()), (rows.len(), 0, 0));
    }

    /// The inner split takes whole patients from those that train, and leaves the held-out ones as they are.
    #[test]
    fn the_inner_split_is_taken_from_training() {
        let rows = rows(200);
        for held_out in [HeldOut::Test, HeldOut::Val, HeldOut::None] {
            let plain = TrainConfig { held_out, ..Default::default() };
            let without = split(&rows, &plain).unwrap();
            let with = split(&rows, &TrainConfig { validation: Some(ValidateOn::Inner), ..plain }).unwrap();
            assert_eq!(with.held_out, without.held_out);
            let patients = |v: &[usize]| v.iter().map(|&i| rows[i].patient_id.clone()).collect::<BTreeSet<_>>();
            assert!(patients(&with.train).is_disjoint(&patients(&with.validation)));
            let mut both = [with.train, with.validation.clone()].concat();
            both.sort_unstable();
            assert_eq!(both, without.train);
            let share = with.validation.len() as f64 / both.len() as f64;
            assert!((share - VALIDATION).abs() < 0.04, "{share}");
        }
    }

    #[test]
    fn folds_of_the_tables_own() {
        let mut rows = rows(20);
        let of_patient = |r: &Row| r.patient_id[1..].parse::<usize>().unwrap() % 3;
        rows.iter_mut().for_each(|r| r.fold = Some(of_patient(r)));
        let config = TrainConfig { fold: 2, folds: 3, ..Default::default() };
        let s = split(&rows, &config).unwrap();
        assert!(
            s.held_out.iter().all(|&i| rows[i].fold == Some(2)) && s.train.iter().all(|&i| rows[i].fold != Some(2))
        );
        let refused = |rows: &[Row], config: &TrainConfig, part: &str| {
            let message = split(rows, config).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        refused(&rows, &TrainConfig { fold: 3, ..config.clone() }, "no fold 3, only {0, 1, 2}");
        rows[1] = Row { patient_id: rows[0].patient_id.clone(), fold: Some(1), ..rows[1].clone() };
        refused(&rows, &config, "in the folds 0 and 1");
        assert!(split(&rows, &TrainConfig { grouping: Grouping::Nodule, ..config.clone() }).is_ok());
        rows[1].fold = None;
        refused(&rows, &config, "has no fold");
    }

    /// Dealing single nodules leaks patients: the option exists to measure that.
    #[test]
    fn nodule_grouping_leaks() {
        let rows = rows(200);
        let s = split(&rows, &TrainConfig { grouping: Grouping::Nodule, ..Default::default() }).unwrap();
        assert!(s.held_out.iter().any(|&h| s.train.iter().any(|&t| rows[t].patient_id == rows[h].patient_id)));
    }
}
