//! Confusion, accuracy, recall, F1 and the area under the ROC curve.

use super::Scored;

/// Rows: true class; columns: answer.
pub type Confusion = Vec<Vec<u64>>;

/// Counts of (true class, answer).
pub fn confusion(truth: &[usize], answers: &[usize], classes: usize) -> Confusion {
    let mut table = vec![vec![0; classes]; classes];
    truth.iter().zip(answers).for_each(|(&t, &a)| table[t][a] += 1);
    table
}

/// What a confusion matrix tells.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Rates {
    pub accuracy: f64,
    /// TP / (TP + FN) a class; `None` where the class does not occur.
    pub recall: Vec<Option<f64>>,
    /// 2 TP / (2 TP + FP + FN) a class; `None` (0 / 0) where the class neither occurs nor is answered, and where it is not tested.
    pub f1: Vec<Option<f64>>,
    /// Mean over the tested classes, 0 for an undefined one.
    pub macro_f1: f64,
    /// Mean recall over the tested classes that occur.
    pub balanced_accuracy: f64,
}

/// Rates of a confusion matrix. `tested`: the classes that can be true; an answer that is none of them is a miss of the true class.
pub fn rates(table: &Confusion, tested: &[usize]) -> Rates {
    let n = table.len();
    let total: u64 = table.iter().flatten().sum();
    let right: u64 = (0..n).map(|c| table[c][c]).sum();
    let ratio = |a: u64, b: u64| (b > 0).then(|| a as f64 / b as f64);
    let row = |c: usize| table[c].iter().sum::<u64>();
    let column = |c: usize| table.iter().map(|r| r[c]).sum::<u64>();
    let recall: Vec<Option<f64>> = (0..n).map(|c| ratio(table[c][c], row(c))).collect();
    let of = |c: usize| if tested.contains(&c) { ratio(2 * table[c][c], row(c) + column(c)) } else { None };
    let f1: Vec<Option<f64>> = (0..n).map(of).collect();
    let occurring: Vec<f64> = tested.iter().filter_map(|&c| recall[c]).collect();
    Rates {
        accuracy: ratio(right, total).unwrap_or(0.0),
        macro_f1: f1.iter().flatten().sum::<f64>() / tested.len().max(1) as f64,
        balanced_accuracy: occurring.iter().sum::<f64>() / occurring.len().max(1) as f64,
        recall,
        f1,
    }
}

/// Mann-Whitney: the probability that a positive scores above a negative, ties one half; `None` with one kind only.
pub fn auc(positive: &[bool], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let positives = positive.iter().filter(|p| **p).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut rank_sum, mut i) = (0.0, 0);
    while i < order.len() {
        let tie = order[i..].iter().take_while(|&&k| scores[k] == scores[order[i]]).count();
        // ranks i+1 ..= i+tie share their mean
        let mid = i as f64 + (tie as f64 + 1.0) / 2.0;
        rank_sum += mid * order[i..i + tie].iter().filter(|&&k| positive[k]).count() as f64;
        i += tie;
    }
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// One class against the rest, a class a value.
pub fn one_vs_rest(scored: &Scored, classes: usize) -> Vec<Option<f64>> {
    (0..classes).map(|c| auc(&scored.truth.iter().map(|&t| t == c).collect::<Vec<_>>(), &scored.column(c))).collect()
}

