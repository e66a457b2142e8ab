//! McNemar's test: two answers to the same questions, of which only those count that one got right and the other wrong.

use serde::Serialize;
use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, Discrete, DiscreteCDF};

/// Two-sided p-values of the same question.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// Rows that only the first got right.
    pub first_only: u64,
    /// Rows that only the second got right.
    pub second_only: u64,
    /// Of the binomial law; keeps its level, and is conservative.
    pub exact: f64,
    /// The exact one with half the weight of what was observed (Fagerland et al., BMC Medical Research Methodology 2013).
    pub mid_p: f64,
    /// (|first - second| - 1)^2 / (first + second): with Edwards' continuity correction, never below 0.
    pub chi_square: f64,
    /// Of `chi_square` with one degree of freedom.
    pub chi_square_p: f64,
}

/// The test from the two counts of disagreement.
pub fn mcnemar(first_only: u64, second_only: u64) -> McNemar {
    let n = first_only + second_only;
    let fewer = first_only.min(second_only);
    let nothing = McNemar { first_only, second_only, exact: 1.0, mid_p: 1.0, chi_square: 0.0, chi_square_p: 1.0 };
    let (Ok(binomial), Ok(chi)) = (Binomial::new(0.5, n), ChiSquared::new(1.0)) else { return nothing };
    if n == 0 {
        return nothing;
    }
    let tail = binomial.cdf(fewer);
    let apart = (first_only.abs_diff(second_only) as f64 - 1.0).max(0.0);
    let chi_square = apart * apart / n as f64;
    McNemar {
        exact: (2.0 * tail).min(1.0),
        mid_p: (2.0 * tail - binomial.pmf(fewer)).min(1.0),
        chi_square,
        chi_square_p: chi.sf(chi_square),
        ..nothing
    }
}

/// The test of two columns of answers to one truth.
pub fn of_answers(truth: &[usize], first: &[usize], second: &[usize]) -> McNemar {
    let right = |t: &usize, a: &usize, b: &usize| (t == a, t == b);
    let pairs = || truth.iter().zip(first).zip(second).map(|((t, a), b)| right(t, a, b));
    let count = |wanted: (bool, bool)| pairs().filter(|p| *p == wanted).count() as u64;
    mcnemar(count((true, false)), count((false, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, golden, near, number, numbers};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let m = mcnemar(30, 14);
        close(m.exact, 0.022629);
        close(m.mid_p, 0.016094);
        close(m.chi_square, 5.113636);
        assert_eq!(mcnemar(14, 30).mid_p, m.mid_p);
    }

    /// statsmodels (exact, chi-square) and scipy's binomial law (mid-p).
    #[test]
    fn agrees_with_statsmodels() {
        for case in golden()["mcnemar"].as_array().unwrap() {
            let counts = numbers(&case["counts"]);
            let m = mcnemar(counts[0] as u64, counts[1] as u64);
            for (value, name) in
                [(m.exact, "exact"), (m.mid_p, "mid_p"), (m.chi_square, "chi_square"), (m.chi_square_p, "chi_square_p")]
            {
                near(value, number(&case[name]), 1e-12);
            }
        }
    }

    #[test]
    fn agreement_says_nothing() {
        for m in [mcnemar(0, 0), mcnemar(7, 7)] {
            assert_eq!((m.exact, m.chi_square, m.chi_square_p), (1.0, 0.0, 1.0));
            assert!((m.mid_p - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn counts_what_one_alone_got_right() {
        let m = of_answers(&[0, 1, 2, 2, 0], &[0, 1, 2, 0, 1], &[0, 0, 1, 2, 2]);
        assert_eq!((m.first_only, m.second_only), (2, 1));
    }
}
