//! How good predictions are: from probabilities and true classes to numbers with intervals. All in f64.

pub mod calibration;
pub mod classification;
pub mod intervals;
pub mod ordinal;
pub mod report;
pub mod size_only;

use crate::base::decision::Decision;

/// Predictions to be scored: one row a nodule.
#[derive(Clone, Debug, Default)]
pub struct Scored {
    /// Output index of the true class.
    pub truth: Vec<usize>,
    /// One probability a class; rows sum to 1.
    pub probabilities: Vec<Vec<f64>>,
    /// Whose nodule: the unit of resampling.
    pub patients: Vec<String>,
    /// How a row's probabilities become an answer.
    pub decision: Decision,
}

impl Scored {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.truth.is_empty()
    }

    /// The class decided on of each row.
    pub fn answers(&self) -> Vec<usize> {
        self.probabilities.iter().map(|p| self.decision.decide(p)).collect()
    }

    /// The rows at these indices.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            truth: rows.iter().map(|&i| self.truth[i]).collect(),
            probabilities: rows.iter().map(|&i| self.probabilities[i].clone()).collect(),
            patients: rows.iter().map(|&i| self.patients[i].clone()).collect(),
            decision: self.decision,
        }
    }

    /// One column of the probabilities.
    pub fn column(&self, class: usize) -> Vec<f64> {
        self.probabilities.iter().map(|p| p[class]).collect()
    }
}

/// The index of the largest value, the first of equals.
pub fn argmax(values: &[f64]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, v)| if *v > values[best] { i } else { best })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Scored;

    /// The ten samples of the reference values.
    pub fn ten() -> Scored {
        let rows = [
            [0.7, 0.2, 0.1],
            [0.5, 0.4, 0.1],
            [0.2, 0.5, 0.3],
            [0.6, 0.3, 0.1],
            [0.3, 0.4, 0.3],
            [0.45, 0.35, 0.2],
            [0.1, 0.3, 0.6],
            [0.1, 0.2, 0.7],
            [0.2, 0.5, 0.3],
            [0.05, 0.15, 0.8],
        ];
        Scored {
            truth: vec![0, 0, 0, 0, 1, 1, 1, 2, 2, 2],
            probabilities: rows.iter().map(|r| r.to_vec()).collect(),
            patients: (0..10).map(|i| format!("P{i}")).collect(),
            decision: Default::default(),
        }
    }

    pub fn close(value: f64, golden: f64) {
        assert!((value - golden).abs() < 1e-6, "{value} is not {golden}");
    }
}
