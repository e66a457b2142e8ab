//! Methods on the same nodules: which is better, by how much, and how sure that is.

use serde::Serialize;

use super::measures::{Measure, Measured};
use super::pooled::Predictions;
use super::resampling::{Resamples, Spread};
use crate::error::{Error, Result};
use crate::metrics::across_folds::{CorrectedT, corrected_t};
use crate::metrics::classification::benign_malignant;
use crate::metrics::delong::{self, AucDifference};
use crate::metrics::intervals::Interval;
use crate::metrics::mcnemar::{McNemar, of_answers};

/// One measure of two methods.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    pub measure: Measure,
    pub first: f64,
    pub second: f64,
    /// First minus second.
    pub difference: f64,
    /// 95 % of the paired bootstrap over patients.
    pub interval: Option<Interval>,
    /// Two-sided, of the same resamples: twice the smaller share on a side of 0, never below 2 / (resamples + 1).
    pub p: Option<f64>,
    /// Over the folds; `None` with fewer than two, or where the measure is undefined in one.
    pub corrected_t: Option<CorrectedT>,
}

/// Two methods on the same nodules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub first: String,
    pub second: String,
    pub nodules: usize,
    pub folds: usize,
    pub differences: Vec<Difference>,
    /// Of the answers, all folds pooled; of methods with one seed.
    pub mcnemar: Option<McNemar>,
    /// Of benign against malignant nodules as if independent of each other; of methods with one seed.
    pub delong: Option<AucDifference>,
    pub resamples: usize,
    /// Resamples that lacked a class and were skipped.
    pub skipped: usize,
}

/// The nodules that methods are compared on, with the resamples that all of them share.
pub struct Cohort {
    reference: Predictions,
    resamples: Resamples,
}

/// A method ready to be compared.
pub struct Arm {
    pub name: String,
    /// Its measures in all resamples, the mean over its seeds.
    pub spread: Spread,
    /// Its measures in each fold, ascending, the mean over its seeds.
    pub folds: Vec<Vec<Option<f64>>>,
    /// In the order of the cohort, a seed each.
    seeds: Vec<Predictions>,
}

impl Cohort {
    /// The nodules of some predictions, and 2000 resamples of their patients.
    pub fn new(reference: Predictions, seed: u64) -> Self {
        let resamples = Resamples::new(&reference.scored(), seed);
        Self { reference, resamples }
    }

    /// The resamples that all methods share.
    pub fn resamples(&self) -> &Resamples {
        &self.resamples
    }

    /// A method, by its pooled predictions of each seed.
    ///
    /// # Errors
    /// No seed, or one that is not of the same task, nodules, patients, classes and folds.
    pub fn arm(&self, name: &str, seeds: &[Predictions]) -> Result<Arm> {
        let seeds = seeds.iter().map(|p| p.aligned(&self.reference)).collect::<Result<Vec<_>>>()?;
        let task = self.reference.task;
        let measures = Measure::of(task);
        let measured: Vec<Measured> = seeds.iter().map(|p| Measured::new(&p.scored(), task)).collect();
        let spreads: Vec<Spread> = measured.iter().map(|m| self.resamples.measure(m, &measures)).collect();
        let fold = |fold: usize| {
            let weights: Vec<u32> = self.reference.nodules.iter().map(|n| u32::from(n.fold == fold)).collect();
            let values: Vec<_> = measured.iter().map(|m| m.values(&measures, &weights)).collect();
            let mean = |m: usize| Some(values.iter().map(|v| v[m]).sum::<Option<f64>>()? / values.len() as f64);
            (0..measures.len()).map(mean).collect()
        };
        let nothing = || Error::BadTable { file: name.into(), reason: "there is no prediction in it".into() };
        Ok(Arm {
            name: name.into(),
            spread: Spread::mean(&spreads).ok_or_else(nothing)?,
            folds: self.reference.folds().into_iter().map(fold).collect(),
            seeds,
        })
    }

    /// Compares two methods. `test_over_train` is the ratio of the sizes of test and training set: 1/4 for five folds.
    pub fn compare(&self, first: &Arm, second: &Arm, test_over_train: f64) -> Comparison {
        let between = first.spread.minus(&second.spread);
        let difference = |m: usize| {
            let folds: Option<Vec<f64>> =
                first.folds.iter().zip(&second.folds).map(|(a, b)| Some(a[m]? - b[m]?)).collect();
            Some(Difference {
                measure: between.measures[m],
                first: first.spread.point[m]?,
                second: second.spread.point[m]?,
                difference: between.point[m]?,
                interval: between.interval(m),
                p: p_value(&between.column(m)),
                corrected_t: folds.and_then(|d| corrected_t(&d, test_over_train)),
            })
        };
        let (mcnemar, delong) = match (first.seeds.as_slice(), second.seeds.as_slice()) {
            ([a], [b]) => single(a, b),
            _ => (None, None),
        };
        Comparison {
            first: first.name.clone(),
            second: second.name.clone(),
            nodules: self.reference.nodules.len(),
            folds: first.folds.len(),
            differences: (0..between.measures.len()).filter_map(difference).collect(),
            mcnemar,
            delong,
            resamples: between.values.len(),
            skipped: between.skipped,
        }
    }
}

impl Arm {
    /// Its predictions in the order of the cohort, a seed each.
    pub fn seeds(&self) -> &[Predictions] {
        &self.seeds
    }
}

