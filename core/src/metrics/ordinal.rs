//! Measures that know the classes are ordered: ordinal AUCs, weighted kappa, absolute error, ranked probability score.

use super::Scored;
use super::classification::{Confusion, auc};

/// AUC of P(y > k) for k = 0 .. C-2.
pub fn ordinal_aucs(scored: &Scored, classes: usize) -> Vec<Option<f64>> {
    (0..classes.saturating_sub(1))
        .map(|k| {
            let above: Vec<f64> = scored.probabilities.iter().map(|p| p[k + 1..].iter().sum()).collect();
            auc(&scored.truth.iter().map(|&t| t > k).collect::<Vec<_>>(), &above)
        })
        .collect()
}

/// 1 - sum W O / sum W E with W = (|i - j| / (C - 1))^power and E from the margins; `None` when chance leaves no disagreement.
pub fn weighted_kappa(table: &Confusion, power: i32) -> Option<f64> {
    let n = table.len();
    let total: u64 = table.iter().flatten().sum();
    let row = |i: usize| table[i].iter().sum::<u64>() as f64;
    let column = |j: usize| table.iter().map(|r| r[j]).sum::<u64>() as f64;
    let (mut observed, mut expected) = (0.0, 0.0);
    for i in 0..n {
        for j in 0..n {
            let w = (i.abs_diff(j) as f64 / (n.max(2) - 1) as f64).powi(power);
            observed += w * table[i][j] as f64;
            expected += w * row(i) * column(j) / total.max(1) as f64;
        }
    }
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

/// Mean |class - answer|.
pub fn mean_absolute_error(truth: &[usize], answers: &[usize]) -> f64 {
    truth.iter().zip(answers).map(|(t, a)| t.abs_diff(*a) as f64).sum::<f64>() / truth.len().max(1) as f64
}

/// Mean |class - expected class|.
pub fn expectation_error(scored: &Scored) -> f64 {
    let expected = |p: &[f64]| p.iter().enumerate().map(|(k, v)| k as f64 * v).sum::<f64>();
    let sum: f64 = scored.truth.iter().zip(&scored.probabilities).map(|(&t, p)| (t as f64 - expected(p)).abs()).sum();
    sum / scored.len().max(1) as f64
}

/// Mean over rows of the sum over k = 0 .. C-2 of (cumulative probability - cumulative truth)^2.
pub fn ranked_probability_score(scored: &Scored) -> f64 {
    let one = |(&t, p): (&usize, &Vec<f64>)| {
        let mut cumulative = 0.0;
        p[..p.len() - 1]
            .iter()
            .enumerate()
            .map(|(k, v)| {
                cumulative += v;
                (cumulative - f64::from(u8::from(t <= k))).powi(2)
            })
            .sum::<f64>()
    };
    scored.truth.iter().zip(&scored.probabilities).map(one).sum::<f64>() / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::classification::confusion;
    use crate::metrics::tests::{close, ten};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let s = ten();
        let table = confusion(&s.truth, &s.answers(), 3);
        close(weighted_kappa(&table, 2).unwrap(), 0.710145);
        close(weighted_kappa(&table, 1).unwrap(), 0.555556);
        close(mean_absolute_error(&s.truth, &s.answers()), 0.4);
        close(expectation_error(&s), 0.49);
        close(ranked_probability_score(&s), 0.2725);
        let aucs = ordinal_aucs(&s, 3);
        close(aucs[0].unwrap(), 0.895833);
        close(aucs[1].unwrap(), 0.904762);
        assert_eq!(weighted_kappa(&vec![vec![4, 0], vec![0, 0]], 2), None);
    }
}
