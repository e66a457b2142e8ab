//! How sure a number is: cluster bootstrap by patient, Wilson, Hanley-McNeil.

use std::collections::BTreeMap;

use super::Scored;
use crate::base::random::Stream;

/// Resamples of the bootstrap.
pub const RESAMPLES: usize = 2000;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Percentile intervals of several measures from one set of resamples of whole patients.
pub struct Bootstrap {
    /// One interval a measure, `None` where it was undefined in every resample.
    pub intervals: Vec<Option<Interval>>,
    /// Resamples that lacked a class and were skipped.
    pub skipped: usize,
}

/// Draws patients with replacement; `measure` gives the values of a resample.
pub fn bootstrap(scored: &Scored, seed: u64, measure: impl Fn(&Scored) -> Vec<Option<f64>>) -> Bootstrap {
    let mut of_patient: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, p) in scored.patients.iter().enumerate() {
        of_patient.entry(p).or_default().push(i);
    }
    let patients: Vec<&Vec<usize>> = of_patient.values().collect();
    let classes = |s: &Scored| s.truth.iter().fold(0u64, |bits, t| bits | 1 << t);
    let all = classes(scored);
    let mut values: Vec<Vec<f64>> = Vec::new();
    let mut skipped = 0;
    for r in 0..RESAMPLES as u64 {
        let rows: Vec<usize> = drawn(patients.len(), seed, r).flat_map(|p| patients[p].iter().copied()).collect();
        let sample = scored.select(&rows);
        if classes(&sample) != all {
            skipped += 1;
            continue;
        }
        let measured = measure(&sample);
        values.resize(values.len().max(measured.len()), Vec::new());
        values.iter_mut().zip(measured).for_each(|(v, m)| v.extend(m));
    }
    Bootstrap { intervals: values.into_iter().map(percentiles).collect(), skipped }
}

/// The patients of resample `r`: as many as there are, with replacement.
pub fn drawn(patients: usize, seed: u64, r: u64) -> impl Iterator<Item = usize> {
    let mut random = Stream::new(seed, 20 + r);
    (0..patients).map(move |_| random.below(patients))
}

/// 2.5 and 97.5 %; `None` without a value.
pub fn percentiles(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    Some(Interval { low: percentile(&values, 0.025)?, high: percentile(&values, 0.975)? })
}

/// The share `q` of sorted values lies below it, linear between order statistics; `None` without a value.
pub fn percentile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * (sorted.len().checked_sub(1)?) as f64;
    let (i, t) = (position as usize, position.fract());
    Some(sorted[i] * (1.0 - t) + sorted[(i + 1).min(sorted.len() - 1)] * t)
}

const Z: f64 = 1.959_963_984_540_054;

/// Wilson's interval of a rate.
pub fn wilson(hits: u64, n: u64) -> Interval {
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Interval { low: middle - half, high: middle + half }
}

/// Hanley and McNeil's standard error of an AUC.
pub fn hanley_mcneil(auc: f64, positives: u64, negatives: u64) -> f64 {
    let (p, n) = (positives as f64, negatives as f64);
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
    ((auc * (1.0 - auc) + (p - 1.0) * (q1 - auc * auc) + (n - 1.0) * (q2 - auc * auc)) / (p * n)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, ten};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let w = wilson(283, 465);
        close(w.low, 0.563525);
        close(w.high, 0.651900);
        close(hanley_mcneil(0.75, 4, 6), 0.171000);
    }

    #[test]
    fn bootstrap_is_reproducible_and_counts_what_it_skips() {
        let s = ten();
        let accuracy = |s: &Scored| {
            let right = s.answers().iter().zip(&s.truth).filter(|(a, t)| a == t).count();
            vec![Some(right as f64 / s.len() as f64)]
        };
        let (a, b) = (bootstrap(&s, 1, accuracy), bootstrap(&s, 1, accuracy));
        assert_eq!(a.intervals, b.intervals);
        assert!(a.skipped > 0 && a.skipped < RESAMPLES / 4);
        let interval = a.intervals[0].unwrap();
        assert!(interval.low < 0.6 && interval.high > 0.6 && interval.low >= 0.0 && interval.high <= 1.0);
    }

    /// Resampling whole patients is wider than resampling rows when a patient's rows agree.
    #[test]
    fn clusters_widen_the_interval() {
        let mut s = Scored::default();
        for p in 0..30 {
            for _ in 0..10 {
                s.truth.push(0);
                s.probabilities.push(if p % 3 == 0 { vec![0.1, 0.9] } else { vec![0.9, 0.1] });
                s.patients.push(format!("{p}"));
            }
        }
        let accuracy = |s: &Scored| vec![Some(s.answers().iter().filter(|a| **a == 0).count() as f64 / s.len() as f64)];
        let grouped = bootstrap(&s, 1, accuracy).intervals[0].unwrap();
        s.patients = (0..300).map(|i| i.to_string()).collect();
        let single = bootstrap(&s, 1, accuracy).intervals[0].unwrap();
        assert!(grouped.high - grouped.low > 2.0 * (single.high - single.low));
    }
}
