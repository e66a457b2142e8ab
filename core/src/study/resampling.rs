//! The bootstrap over patients, drawn once and used for every method: what differs between two methods is then never the draw.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::measures::{Measure, Measured};
use crate::metrics::Scored;
use crate::metrics::intervals::{Interval, RESAMPLES, drawn, percentiles};

/// How often each patient is in each resample.
pub struct Resamples {
    /// The patient of each row.
    of_row: Vec<usize>,
    /// Counts a patient, one entry a resample.
    counts: Vec<Vec<u32>>,
    /// Resamples that lacked a class that occurs, and were left out.
    pub skipped: usize,
}

impl Resamples {
    /// 2000 draws of whole patients with replacement: those of [`crate::metrics::intervals::bootstrap`] with the same seed.
    pub fn new(scored: &Scored, seed: u64) -> Self {
        let mut number: BTreeMap<&str, usize> = scored.patients.iter().map(|p| (p.as_str(), 0)).collect();
        number.values_mut().enumerate().for_each(|(i, n)| *n = i);
        let patients = number.len();
        let of_row: Vec<usize> = scored.patients.iter().map(|p| number[p.as_str()]).collect();
        let mut classes: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); patients];
        of_row.iter().zip(&scored.truth).for_each(|(&p, &t)| classes[p].extend([t]));
        let occurring: BTreeSet<usize> = scored.truth.iter().copied().collect();
        let draw = |r: usize| {
            let mut count = vec![0; patients];
            drawn(patients, seed, r as u64).for_each(|p| count[p] += 1);
            let there: BTreeSet<usize> =
                (0..patients).filter(|&p| count[p] > 0).flat_map(|p| classes[p].iter().copied()).collect();
            (there == occurring).then_some(count)
        };
        let counts: Vec<Vec<u32>> =
            (0..RESAMPLES).into_par_iter().map(draw).collect::<Vec<_>>().into_iter().flatten().collect();
        Self { of_row, skipped: RESAMPLES - counts.len(), counts }
    }

    /// How many there are, those that were skipped not counted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether every resample lacked a class.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How often each row is in resample `r`.
    pub fn weights(&self, r: usize) -> Vec<u32> {
        self.of_row.iter().map(|&p| self.counts[r][p]).collect()
    }

    /// Measures of predictions over the same rows, in all resamples; the same bits on any number of threads.
    pub fn measure(&self, measured: &Measured, measures: &[Measure]) -> Spread {
        let all = vec![1; self.of_row.len()];
        let values = (0..self.len()).into_par_iter().map(|r| measured.values(measures, &self.weights(r))).collect();
        Spread { measures: measures.to_vec(), point: measured.values(measures, &all), values, skipped: self.skipped }
    }
}

/// The values of some measures in all resamples.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    pub measures: Vec<Measure>,
    /// Of the rows as they are.
    pub point: Vec<Option<f64>>,
    /// One row of measures for each resample.
    pub values: Vec<Vec<Option<f64>>>,
    /// Resamples that lacked a class and were left out.
    pub skipped: usize,
}

impl Spread {
    /// The values of one measure where it is defined.
    pub fn column(&self, measure: usize) -> Vec<f64> {
        self.values.iter().filter_map(|v| v[measure]).collect()
    }

    /// The 95 % interval of one measure; `None` where it was undefined in every resample.
    pub fn interval(&self, measure: usize) -> Option<Interval> {
        percentiles(self.column(measure))
    }

    /// Value by value this one minus `other`: of the same resamples and measures.
    pub fn minus(&self, other: &Self) -> Self {
        let less = |a: &[Option<f64>], b: &[Option<f64>]| -> Vec<Option<f64>> {
            a.iter().zip(b).map(|(a, b)| Some((*a)? - (*b)?)).collect()
        };
        let values = self.values.iter().zip(&other.values).map(|(a, b)| less(a, b)).collect();
        Self { point: less(&self.point, &other.point), values, ..self.clone() }
    }

