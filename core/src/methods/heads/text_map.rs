//! Text features of another width than 512: a trained linear map without bias brings class and attribute features there.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::base::random::Stream;
use crate::nn::backbone::FEATURES;

/// The random stream of the start.
const STREAM: u64 = 3;

/// `[512, d]`, PyTorch's layout; starts as rows of a seeded orthogonal matrix, so that it keeps lengths and angles.
#[derive(Module, Debug)]
pub struct TextMap {
    pub weight: Param<Tensor<2>>,
}

impl TextMap {
    /// For text features `width` wide; `None` where they are 512 wide already.
    pub fn new(width: usize, seed: u64, device: &Device) -> Option<Self> {
        (width != FEATURES).then(|| {
            // rows of length max(512, d), as many as the other side has
            let (count, length) = (width.min(FEATURES), width.max(FEATURES));
            let rows = orthonormal(count, length, seed);
            let values: Vec<f32> = if width < FEATURES {
                (0..FEATURES).flat_map(|i| rows.iter().map(move |r| r[i] as f32)).collect()
            } else {
                rows.into_iter().flatten().map(|v| v as f32).collect()
            };
            Self { weight: Param::from_tensor(Tensor::from_data(TensorData::new(values, [FEATURES, width]), device)) }
        })
    }

    /// # Shapes
    /// `[n, m, d]` -> `[n, m, 512]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [n, m, d] = x.dims();
        x.reshape([n * m, d]).matmul(self.weight.val().transpose()).reshape([n, m, FEATURES])
    }
}

/// `count` orthonormal rows, by Gram-Schmidt (twice, for rounding) on seeded normal numbers.
fn orthonormal(count: usize, length: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = Stream::new(seed, STREAM);
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(count);
    while rows.len() < count {
        let mut row: Vec<f64> = (0..length).map(|_| random.normal()).collect();
        for _ in 0..2 {
            for other in &rows {
                let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
        }
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v /= norm);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths and angles of narrower features stay; 512 needs no map.
    #[test]
    fn starts_as_an_isometry() {
        let device = Device::flex();
        assert!(TextMap::new(512, 1, &device).is_none());
        for width in [384, 640] {
            let map = TextMap::new(width, 1, &device).unwrap();
            assert_eq!(map.weight.val().dims(), [512, width]);
            let w = map.weight.val();
            let product = if width < 512 { w.clone().transpose().matmul(w) } else { w.clone().matmul(w.transpose()) };
            let n = product.dims()[0];
            let off = (product - Tensor::<2>::eye(n, &device)).abs().max().into_scalar::<f32>();
            assert!(off < 1e-5, "{width}: {off}");
        }
    }
}
