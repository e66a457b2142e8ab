//! What a handful of folds says: mean and spread, and a t-test that knows that folds share their training data.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean and standard deviation over folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanSd {
    pub mean: f64,
    /// With n - 1 in the denominator (ddof 1); `None` with one value.
    pub sd: Option<f64>,
}

/// Mean and standard deviation (ddof 1); `None` without a value.
pub fn mean_sd(values: &[f64]) -> Option<MeanSd> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (!values.is_empty()).then(|| MeanSd { mean, sd: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) })
}

/// The corrected resampled t-test (Nadeau & Bengio, Machine Learning 52, 2003).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CorrectedT {
    /// Mean difference over the folds.
    pub mean: f64,
    pub t: f64,
    pub degrees_of_freedom: usize,
    /// Two-sided.
    pub p: f64,
}

/// Tests the differences of k folds against 0 with the variance s^2 (1/k + `test_over_train`), the last the ratio of the sizes of
/// test and training set: 1/4 for five folds. `None` with fewer than two folds, or when all differences are equal.
pub fn corrected_t(differences: &[f64], test_over_train: f64) -> Option<CorrectedT> {
    let MeanSd { mean, sd } = mean_sd(differences)?;
    let sd = sd.filter(|s| *s > 0.0)?;
    let k = differences.len();
    let t = mean / (sd * (1.0 / k as f64 + test_over_train).sqrt());
    let law = StudentsT::new(0.0, 1.0, (k - 1) as f64).ok()?;
    Some(CorrectedT { mean, t, degrees_of_freedom: k - 1, p: 2.0 * law.sf(t.abs()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, golden, near, number, numbers};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let folds = [0.612, 0.587, 0.605, 0.634, 0.598];
        let MeanSd { mean, sd } = mean_sd(&folds).unwrap();
        close(mean, 0.6072);
        close(sd.unwrap(), 0.017598);
        let others = [0.570, 0.566, 0.581, 0.590, 0.561];
        let differences: Vec<f64> = folds.iter().zip(others).map(|(a, b)| a - b).collect();
        close(corrected_t(&differences, 0.0).unwrap().t, 7.153796);
        let corrected = corrected_t(&differences, 0.25).unwrap();
        close(corrected.t, 4.769197);
        close(corrected.p, 0.008845);
        assert_eq!(corrected.degrees_of_freedom, 4);
    }

    /// Without the correction it is scipy's ttest_1samp; with it, scipy's t distribution at the corrected t.
    #[test]
    fn agrees_with_scipy() {
        for case in golden()["corrected_t"].as_array().unwrap() {
            let differences = numbers(&case["differences"]);
            let ratio = number(&case["test_over_train"]);
            let test = corrected_t(&differences, ratio).unwrap();
            near(test.t, number(&case["t"]), 1e-12);
            near(test.p, number(&case["p"]), 1e-12);
        }
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(mean_sd(&[]), None);
        assert_eq!(mean_sd(&[0.5]).unwrap().sd, None);
        assert_eq!(corrected_t(&[0.1], 0.25), None);
        assert_eq!(corrected_t(&[0.0; 5], 0.25), None);
    }
}
