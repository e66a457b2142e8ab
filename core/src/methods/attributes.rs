//! Eq. (1): the instance-specific weights of the attributes, from the readers' mean ratings.

use serde::{Deserialize, Serialize};

/// The last value of each attribute's scale, which starts at 1.
const MAX: [f64; 8] = [5.0, 4.0, 6.0, 5.0, 5.0, 5.0, 5.0, 5.0];

/// How ratings become weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeWeights {
    /// Eq. (1): softmax of the raw mean ratings. Calcification has the longest scale and takes most of the mass.
    #[default]
    Softmax,
    /// Ratings scaled to 0..1, then softmax at temperature 0.25.
    Range,
    /// Ratings divided by their sum.
    Sum,
    /// 1/8 each.
    Uniform,
}

impl AttributeWeights {
    /// The weights of one nodule; they sum to 1.
    pub fn of(self, ratings: &[f64; 8]) -> [f64; 8] {
        match self {
            Self::Softmax => softmax(*ratings),
            Self::Range => {
                let mut scaled = [0.0; 8];
                (0..8).for_each(|k| scaled[k] = (ratings[k] - 1.0) / (MAX[k] - 1.0) / 0.25);
                softmax(scaled)
            }
            Self::Sum => {
                let sum: f64 = ratings.iter().sum();
                ratings.map(|v| v / sum)
            }
            Self::Uniform => [0.125; 8],
        }
    }
}

fn softmax(v: [f64; 8]) -> [f64; 8] {
    let top = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e = v.map(|x| (x - top).exp());
    let sum: f64 = e.iter().sum();
    e.map(|x| x / sum)
}

/// -sum w ln w, the floor of the image-attribute loss.
pub fn entropy(w: &[f64; 8]) -> f64 {
    -w.iter().filter(|v| **v > 0.0).map(|v| v * v.ln()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values of the method.
    #[test]
    fn goldens() {
        let v = [4.25, 1.0, 6.0, 3.5, 3.75, 2.0, 2.5, 4.75];
        let expected = [
            (
                AttributeWeights::Softmax,
                [0.102039, 0.003956, 0.587194, 0.048200, 0.061890, 0.010755, 0.017732, 0.168234],
            ),
            (AttributeWeights::Sum, [0.153153, 0.036036, 0.216216, 0.126126, 0.135135, 0.072072, 0.090090, 0.171171]),
            (AttributeWeights::Range, [0.162270, 0.006292, 0.343526, 0.076651, 0.098422, 0.017103, 0.028198, 0.267538]),
            (AttributeWeights::Uniform, [0.125; 8]),
        ];
        for (kind, golden) in expected {
            let w = kind.of(&v);
            assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for k in 0..8 {
                assert!((w[k] - golden[k]).abs() < 1e-6, "{kind:?} {k}: {}", w[k]);
            }
        }
        assert!((entropy(&AttributeWeights::Softmax.of(&v)) - 1.305874).abs() < 1e-6);
    }
}
