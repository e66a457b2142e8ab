//! All measures of one set of predictions, as `metrics.json` holds them.

use serde::Serialize;

use super::Scored;
use super::calibration::{adaptive_calibration_error, brier, calibration_error, negative_log_likelihood};
use super::classification::{
    Confusion, Rates, auc, benign_malignant, confusion, macro_auc, one_vs_rest, rates, sensitivity_at, two_way,
};
use super::intervals::{Interval, RESAMPLES, bootstrap};
use super::ordinal::{expectation_error, mean_absolute_error, ordinal_aucs, ranked_probability_score, weighted_kappa};
use super::size_only::majority;

/// A value with its 95 % interval from the bootstrap over patients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    pub value: f64,
    pub interval: Option<Interval>,
}

/// The measures of the method.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub nodules: usize,
    pub patients: usize,
    pub classes: Vec<&'static str>,
    /// Share of the most frequent true class.
    pub majority: f64,
    pub accuracy: Estimate,
    pub macro_f1: Estimate,
    pub balanced_accuracy: Estimate,
    /// Macro one-versus-rest; the plain AUC for two classes.
    pub macro_auc: Option<Estimate>,
    /// Benign against malignant nodules: P(malignant) / (P(benign) + P(malignant)).
    pub benign_malignant_auc: Option<Estimate>,
    #[serde(flatten)]
    pub rates: RatesByClass,
    pub auc_one_vs_rest: Vec<Option<f64>>,
    /// P(y > 0), P(y > 1).
    pub auc_ordinal: Vec<Option<f64>>,
    pub quadratic_kappa: Option<f64>,
    pub mae: f64,
    pub mae_expectation: f64,
    pub rps: f64,
    pub nll: f64,
    pub brier: f64,
    /// 15 equal-width bins.
    pub ece: f64,
    pub adaptive_ece: f64,
    pub sensitivity_at_specificity_80: Option<f64>,
    pub sensitivity_at_specificity_90: Option<f64>,
    /// Accuracy when only the first and the last class are allowed answers; where others are not tested.
    pub accuracy_two_way: Option<f64>,
    /// Rows: true class; columns: answer.
    pub confusion: Confusion,
    pub bootstrap: BootstrapNote,
}

/// Per class, `None` where undefined.
#[derive(Clone, Debug, Serialize)]
pub struct RatesByClass {
    pub recall: Vec<Option<f64>>,
    pub f1: Vec<Option<f64>>,
}

/// How the intervals were made.
#[derive(Clone, Debug, Serialize)]
pub struct BootstrapNote {
    pub unit: &'static str,
    pub resamples: usize,
    pub skipped: usize,
    pub seed: u64,
}

