//! Many comparisons at once: the step-down correction of Holm (Scandinavian Journal of Statistics 6, 1979).

/// The adjusted p-values, in the order given: the k-th smallest of n (k from 0) times n - k, at least the one before, at most 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut adjusted, mut largest) = (vec![0.0; p.len()], 0.0f64);
    for (k, &i) in order.iter().enumerate() {
        largest = largest.max(p[i] * (p.len() - k) as f64).min(1.0);
        adjusted[i] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{golden, near, numbers};

    /// statsmodels, seven random p-values with a tie among them.
    #[test]
    fn agrees_with_statsmodels() {
        let golden = golden();
        let case = &golden["holm"];
        for (value, reference) in holm(&numbers(&case["p"])).iter().zip(numbers(&case["adjusted"])) {
            near(*value, reference, 1e-14);
        }
    }

    #[test]
    fn one_comparison_is_left_alone_and_none_is_none() {
        assert_eq!(holm(&[0.03]), [0.03]);
        assert!(holm(&[]).is_empty());
    }
}