/// Mean of [`one_vs_rest`] over the classes where it is defined.
pub fn macro_auc(scored: &Scored, classes: usize) -> Option<f64> {
    if classes == 2 {
        return auc(&scored.truth.iter().map(|&t| t == 1).collect::<Vec<_>>(), &scored.column(1));
    }
    let values: Vec<f64> = one_vs_rest(scored, classes).into_iter().flatten().collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The benign and malignant rows: index, whether malignant, and P(malignant) / (P(benign) + P(malignant)).
pub fn benign_malignant(scored: &Scored, classes: usize) -> impl Iterator<Item = (usize, bool, f64)> {
    let last = classes - 1;
    let rows = scored.truth.iter().zip(&scored.probabilities).enumerate();
    rows.filter(move |(_, (t, _))| **t == 0 || **t == last)
        .map(move |(i, (t, p))| (i, *t == last, p[last] / (p[0] + p[last]).max(1e-300)))
}

/// The benign and malignant rows: index, and whether the likelier of the two alone is the true one; benign on a tie.
pub fn two_way(scored: &Scored, classes: usize) -> impl Iterator<Item = (usize, bool)> {
    benign_malignant(scored, classes).map(|(i, positive, score)| (i, positive == (score > 0.5)))
}

/// The largest share of positives found while at least `specificity` of the negatives are spared; thresholds are observed
/// scores, a score at the threshold counts as positive.
pub fn sensitivity_at(positive: &[bool], scores: &[f64], specificity: f64) -> Option<f64> {
    let count = |wanted: bool, thr: f64| {
        positive.iter().zip(scores).filter(|(p, s)| **p == wanted && **s >= thr).count() as f64
    };
    let positives = positive.iter().filter(|p| **p).count() as f64;
    let negatives = positive.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let spared = |thr: f64| 1.0 - count(false, thr) / negatives >= specificity - 1e-12;
    Some(scores.iter().filter(|s| spared(**s)).map(|s| count(true, *s) / positives).fold(0.0, f64::max))
}

/// The mean of the precision over the positives found, each at its own score as threshold; `None` without a positive.
pub fn average_precision(positive: &[bool], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut found, mut seen, mut sum) = (0, 0, 0.0);
    for tie in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let new = tie.iter().filter(|&&i| positive[i]).count();
        found += new;
        seen += tie.len();
        sum += new as f64 * found as f64 / seen as f64;
    }
    (found > 0).then(|| sum / found as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, ten};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let s = ten();
        let table = confusion(&s.truth, &s.answers(), 3);
        assert_eq!(table, vec![vec![3, 1, 0], vec![1, 1, 1], vec![0, 1, 2]]);
        let r = rates(&table, &[0, 1, 2]);
        close(r.accuracy, 0.6);
        for (value, golden) in r.recall.iter().chain(&r.f1).zip([0.75, 0.333333, 0.666667].iter().cycle()) {
            close(value.unwrap(), *golden);
        }
        close(r.macro_f1, 0.583333);
        for (value, golden) in one_vs_rest(&s, 3).iter().zip([0.895833, 0.571429, 0.904762]) {
            close(value.unwrap(), golden);
        }
        close(macro_auc(&s, 3).unwrap(), 0.790675);
    }

    #[test]
    fn binary_goldens_and_edges() {
        let y: Vec<bool> = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1].iter().map(|v| *v == 1).collect();
        let s = [0.1, 0.2, 0.3, 0.4, 0.4, 0.8, 0.35, 0.4, 0.7, 0.9];
        close(auc(&y, &s).unwrap(), 0.75);
        close(sensitivity_at(&y, &s, 0.8).unwrap(), 0.5);
        close(sensitivity_at(&y, &s, 0.9).unwrap(), 0.25);
        close(sensitivity_at(&y, &s, 0.5).unwrap(), 1.0);
        close(average_precision(&y, &s).unwrap(), 0.684524);
        assert_eq!(average_precision(&[false; 3], &[0.1, 0.2, 0.3]), None);
        close(auc(&y, &[0.3; 10]).unwrap(), 0.5);
        assert_eq!(auc(&[true; 3], &[0.1, 0.2, 0.3]), None);
        let r = rates(&vec![vec![2, 0], vec![0, 0]], &[0, 1]);
        assert_eq!((r.recall[1], r.f1[1], r.accuracy), (None, None, 1.0));
    }

    /// scikit-learn 1.9.1: f1_score and recall_score of truth 0 0 0 2 2 2 2, answers 0 1 2 2 2 1 0, labels=[0, 2], average="macro".
    #[test]
    fn classes_that_are_not_tested_do_not_count() {
        let table = confusion(&[0, 0, 0, 2, 2, 2, 2], &[0, 1, 2, 2, 2, 1, 0], 3);
        let r = rates(&table, &[0, 2]);
        close(r.macro_f1, 0.485714);
        close(r.balanced_accuracy, 0.416667);
        assert_eq!((r.recall[1], r.f1[1]), (None, None));
    }
}
