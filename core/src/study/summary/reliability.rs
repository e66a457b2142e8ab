//! Whether answers are right as often as their probability says.

use serde::Serialize;

use super::entry::Entry;
use crate::metrics::calibration::{bin, confidences};
use crate::metrics::intervals::{Interval, wilson};

/// Bins of equal width, as many as the calibration error has.
const BINS: usize = 15;

/// The answers of one bin, all folds and seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    pub answers: u64,
    /// Mean probability of the answers.
    pub confidence: f64,
    /// Share of right ones.
    pub right: f64,
    /// Wilson's 95 % interval of `right`, as if answers were independent.
    pub interval: Interval,
}

/// The bins of a row that hold an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    pub name: String,
    pub bins: Vec<Bin>,
}

impl Reliability {
    /// Of a row's predictions.
    pub fn new(entry: &Entry) -> Self {
        // answers, sum of their probabilities, right ones
        let mut bins = [(0u64, 0.0, 0u64); BINS];
        for seed in entry.on(&entry.folds) {
            let scored = seed.scored();
            for (sure, is_right) in confidences(&scored) {
                let (answers, confidence, right) = &mut bins[bin(sure, BINS)];
                *answers += 1;
                *confidence += sure;
                *right += u64::from(is_right);
            }
        }
        let filled = bins.into_iter().filter(|b| b.0 > 0).map(|(answers, confidence, right)| Bin {
            answers,
            confidence: confidence / answers as f64,
            right: right as f64 / answers as f64,
            interval: wilson(right, answers),
        });
        Self { name: entry.name.clone(), bins: filled.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::decision::Decision;
    use crate::dataset::task::Task;
    use crate::methods::Method;
    use crate::metrics::calibration::calibration_error;
    use crate::metrics::tests::near;
    use crate::study::summary::entry::entries;
    use crate::study::summary::finished::tests::finished;

    /// The calibration error is the bins' mean distance from the diagonal.
    #[test]
    fn the_bins_are_those_of_the_calibration_error() {
        for decision in [Decision::Argmax, Decision::Median] {
            let mut all = finished(Method::Udm, None, &[0, 1, 2], 2, 1.5);
            all.iter_mut().for_each(|f| f.predictions.decision = decision);
            let entry = entries(Task::LidcA, &all, &[]).unwrap().remove(0);
            let bins = Reliability::new(&entry).bins;
            let scored = entry.on(&[0, 1, 2])[0].scored();
            let gap: f64 = bins.iter().map(|b| b.answers as f64 * (b.confidence - b.right).abs()).sum();
            near(gap / scored.len() as f64, calibration_error(&scored, BINS), 1e-12);
            assert_eq!(bins.iter().map(|b| b.answers).sum::<u64>(), scored.len() as u64);
            assert!(bins.iter().all(|b| b.interval.low <= b.right && b.right <= b.interval.high));
        }
    }
}
