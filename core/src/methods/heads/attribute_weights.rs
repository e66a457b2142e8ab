//! Eq. (1): the instance-specific weights of the attributes, from the readers' mean ratings.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// The last value of each scale, which starts at 1: the eight attributes, and malignancy, which the published code has among them.
const MAX: [f64; 9] = [5.0, 4.0, 6.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0];

/// How ratings become weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
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
    /// The weights of one nodule's ratings, eight attributes and perhaps malignancy; they sum to 1.
    pub fn of(self, ratings: &[f64]) -> Vec<f64> {
        match self {
            Self::Softmax => softmax(ratings.iter().copied()),
            Self::Range => softmax(ratings.iter().zip(MAX).map(|(v, max)| (v - 1.0) / (max - 1.0) / 0.25)),
            Self::Sum => {
                let sum: f64 = ratings.iter().sum();
                ratings.iter().map(|v| v / sum).collect()
            }
            Self::Uniform => vec![1.0 / ratings.len() as f64; ratings.len()],
        }
    }

    /// The weights of a batch's nodules, `[n, 8]` or with malignancy `[n, 9]`.
    pub fn rows(self, ratings: &[[f64; 8]], malignancy: Option<&[f64]>, device: &Device) -> Tensor<2> {
        let of = |(i, eight): (usize, &[f64; 8])| {
            let ninth = malignancy.and_then(|all| all.get(i));
            self.of(&eight.iter().chain(ninth).copied().collect::<Vec<_>>())
        };
        let rows: Vec<Vec<f64>> = ratings.iter().enumerate().map(of).collect();
        let shape = [rows.len(), rows.first().map_or(8, Vec::len)];
        let values: Vec<f32> = rows.into_iter().flatten().map(|w| w as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

fn softmax(v: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let top = v.clone().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = v.map(|x| (x - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|x| x / sum).collect()
}

/// -sum w ln w, the floor of the image-attribute loss.
pub fn entropy(w: &[f64]) -> f64 {
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