/// Scores predictions over the classes `names`, ordered from benign to malignant, of which `tested` can be true; `None` when there
/// is no prediction.
pub fn report(scored: &Scored, names: &[&'static str], tested: &[usize], seed: u64) -> Option<Report> {
    if scored.is_empty() {
        return None;
    }
    let n = names.len();
    let answers = scored.answers();
    let table = confusion(&scored.truth, &answers, n);
    let Rates { recall, f1, .. } = rates(&table, tested);
    let point = headline(scored, n, tested);
    let resampled = bootstrap(scored, seed, |s| headline(s, n, tested));
    let estimate =
        |i: usize| point[i].map(|value| Estimate { value, interval: resampled.intervals.get(i).copied().flatten() });
    let certain = |i: usize| estimate(i).unwrap_or(Estimate { value: 0.0, interval: None });
    let mut patients = scored.patients.clone();
    patients.sort_unstable();
    patients.dedup();
    let (positive, score) = two_class(scored, n);
    Some(Report {
        nodules: scored.len(),
        patients: patients.len(),
        majority: majority(scored),
        accuracy: certain(0),
        macro_f1: certain(1),
        balanced_accuracy: certain(2),
        macro_auc: estimate(3),
        benign_malignant_auc: estimate(4),
        rates: RatesByClass { recall, f1 },
        auc_one_vs_rest: one_vs_rest(scored, n),
        auc_ordinal: ordinal_aucs(scored, n),
        quadratic_kappa: weighted_kappa(&table, 2),
        mae: mean_absolute_error(&scored.truth, &answers),
        mae_expectation: expectation_error(scored),
        rps: ranked_probability_score(scored),
        nll: negative_log_likelihood(scored),
        brier: brier(scored),
        ece: calibration_error(scored, 15),
        adaptive_ece: adaptive_calibration_error(scored, 15),
        sensitivity_at_specificity_80: sensitivity_at(&positive, &score, 0.8),
        sensitivity_at_specificity_90: sensitivity_at(&positive, &score, 0.9),
        accuracy_two_way: (tested.len() < n).then(|| {
            let right = two_way(scored, n).filter(|(_, right)| *right).count();
            right as f64 / positive.len().max(1) as f64
        }),
        confusion: table,
        classes: names.to_vec(),
        bootstrap: BootstrapNote { unit: "patient", resamples: RESAMPLES, skipped: resampled.skipped, seed },
    })
}

/// Accuracy, macro-F1, balanced accuracy, macro AUC, AUC of benign against malignant.
fn headline(scored: &Scored, classes: usize, tested: &[usize]) -> Vec<Option<f64>> {
    let r = rates(&confusion(&scored.truth, &scored.answers(), classes), tested);
    let (positive, score) = two_class(scored, classes);
    vec![
        Some(r.accuracy),
        Some(r.macro_f1),
        Some(r.balanced_accuracy),
        macro_auc(scored, classes),
        auc(&positive, &score),
    ]
}

/// The benign and malignant rows: whether malignant, and the score renormalised on the two.
fn two_class(scored: &Scored, classes: usize) -> (Vec<bool>, Vec<f64>) {
    benign_malignant(scored, classes).map(|(_, positive, score)| (positive, score)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, ten};

    const NAMES: [&str; 3] = ["benign", "unsure", "malignant"];

    #[test]
    fn the_parts_come_together() {
        let r = report(&ten(), &NAMES, &[0, 1, 2], 0).unwrap();
        close(r.accuracy.value, 0.6);
        close(r.macro_auc.unwrap().value, 0.790675);
        close(r.majority, 0.4);
        assert!(r.accuracy.interval.unwrap().low < 0.6);
        assert_eq!(r.accuracy_two_way, None);
        assert!(report(&Scored::default(), &NAMES, &[0, 1, 2], 0).is_none());
    }

    /// Where "unsure" is not tested, answering it is a miss of the true class, means are over the two classes that are tested, and the
    /// two-way decision is reported beside.
    #[test]
    fn unsure_answers_count_as_errors() {
        let scored = Scored {
            truth: vec![0, 2, 2],
            probabilities: vec![vec![0.4, 0.5, 0.1], vec![0.1, 0.3, 0.6], vec![0.1, 0.5, 0.4]],
            patients: vec!["a".into(), "b".into(), "c".into()],
            decision: Default::default(),
        };
        let r = report(&scored, &NAMES, &[0, 2], 0).unwrap();
        close(r.accuracy.value, 1.0 / 3.0);
        close(r.accuracy_two_way.unwrap(), 1.0);
        // F1: benign 0, malignant 2/3; recall: 0 and 1/2
        close(r.macro_f1.value, 1.0 / 3.0);
        close(r.balanced_accuracy.value, 0.25);
    }

    /// Right but for one "unsure" a class: every resample's means are over two classes too.
    #[test]
    fn intervals_average_over_the_tested_classes() {
        let answer = |right: usize, i: usize| if i == 0 { 1 } else { right };
        let rows = (0..40).flat_map(|i| [(0, answer(0, i)), (2, answer(2, i))]);
        let mut scored = Scored::default();
        for (i, (truth, answer)) in rows.enumerate() {
            scored.truth.push(truth);
            scored.probabilities.push((0..3).map(|c| if c == answer { 0.8 } else { 0.1 }).collect());
            scored.patients.push(i.to_string());
        }
        let r = report(&scored, &NAMES, &[0, 2], 0).unwrap();
        for (estimate, value) in [(r.macro_f1, 78.0 / 79.0), (r.balanced_accuracy, 39.0 / 40.0)] {
            close(estimate.value, value);
            let interval = estimate.interval.unwrap();
            assert!(interval.low > 0.9 && interval.high == 1.0, "{interval:?}");
        }
    }
}
