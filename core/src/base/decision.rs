//! Which class a distribution stands for.

use serde::{Deserialize, Serialize};

/// From probabilities of ordered classes to one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The most probable class, the lower one on a tie.
    #[default]
    Argmax,
    /// The median of the distribution: the first class up to which half of the probability lies. For cumulative readouts that is the
    /// interval between the thresholds in which the score lies.
    Median,
}

impl Decision {
    /// The class of these probabilities.
    pub fn decide(self, probabilities: &[f64]) -> usize {
        match self {
            Self::Argmax => argmax(probabilities),
            Self::Median => {
                let half = probabilities.iter().sum::<f64>() / 2.0;
                let mut sum = 0.0;
                let reached = probabilities.iter().position(|p| {
                    sum += p;
                    sum >= half
                });
                reached.unwrap_or(probabilities.len().saturating_sub(1))
            }
        }
    }
}

/// The index of the largest value, the first of equals.
pub fn argmax(values: &[f64]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, v)| if *v > values[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::Decision::{Argmax, Median};

    #[test]
    fn most_probable_and_middle() {
        for (p, argmax, median) in
            [([0.4, 0.25, 0.35], 0, 1), ([0.5, 0.5, 0.0], 0, 0), ([0.2, 0.2, 0.6], 2, 2), ([0.3, 0.3, 0.4], 2, 1)]
        {
            assert_eq!((Argmax.decide(&p), Median.decide(&p)), (argmax, median), "{p:?}");
        }
    }
}
