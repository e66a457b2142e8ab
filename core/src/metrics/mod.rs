//! How good predictions are: from probabilities and true classes to numbers with intervals. All in f64.

#[cfg(feature = "study")]
pub mod across_folds;
pub mod calibration;
pub mod classification;
#[cfg(feature = "study")]
pub mod delong;
#[cfg(feature = "study")]
pub mod holm;
pub mod intervals;
pub mod logistic;
#[cfg(feature = "study")]
pub mod mcnemar;
pub mod ordinal;
pub mod pointing;
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

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
        near(value, golden, 1e-6);
    }

    pub fn near(value: f64, golden: f64, tolerance: f64) {
        assert!((value - golden).abs() < tolerance, "{value} is not {golden}");
    }

    /// What scipy, scikit-learn and statsmodels say (tests/golden/study.py).
    pub fn golden() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/golden/study.json")).unwrap()
    }

    pub fn number(value: &serde_json::Value) -> f64 {
        value.as_f64().unwrap()
    }

    pub fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(number).collect()
    }

    /// scikit-learn's measures (scipy's bins for the calibration error) on 300 random rows with ties.
    #[test]
    fn agree_with_scikit_learn() {
        let golden = golden();
        let case = &golden["measures"];
        let probabilities: Vec<Vec<f64>> = case["probabilities"].as_array().unwrap().iter().map(numbers).collect();
        let truth: Vec<usize> = numbers(&case["truth"]).iter().map(|t| *t as usize).collect();
        let patients = (0..truth.len()).map(|i| i.to_string()).collect();
        let scored = Scored { truth, probabilities, patients, decision: Default::default() };
        let table = classification::confusion(&scored.truth, &scored.answers(), 3);
        let malignant: Vec<bool> = scored.truth.iter().map(|t| *t == 2).collect();
        for (value, name) in [
            (classification::macro_auc(&scored, 3), "macro_auc"),
            (classification::average_precision(&malignant, &scored.column(2)), "average_precision"),
            (ordinal::weighted_kappa(&table, 1), "linear_kappa"),
            (ordinal::weighted_kappa(&table, 2), "quadratic_kappa"),
            (Some(calibration::negative_log_likelihood(&scored)), "nll"),
            (Some(calibration::brier(&scored)), "brier"),
            (Some(calibration::calibration_error(&scored, 15)), "ece"),
        ] {
            near(value.unwrap(), number(&case[name]), 1e-12);
        }
    }
}
