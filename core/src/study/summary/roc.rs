//! ROC curves of malignant against benign nodules, with bands of the bootstrap over patients.

use rayon::prelude::*;
use serde::Serialize;

use super::cohorts::Cohorts;
use super::entry::Entry;
use crate::error::Result;
use crate::metrics::classification::benign_malignant;
use crate::metrics::intervals::percentiles;
use crate::study::pooled::Predictions;

/// Steps of the false positive rate.
pub const STEPS: usize = 100;

/// A curve on the grid of false positive rates 0, 1/100, .., 1: the largest sensitivity that no more false positives allow,
/// thresholds at observed scores, the mean over the seeds. All folds' scores are taken as one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    pub name: String,
    pub sensitivity: Vec<f64>,
    /// 95 % of the resamples, point by point.
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

impl Roc {
    /// The curve of a row; `None` without benign or without malignant nodules.
    ///
    /// # Errors
    /// When its seeds are not of the same nodules.
    pub fn new(entry: &Entry, cohorts: &mut Cohorts) -> Result<Option<Self>> {
        let Some((cohort, arms)) = cohorts.on(&entry.folds, &[entry])? else { return Ok(None) };
        let descents: Vec<Descent> = arms[0].seeds().iter().map(Descent::new).collect();
        let mean = |weights: &[u32]| -> Option<Vec<f64>> {
            let curves = descents.iter().map(|d| d.curve(weights)).collect::<Option<Vec<_>>>()?;
            Some((0..=STEPS).map(|k| curves.iter().map(|c| c[k]).sum::<f64>() / curves.len() as f64).collect())
        };
        let resamples = cohort.resamples();
        let nodules = arms[0].seeds().first().map_or(0, |p| p.nodules.len());
        let Some(sensitivity) = mean(&vec![1; nodules]) else { return Ok(None) };
        let drawn: Vec<Option<Vec<f64>>> =
            (0..resamples.len()).into_par_iter().map(|r| mean(&resamples.weights(r))).collect();
        let band = |k: usize| {
            let interval = percentiles(drawn.iter().flatten().map(|c| c[k]).collect());
            interval.map_or((sensitivity[k], sensitivity[k]), |i| (i.low, i.high))
        };
        let (low, high) = (0..=STEPS).map(band).unzip();
        Ok(Some(Self { name: entry.name.clone(), sensitivity, low, high }))
    }
}

/// Rows from the highest score downwards.
struct Descent {
    /// Row, whether malignant, whether the last of its ties.
    rows: Vec<(usize, bool, bool)>,
}

impl Descent {
    fn new(predictions: &Predictions) -> Self {
        let scored = predictions.scored();
        let mut sorted: Vec<_> = benign_malignant(&scored, predictions.task.classes().len()).collect();
        sorted.sort_by(|a, b| b.2.total_cmp(&a.2));
        let last = |i: usize| sorted.get(i + 1).is_none_or(|next| next.2 != sorted[i].2);
        Self { rows: (0..sorted.len()).map(|i| (sorted[i].0, sorted[i].1, last(i))).collect() }
    }

    /// The sensitivity at each step, rows counted `weights[row]` times.
    fn curve(&self, weights: &[u32]) -> Option<Vec<f64>> {
        let of =
            |kind: bool| -> u64 { self.rows.iter().filter(|r| r.1 == kind).map(|r| u64::from(weights[r.0])).sum() };
        let (positives, negatives) = (of(true), of(false));
        if positives == 0 || negatives == 0 {
            return None;
        }
        let mut curve = Vec::with_capacity(STEPS + 1);
        let (mut found, mut wrong, mut best) = (0u64, 0u64, 0u64);
        for &(row, malignant, last) in &self.rows {
            *(if malignant { &mut found } else { &mut wrong }) += u64::from(weights[row]);
            if last {
                // steps that this threshold is too low for
                while curve.len() <= STEPS && wrong * STEPS as u64 > curve.len() as u64 * negatives {
                    curve.push(best as f64 / positives as f64);
                }
                best = found;
            }
        }
        curve.resize(STEPS + 1, 1.0);
        Some(curve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::task::Task;
    use crate::methods::Method;
    use crate::metrics::classification::sensitivity_at;
    use crate::study::pooled::tests::made_up;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;

    /// At every step the sensitivity at that specificity, ties and repeated rows among them.
    #[test]
    fn equals_the_sensitivity_at_each_specificity() {
        for task in [Task::LidcA, Task::LidcC] {
            let mut predictions = made_up(task, 60, 1.0, 4);
            // steps of 1/10 make ties
            for n in &mut predictions.nodules {
                let p = (n.probabilities[2] * 10.0).round() / 10.0;
                n.probabilities = [1.0 - p, 0.0, p];
            }
            let scored = predictions.scored();
            let weights: Vec<u32> = (0..scored.len()).map(|i| (i * i) as u32 % 3).collect();
            let rows: Vec<usize> =
                (0..scored.len()).flat_map(|i| std::iter::repeat_n(i, weights[i] as usize)).collect();
            let (positive, score): (Vec<bool>, Vec<f64>) =
                benign_malignant(&scored.select(&rows), task.classes().len()).map(|(_, p, s)| (p, s)).unzip();
            let curve = Descent::new(&predictions).curve(&weights).unwrap();
            for (k, value) in curve.iter().enumerate() {
                let specificity = 1.0 - k as f64 / STEPS as f64;
                assert_eq!(Some(*value), sensitivity_at(&positive, &score, specificity), "{k}");
            }
        }
    }

    #[test]
    fn bands_hold_the_curve() {
        let all = finished(Method::Ce, None, &[0, 1, 2], 2, 1.5);
        let entry = entries(Task::LidcA, &all, &[]).unwrap().remove(0);
        let roc = Roc::new(&entry, &mut Cohorts::default()).unwrap().unwrap();
        assert_eq!((roc.sensitivity.len(), roc.sensitivity[STEPS], roc.low[STEPS]), (STEPS + 1, 1.0, 1.0));
        assert!((0..=STEPS).all(|k| roc.low[k] <= roc.sensitivity[k] && roc.sensitivity[k] <= roc.high[k]));
        assert!(roc.high[10] - roc.low[10] > 0.05);
    }
}
