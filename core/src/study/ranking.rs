//! The area under the ROC curve over rows that count several times: sorted once, then one pass for each set of weights.

/// Rows in the order of their scores.
pub struct Ranking {
    /// Row, whether it is a positive, whether it is the last of its ties; ascending.
    rows: Vec<(usize, bool, bool)>,
}

impl Ranking {
    /// Of rows (index of the weight, whether positive, score).
    pub fn new(rows: impl Iterator<Item = (usize, bool, f64)>) -> Self {
        let mut sorted: Vec<(usize, bool, f64)> = rows.collect();
        sorted.sort_by(|a, b| a.2.total_cmp(&b.2));
        let last = |i: usize| sorted.get(i + 1).is_none_or(|next| next.2 != sorted[i].2);
        Self { rows: (0..sorted.len()).map(|i| (sorted[i].0, sorted[i].1, last(i))).collect() }
    }

    /// The probability that a positive scores above a negative, ties one half; `None` when one kind has no weight.
    pub fn area(&self, weights: &[u32]) -> Option<f64> {
        // twice the number of pairs won, in whole numbers: exact whatever the order
        let (mut won, mut below, mut found) = (0u64, 0u64, 0u64);
        let (mut positives, mut negatives) = (0u64, 0u64);
        for &(row, positive, last) in &self.rows {
            *(if positive { &mut positives } else { &mut negatives }) += u64::from(weights[row]);
            if last {
                won += positives * (2 * below + negatives);
                (found, below) = (found + positives, below + negatives);
                (positives, negatives) = (0, 0);
            }
        }
        (found > 0 && below > 0).then(|| won as f64 / (2 * found * below) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Stream;
    use crate::metrics::classification::auc;

    /// The same bits as the area of the rows written out, ties and absent rows among them.
    #[test]
    fn equals_the_area_of_repeated_rows() {
        let mut random = Stream::new(5, 0);
        for _ in 0..50 {
            let rows: Vec<(usize, bool, f64)> =
                (0..40).map(|i| (i, random.below(3) == 0, random.below(12) as f64)).collect();
            let weights: Vec<u32> = (0..40).map(|_| random.below(4) as u32).collect();
            let repeated = || rows.iter().flat_map(|r| std::iter::repeat_n(r, weights[r.0] as usize));
            let positive: Vec<bool> = repeated().map(|r| r.1).collect();
            let scores: Vec<f64> = repeated().map(|r| r.2).collect();
            assert_eq!(Ranking::new(rows.iter().copied()).area(&weights), auc(&positive, &scores));
        }
        assert_eq!(Ranking::new([(0, true, 1.0), (1, false, 0.0)].into_iter()).area(&[3, 0]), None);
    }
}
