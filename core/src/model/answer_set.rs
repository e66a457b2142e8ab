//! Sets of classes instead of one: all that are probable enough, so that the true one is among them nine times in ten (split conformal
//! prediction with the score 1 - p; Sadinle, Lei and Wasserman, JASA 2019).

use serde::{Deserialize, Serialize};

use crate::error::{Result, check_share};

/// The rule, as `config.json` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerSet {
    /// How often the true class is to be in the set.
    pub coverage: f64,
    /// Classes at least so probable are in the set, and the class decided on always.
    pub threshold: f64,
    /// How often it was, for held-out nodules with the rule of the others.
    pub measured: f64,
}

impl AnswerSet {
    /// The rule from held-out predictions: of each nodule p(true class), the largest other probability, and its fold. `None` without any.
    pub fn fit(coverage: f64, nodules: &[HeldOut]) -> Option<Self> {
        if nodules.is_empty() {
            return None;
        }
        let threshold_of = |left_out: Option<usize>| {
            threshold(coverage, nodules.iter().filter(|n| Some(n.fold) != left_out).map(|n| n.truth).collect())
        };
        let folds = nodules.iter().map(|n| n.fold + 1).max().unwrap_or(0);
        let covered: usize = (0..folds)
            .map(|fold| {
                let threshold = threshold_of(Some(fold));
                let held_out = nodules.iter().filter(|n| n.fold == fold);
                held_out.filter(|n| n.truth >= threshold || n.truth >= n.others).count()
            })
            .sum();
        Some(Self { coverage, threshold: threshold_of(None), measured: covered as f64 / nodules.len() as f64 })
    }

    /// That its numbers are shares.
    ///
    /// # Errors
    /// The first that is not from 0 to 1.
    pub fn check(&self) -> Result<()> {
        check_share("answer_set.coverage", self.coverage)?;
        check_share("answer_set.threshold", self.threshold)?;
        check_share("answer_set.measured", self.measured)
    }

    /// The places of the classes in the set; `decided` is always among them.
    pub fn of(&self, probabilities: &[f64], decided: usize) -> Vec<usize> {
        (0..probabilities.len()).filter(|&k| k == decided || probabilities[k] >= self.threshold).collect()
    }
}

/// A held-out nodule's prediction, as the rule needs it.
#[derive(Clone, Copy, Debug)]
pub struct HeldOut {
    /// p(true class).
    pub truth: f64,
    /// The largest probability of another class.
    pub others: f64,
    pub fold: usize,
}

/// The value below which the share 1 - coverage of these lies, with the correction for finite numbers: the k-th smallest, k = floor((n + 1)
/// (1 - coverage)).
fn threshold(coverage: f64, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    // a hair more, since (99 + 1) (1 - 0.9) is a little below 10 in binary
    let k = ((values.len() as f64 + 1.0) * (1.0 - coverage) + 1e-9).floor() as usize;
    k.checked_sub(1).and_then(|k| values.get(k).copied()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference: of 1..=99 hundredths the 10th smallest, floor(100 * 0.1).
    #[test]
    fn the_threshold_leaves_a_tenth_below() {
        let nodules: Vec<HeldOut> =
            (1..=99).map(|n| HeldOut { truth: f64::from(n) / 100.0, others: 1.0, fold: n as usize % 5 }).collect();
        let rule = AnswerSet::fit(0.9, &nodules).unwrap();
        assert!((rule.threshold - 0.10).abs() < 1e-12);
        assert!((rule.measured - 0.9).abs() < 0.03, "{}", rule.measured);
        assert!(AnswerSet::fit(0.9, &[]).is_none());
    }

    #[test]
    fn the_class_decided_on_is_always_there() {
        let rule = AnswerSet { coverage: 0.9, threshold: 0.3, measured: 0.9 };
        assert_eq!(rule.of(&[0.5, 0.4, 0.1], 0), [0, 1]);
        assert_eq!(rule.of(&[0.25, 0.5, 0.25], 0), [0, 1]);
        assert_eq!(rule.of(&[0.9, 0.05, 0.05], 0), [0]);
    }
}