/// The tests of two sets of predictions in the same order.
fn single(a: &Predictions, b: &Predictions) -> (Option<McNemar>, Option<AucDifference>) {
    let (x, y) = (a.scored(), b.scored());
    let classes = a.task.classes().len();
    let (positive, first): (Vec<bool>, Vec<f64>) = benign_malignant(&x, classes).map(|(_, p, s)| (p, s)).unzip();
    let second: Vec<f64> = benign_malignant(&y, classes).map(|(_, _, s)| s).collect();
    (Some(of_answers(&x.truth, &x.answers(), &y.answers())), delong::difference(&positive, &first, &second))
}

/// Twice the smaller share of the differences on a side of 0, the observed one counted among them.
fn p_value(differences: &[f64]) -> Option<f64> {
    let share = |n: usize| (n + 1) as f64 / (differences.len() + 1) as f64;
    let below = differences.iter().filter(|d| **d <= 0.0).count();
    let above = differences.iter().filter(|d| **d >= 0.0).count();
    (!differences.is_empty()).then(|| (2.0 * share(below.min(above))).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::metrics::across_folds::mean_sd;
    use crate::metrics::intervals::bootstrap;
    use crate::study::pooled::tests::made_up;

    /// One method against another, and both against themselves.
    fn compared(first: &Predictions, second: &Predictions) -> Comparison {
        let cohort = Cohort::new(first.clone(), 0);
        let arm = |p: &Predictions| cohort.arm(&p.name, std::slice::from_ref(p)).unwrap();
        cohort.compare(&arm(first), &arm(second), 0.25)
    }

    #[test]
    fn a_better_method_is_found_better() {
        let (good, poor) = (made_up(Task::LidcA, 150, 2.0, 1), made_up(Task::LidcA, 150, 0.5, 2));
        let comparison = compared(&good, &poor);
        for d in &comparison.differences {
            let sign = if d.measure.higher_is_better() { 1.0 } else { -1.0 };
            let interval = d.interval.unwrap();
            if d.measure == Measure::Ece {
                continue; // says how honest the probabilities are, not how good the answers
            }
            assert!(d.difference * sign > 0.0 && interval.low * interval.high > 0.0, "{d:?}");
            assert!(d.p.unwrap() < 0.01 && d.corrected_t.unwrap().t * sign > 0.0, "{d:?}");
            assert_eq!(d.difference, d.first - d.second);
        }
        assert!(comparison.mcnemar.unwrap().mid_p < 1e-6 && comparison.delong.unwrap().z.unwrap() > 3.0);
    }

    #[test]
    fn a_method_does_not_differ_from_itself() {
        let p = made_up(Task::LidcB, 60, 1.0, 1);
        let comparison = compared(&p, &p);
        for d in &comparison.differences {
            assert_eq!((d.difference, d.p, d.corrected_t), (0.0, Some(1.0), None));
            assert_eq!(d.interval, Some(Interval { low: 0.0, high: 0.0 }));
        }
        assert_eq!(comparison.mcnemar.unwrap().mid_p, 1.0);
    }

    /// Pairing: the interval of the difference is that of a bootstrap whose measure is the difference itself.
    #[test]
    fn the_interval_is_that_of_the_paired_resamples() {
        let (a, b) = (made_up(Task::LidcA, 40, 1.5, 1), made_up(Task::LidcA, 40, 1.0, 2));
        let mut both = a.scored();
        both.probabilities.iter_mut().zip(b.scored().probabilities).for_each(|(p, q)| p.extend(q));
        let right = |p: &[f64], t: usize| f64::from(u8::from(crate::base::decision::argmax(p) == t));
        let plain = bootstrap(&both, 0, |s| {
            let rows = || s.truth.iter().zip(&s.probabilities);
            let share = |columns: std::ops::Range<usize>| {
                rows().map(|(t, p)| right(&p[columns.clone()], *t)).sum::<f64>() / s.len() as f64
            };
            vec![Some(share(0..3) - share(3..6))]
        });
        let comparison = compared(&a, &b);
        assert_eq!(comparison.differences[0].interval, plain.intervals[0]);
        assert_eq!(comparison.skipped, plain.skipped);
    }

    /// Two seeds are one method: means over seeds, and no test of single answers.
    #[test]
    fn seeds_are_averaged() {
        let (a, b) = (made_up(Task::LidcA, 40, 1.5, 1), made_up(Task::LidcA, 40, 1.0, 2));
        let cohort = Cohort::new(a.clone(), 0);
        let one = |p: &Predictions| cohort.arm(&p.name, std::slice::from_ref(p)).unwrap();
        let both = cohort.arm("both", &[a.clone(), b.clone()]).unwrap();
        let (first, second) = (one(&a), one(&b));
        let mean = mean_sd(&[first.folds[2][0].unwrap(), second.folds[2][0].unwrap()]).unwrap().mean;
        assert_eq!(both.folds[2][0], Some(mean));
        let comparison = cohort.compare(&both, &first, 0.25);
        assert_eq!((comparison.mcnemar, comparison.delong), (None, None));
        assert!(cohort.arm("nothing", &[]).is_err());
        assert!(cohort.arm("others", &[made_up(Task::LidcA, 41, 1.0, 1)]).is_err());
    }
}
