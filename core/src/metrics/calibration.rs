//! Whether probabilities mean what they say: log-likelihood, Brier score, calibration error.

use super::Scored;

/// Mean -ln p(true class), probabilities at least 1e-12.
pub fn negative_log_likelihood(scored: &Scored) -> f64 {
    let sum: f64 = scored.truth.iter().zip(&scored.probabilities).map(|(&t, p)| -p[t].max(1e-12).ln()).sum();
    sum / scored.len().max(1) as f64
}

/// Mean squared distance to the one-hot truth, summed over the classes.
pub fn brier(scored: &Scored) -> f64 {
    let one = |(&t, p): (&usize, &Vec<f64>)| {
        p.iter().enumerate().map(|(k, v)| (v - f64::from(u8::from(k == t))).powi(2)).sum::<f64>()
    };
    scored.truth.iter().zip(&scored.probabilities).map(one).sum::<f64>() / scored.len().max(1) as f64
}

/// (confidence, right) of each answer: the probability of the class decided on, which a median need not give the most.
pub fn confidences(scored: &Scored) -> Vec<(f64, bool)> {
    let rows = scored.truth.iter().zip(&scored.probabilities).zip(scored.answers());
    rows.map(|((&t, p), answer)| (p[answer], answer == t)).collect()
}

fn gap(bin: &[(f64, bool)]) -> f64 {
    let confidence: f64 = bin.iter().map(|b| b.0).sum();
    let right = bin.iter().filter(|b| b.1).count() as f64;
    (confidence - right).abs()
}

/// The bin of a confidence among `bins` equal ones, closed on the right.
pub fn bin(confidence: f64, bins: usize) -> usize {
    ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1
}

/// Expected calibration error over equal-width bins, closed on the right.
pub fn calibration_error(scored: &Scored, bins: usize) -> f64 {
    let mut binned = vec![Vec::new(); bins];
    for (confidence, right) in confidences(scored) {
        binned[bin(confidence, bins)].push((confidence, right));
    }
    binned.iter().map(|b| gap(b)).sum::<f64>() / scored.len().max(1) as f64
}

/// The same over bins of equal mass, in the order of confidence.
pub fn adaptive_calibration_error(scored: &Scored, bins: usize) -> f64 {
    let mut all = confidences(scored);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = all.len();
    let edge = |b: usize| b * n / bins.max(1);
    (0..bins).map(|b| gap(&all[edge(b)..edge(b + 1)])).sum::<f64>() / n.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::decision::Decision;
    use crate::metrics::tests::{close, ten};

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let s = ten();
        close(negative_log_likelihood(&s), 0.812396);
        close(brier(&s), 0.485);
        close(calibration_error(&s, 10), 0.255);
        close(adaptive_calibration_error(&s, 5), 0.105);
    }

    /// The median of the first row is the second class, which has less probability than the first.
    #[test]
    fn an_answer_is_as_confident_as_its_own_probability() {
        let scored = Scored {
            truth: vec![1, 0],
            probabilities: vec![vec![0.4, 0.25, 0.35], vec![0.7, 0.2, 0.1]],
            patients: vec!["a".into(), "b".into()],
            decision: Decision::Median,
        };
        assert_eq!(confidences(&scored), [(0.25, true), (0.7, true)]);
        close(calibration_error(&scored, 10), (0.75 + 0.3) / 2.0);
        assert_eq!(confidences(&Scored { decision: Decision::Argmax, ..scored }), [(0.4, false), (0.7, true)]);
    }
}
