//! Rows compared on the folds that both have; what is measured on one set of folds is kept for the next comparison.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::Entry;
use crate::error::Result;
use crate::metrics::holm::holm;
use crate::study::measures::Measure;
use crate::study::paired::{Arm, Cohort, Comparison};

/// Of the resamples, as of every other bootstrap of a run.
pub const SEED: u64 = 0;
/// Size of the test set over that of the training set where no row knows: that of five folds.
const FIVE_FOLDS: f64 = 0.25;

/// Two rows compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The folds that both have.
    pub shared_folds: Vec<usize>,
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The bootstrap's p of each measure after Holm's correction over the family that the comparison belongs to.
    pub holm: BTreeMap<String, f64>,
}

/// Rows against one reference: the family of Holm's correction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    pub reference: String,
    pub comparisons: Vec<Compared>,
    /// Rows that share no fold with the reference.
    pub apart: Vec<String>,
}

impl Family {
    /// Whether its rows are the reference's own variants. A method's variants and other methods are families of their own,
    /// so a reference may have two in a task.
    pub fn is_of_variants(&self) -> bool {
        let own = format!("{}.", self.reference);
        self.comparisons.iter().all(|c| c.comparison.first.starts_with(&own))
    }
}

impl Compared {
    /// A measure's p after Holm's correction.
    pub fn holm_of(&self, measure: Measure) -> Option<f64> {
        self.holm.get(&measure.name()).copied()
    }
}

struct Made {
    cohort: Cohort,
    arms: BTreeMap<String, Arm>,
}

/// The rows of one task on every set of folds that was asked for.
#[derive(Default)]
pub struct Cohorts {
    made: BTreeMap<Vec<usize>, Made>,
}

impl Cohorts {
    /// Rows on some folds, which all of them have; `None` without a row or a fold.
    ///
    /// # Errors
    /// When two rows are not of the same nodules.
    pub fn on(&mut self, folds: &[usize], rows: &[&Entry]) -> Result<Option<(&Cohort, Vec<&Arm>)>> {
        let Some(first) = rows.first().filter(|_| !folds.is_empty()) else { return Ok(None) };
        if !self.made.contains_key(folds) {
            let Some(reference) = first.on(folds).into_iter().next() else { return Ok(None) };
            self.made.insert(folds.into(), Made { cohort: Cohort::new(reference, SEED), arms: BTreeMap::new() });
        }
        let Some(made) = self.made.get_mut(folds) else { return Ok(None) };
        for row in rows {
            if !made.arms.contains_key(&row.name) {
                made.arms.insert(row.name.clone(), made.cohort.arm(&row.name, &row.on(folds))?);
            }
        }
        Ok(Some((&made.cohort, rows.iter().map(|r| &made.arms[&r.name]).collect())))
    }

    /// Every row against the reference.
    ///
    /// # Errors
    /// When two rows are not of the same nodules.
    pub fn family(&mut self, reference: &Entry, rows: &[&Entry]) -> Result<Family> {
        let mut family = Family { reference: reference.name.clone(), comparisons: Vec::new(), apart: Vec::new() };
        for row in rows {
            match self.compare(row, reference)? {
                Some(compared) => family.comparisons.push(compared),
                None => family.apart.push(row.name.clone()),
            }
        }
        for measure in Measure::of(reference.task) {
            let p = |c: &Compared| c.comparison.differences.iter().find(|d| d.measure == measure)?.p;
            let (at, p): (Vec<usize>, Vec<f64>) =
                family.comparisons.iter().enumerate().filter_map(|(i, c)| Some((i, p(c)?))).unzip();
            for (i, adjusted) in at.into_iter().zip(holm(&p)) {
                family.comparisons[i].holm.insert(measure.name(), adjusted);
            }
        }
        Ok(family)
    }

    /// Two rows on the folds that both have; `None` when there is none.
    ///
    /// # Errors
    /// When they are not of the same nodules.
    pub fn compare(&mut self, first: &Entry, second: &Entry) -> Result<Option<Compared>> {
        let folds = first.shared(second);
        let ratio = first.test_over_train().or(second.test_over_train()).unwrap_or(FIVE_FOLDS);
        let Some((cohort, arms)) = self.on(&folds, &[first, second])? else { return Ok(None) };
        let comparison = cohort.compare(arms[0], arms[1], ratio);
        Ok(Some(Compared { shared_folds: folds, comparison, holm: BTreeMap::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::error::Error;
    use crate::methods::Method;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;

    #[test]
    fn rows_meet_on_the_folds_that_both_have() {
        let all = [
            finished(Method::Ce, None, &[0, 1, 2, 3, 4], 2, 1.0),
            finished(Method::Nsb, None, &[0, 1, 3], 2, 2.5),
            finished(Method::Udm, None, &[0, 1, 2, 3, 4], 2, 1.0),
        ]
        .concat();
        let rows = entries(Task::LidcA, &all, &[]).unwrap();
        let mut cohorts = Cohorts::default();
        let family = cohorts.family(&rows[0], &[&rows[1], &rows[2]]).unwrap();
        let [nsb, udm] = &family.comparisons[..] else { panic!("{family:?}") };
        assert_eq!((nsb.shared_folds.clone(), udm.shared_folds.len()), (vec![0, 1, 3], 5));
        let on = all.iter().filter(|f| f.cell.method == Method::Ce && [0, 1, 3].contains(&f.cell.fold));
        assert_eq!(nsb.comparison.nodules, on.map(|f| f.predictions.nodules.len()).sum::<usize>());
        // Holm over two: the smaller p counts twice
        let p = |c: &Compared| c.comparison.differences[0].p.unwrap();
        assert!(p(nsb) < p(udm));
        assert_eq!(nsb.holm_of(Measure::Accuracy), Some(2.0 * p(nsb)));
        assert_eq!(udm.holm_of(Measure::Accuracy), Some(p(udm)));
    }

    #[test]
    fn rows_of_other_nodules_are_refused_and_rows_apart_are_said() {
        let mut all = [finished(Method::Ce, None, &[0, 1], 2, 1.0), finished(Method::Nsb, None, &[2], 2, 1.0)].concat();
        let rows = entries(Task::LidcA, &all, &[]).unwrap();
        assert_eq!(Cohorts::default().family(&rows[0], &[&rows[1]]).unwrap().apart, ["nsb"]);
        all.extend(finished(Method::Udm, None, &[0, 1], 2, 1.0));
        let last = all.len() - 1;
        all[last].predictions.nodules.pop();
        let rows = entries(Task::LidcA, &all, &[]).unwrap();
        assert!(matches!(Cohorts::default().family(&rows[0], &[&rows[2]]), Err(Error::Unpaired { .. })));
    }
}
