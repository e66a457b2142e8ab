//! The anchor that every table carries: multinomial logistic regression on log diameter alone, and the majority class.

use super::Scored;
use super::logistic::probabilities;

/// Fits [`probabilities`] to one column (x, class) and gives them at `at`.
pub fn logistic(x: &[f64], class: &[usize], classes: usize, at: &[f64]) -> Vec<Vec<f64>> {
    let column = |values: &[f64]| values.iter().map(|&v| vec![v]).collect::<Vec<_>>();
    probabilities(&column(x), class, classes, &column(at))
}

/// The share of the most frequent class.
pub fn majority(scored: &Scored) -> f64 {
    let count = |c: usize| scored.truth.iter().filter(|t| **t == c).count();
    let most = scored.truth.iter().map(|&t| count(t)).max().unwrap_or(0);
    most as f64 / scored.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two Gaussians of one variance: the fitted boundary is the optimal one, log-odds linear with slope d / sd^2.
    #[test]
    fn recovers_the_known_law() {
        let mut r = crate::base::random::Stream::new(4, 0);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for i in 0..40_000 {
            x.push(r.normal() + 2.0 * f64::from(i % 2));
            y.push(i as usize % 2);
        }
        let p = logistic(&x, &y, 2, &[0.0, 1.0, 2.0]);
        let odds = |p: &Vec<f64>| (p[1] / p[0]).ln();
        assert!(odds(&p[1]).abs() < 0.06 && (odds(&p[2]) - 2.0).abs() < 0.1 && (odds(&p[0]) + 2.0).abs() < 0.1);
    }

    #[test]
    fn separable_data_stay_finite() {
        let p = logistic(&[0.0, 1.0, 10.0, 11.0, 20.0, 21.0], &[0, 0, 1, 1, 2, 2], 3, &[0.5, 10.5, 20.5]);
        for (k, row) in p.iter().enumerate() {
            assert!(row.iter().all(|v| v.is_finite()) && crate::base::decision::argmax(row) == k);
        }
    }
}
