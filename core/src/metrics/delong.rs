//! The standard error of an AUC, and of the difference of two on the same nodules (DeLong et al., Biometrics 44, 1988).

use serde::Serialize;
use statrs::function::erf::erfc;

/// What an AUC is the mean of.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// For each positive in order: the share of negatives that score below it, ties one half.
    pub positives: Vec<f64>,
    /// For each negative in order: the share of positives that score above it, ties one half.
    pub negatives: Vec<f64>,
}

/// The structural components of an AUC; `None` with fewer than two positives or negatives.
pub fn components(positive: &[bool], scores: &[f64]) -> Option<Components> {
    let of = |kind: bool| positive.iter().zip(scores).filter(move |(p, _)| **p == kind).map(|(_, s)| *s);
    let sorted = |kind: bool| {
        let mut values: Vec<f64> = of(kind).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (high, low) = (sorted(true), sorted(false));
    // below, and half of the ties
    let share = |sorted: &[f64], s: f64| {
        let (below, upto) = (sorted.partition_point(|v| *v < s), sorted.partition_point(|v| *v <= s));
        (below + upto) as f64 / (2 * sorted.len()) as f64
    };
    (high.len() > 1 && low.len() > 1).then(|| Components {
        positives: of(true).map(|s| share(&low, s)).collect(),
        negatives: of(false).map(|s| 1.0 - share(&high, s)).collect(),
    })
}

impl Components {
    /// The area itself.
    pub fn auc(&self) -> f64 {
        mean(&self.positives)
    }

    /// The covariance of two areas over the same nodules: S10 / positives + S01 / negatives.
    pub fn covariance(&self, other: &Self) -> f64 {
        covariance(&self.positives, &other.positives) / self.positives.len() as f64
            + covariance(&self.negatives, &other.negatives) / self.negatives.len() as f64
    }

    /// The standard error of the area.
    pub fn standard_error(&self) -> f64 {
        self.covariance(self).sqrt()
    }
}

/// The difference of two areas over the same nodules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AucDifference {
    /// First minus second.
    pub difference: f64,
    pub standard_error: f64,
    /// `None` when the standard error is 0, as for two equal rankings.
    pub z: Option<f64>,
    /// Two-sided, of the normal law.
    pub p: Option<f64>,
}

/// Compares two columns of scores of the same nodules; `None` with fewer than two positives or negatives.
pub fn difference(positive: &[bool], first: &[f64], second: &[f64]) -> Option<AucDifference> {
    let (a, b) = (components(positive, first)?, components(positive, second)?);
    let variance = a.covariance(&a) + b.covariance(&b) - 2.0 * a.covariance(&b);
    let (difference, standard_error) = (a.auc() - b.auc(), variance.max(0.0).sqrt());
    let z = (standard_error > 1e-12).then(|| difference / standard_error);
    Some(AucDifference { difference, standard_error, z, p: z.map(|z| erfc(z.abs() / std::f64::consts::SQRT_2)) })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// With n - 1 in the denominator.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>() / (a.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::classification::auc;
    use crate::metrics::tests::{close, golden, near, number, numbers};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let y: Vec<bool> = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1].iter().map(|v| *v == 1).collect();
        let s = [0.1, 0.2, 0.3, 0.4, 0.4, 0.8, 0.35, 0.4, 0.7, 0.9];
        let c = components(&y, &s).unwrap();
        for (value, golden) in c.positives.iter().zip([0.5, 0.666667, 0.833333, 1.0]) {
            close(*value, golden);
        }
        for (value, golden) in c.negatives.iter().zip([1.0, 1.0, 1.0, 0.625, 0.625, 0.25]) {
            close(*value, golden);
        }
        close(c.auc(), 0.75);
        close(c.standard_error(), 0.164921);
        assert_eq!(components(&[true, false, false], &[0.1, 0.2, 0.3]), None);
    }

    /// The definition with all pairs, in numpy, on correlated scores with ties.
    #[test]
    fn agrees_with_all_pairs() {
        let golden = golden();
        let case = &golden["delong"];
        let positive: Vec<bool> = numbers(&case["positive"]).iter().map(|v| *v == 1.0).collect();
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let (a, b) = (components(&positive, &first).unwrap(), components(&positive, &second).unwrap());
        near(a.auc(), auc(&positive, &first).unwrap(), 1e-14);
        for (value, name) in
            [(a.standard_error(), "first_se"), (b.standard_error(), "second_se"), (a.covariance(&b), "covariance")]
        {
            near(value, number(&case[name]), 1e-13);
        }
        let d = difference(&positive, &first, &second).unwrap();
        near(d.z.unwrap(), number(&case["z"]), 1e-10);
        near(d.p.unwrap(), number(&case["p"]), 1e-10);
    }

    #[test]
    fn equal_rankings_do_not_differ() {
        let y = [true, false, true, false, false];
        let d = difference(&y, &[0.9, 0.2, 0.4, 0.6, 0.1], &[9.0, 2.0, 4.0, 6.0, 1.0]).unwrap();
        assert_eq!((d.difference, d.z, d.p), (0.0, None, None));
    }
}