    /// Value by value the mean of several, as of seeds; `None` without any.
    pub fn mean(spreads: &[Self]) -> Option<Self> {
        let n = spreads.len() as f64;
        let over = |of: &dyn Fn(&Self) -> Option<f64>| -> Option<f64> {
            Some(spreads.iter().map(of).sum::<Option<f64>>()? / n)
        };
        let first = spreads.first()?;
        let columns = 0..first.measures.len();
        let row = |r: usize| columns.clone().map(|m| over(&|s| s.values[r][m])).collect();
        Some(Self {
            point: columns.clone().map(|m| over(&|s| s.point[m])).collect(),
            values: (0..first.values.len()).map(row).collect(),
            ..first.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::metrics::classification::macro_auc;
    use crate::metrics::intervals::bootstrap;
    use crate::study::pooled::tests::made_up;

    const TWO: [Measure; 2] = [Measure::Accuracy, Measure::MacroAuc];

    /// The same resamples as the plain bootstrap, and the same bits.
    #[test]
    fn equals_the_plain_bootstrap() {
        let scored = made_up(Task::LidcA, 25, 1.0, 2).scored();
        let plain = bootstrap(&scored, 7, |s| {
            let right = s.answers().iter().zip(&s.truth).filter(|(a, t)| a == t).count();
            vec![Some(right as f64 / s.len() as f64), macro_auc(s, 3)]
        });
        let resamples = Resamples::new(&scored, 7);
        let spread = resamples.measure(&Measured::new(&scored, Task::LidcA), &TWO);
        assert_eq!([0, 1].map(|m| spread.interval(m)), [plain.intervals[0], plain.intervals[1]]);
        assert_eq!((spread.skipped, resamples.len()), (plain.skipped, RESAMPLES - plain.skipped));
    }

    #[test]
    fn a_resample_without_a_class_is_skipped() {
        let mut scored = made_up(Task::LidcA, 12, 1.0, 2).scored();
        let only = scored.patients[0].clone();
        let alone = |p: &String| usize::from(*p == only) * 2;
        scored.truth = scored.patients.iter().enumerate().map(|(i, p)| alone(p).max(i % 2)).collect();
        let resamples = Resamples::new(&scored, 0);
        // (1 - 1/12)^12 = 0.352 of the draws lack the only patient with the third class
        assert!((0.32..0.39).contains(&(resamples.skipped as f64 / RESAMPLES as f64)), "{}", resamples.skipped);
        let there = (0..resamples.len())
            .all(|r| resamples.weights(r).iter().zip(&scored.truth).any(|(w, t)| *t == 2 && *w > 0));
        assert!(there);
    }

    #[test]
    fn one_thread_and_three_give_the_same_bits() {
        let scored = made_up(Task::LidcA, 40, 1.0, 2).scored();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let measured = Measured::new(&scored, Task::LidcA);
                Resamples::new(&scored, 1).measure(&measured, &Measure::of(Task::LidcA))
            })
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn difference_and_mean_go_value_by_value() {
        let (a, b) = (made_up(Task::LidcA, 30, 1.5, 2).scored(), made_up(Task::LidcA, 30, 0.5, 3).scored());
        let resamples = Resamples::new(&a, 1);
        let of = |s: &Scored| resamples.measure(&Measured::new(s, Task::LidcA), &TWO);
        let (first, second) = (of(&a), of(&b));
        let (less, mean) = (first.minus(&second), Spread::mean(&[first.clone(), second.clone()]).unwrap());
        for r in [0, 100, 1000] {
            let (x, y) = (first.values[r][1].unwrap(), second.values[r][1].unwrap());
            assert_eq!((less.values[r][1], mean.values[r][1]), (Some(x - y), Some((x + y) / 2.0)));
        }
        assert_eq!(Spread::mean(&[]), None);
    }
}
