//! From layer4 to the classifier's 512 features: the mean over its cells, or the view of CLIP-Lung.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::nn::backbone::FEATURES;
use crate::nn::layers::Initial;

/// Channel groups of the view, each of 8 channels of 8 x 8: as many as there are context tokens.
pub const GROUPS: usize = 4;
/// Channels after the 1x1 convolution.
pub const REDUCED: usize = 32;

/// How layer4 becomes features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The mean over layer4's 16 cells.
    Mean,
    /// CLIP-Lung's: layer4 read as 128 channels of 8 x 8, a 1x1 convolution to 32, means of 2 x 2.
    #[default]
    View,
}

/// The 1x1 convolution `reduce`, 128 -> 32, with bias.
#[derive(Module, Debug)]
pub struct Reduce {
    /// `[32, 128, 1, 1]`
    pub weight: Param<Tensor<4>>,
    /// `[32]`
    pub bias: Param<Tensor<1>>,
}

impl Reduce {
    /// With PyTorch's initialisation.
    pub fn new(initial: &mut Initial, device: &Device) -> Self {
        Self {
            weight: initial.weights([REDUCED, 128, 1, 1], 128, device),
            bias: initial.weights([REDUCED], 128, device),
        }
    }

    /// # Shapes
    /// `[n, 512, 4, 4]` -> `[n, 32, 8, 8]`: element (c, i, j) is read as (c / 4, 2 (c % 4) + i / 2, 4 (i % 2) + j), which is the
    /// row-major view `[n, 128, 8, 8]` and not an upsampling.
    pub fn forward(&self, layer4: Tensor<4>) -> Tensor<4> {
        let n = layer4.dims()[0];
        let weight = self.weight.val().reshape([1, REDUCED, 128]);
        let y = weight.matmul(layer4.reshape([n, 128, 64])) + self.bias.val().reshape([1, REDUCED, 1]);
        y.reshape([n, REDUCED, 8, 8])
    }
}

/// The channel groups F_t, not normalised: four blocks of 8 channels, flattened (c, h, w).
///
/// # Shapes
/// `[n, 32, 8, 8]` -> `[n, 4, 512]`
pub fn groups(reduced: Tensor<4>) -> Tensor<3> {
    let n = reduced.dims()[0];
    reduced.reshape([n, GROUPS, FEATURES])
}

/// Adaptive average pooling 8x8 -> 4x4, flattened (c, h, w): 2x2 means.
///
/// # Shapes
/// `[n, 32, 8, 8]` -> `[n, 512]`
pub fn two_by_two(reduced: Tensor<4>) -> Tensor<2> {
    let [n, c, _, _] = reduced.dims();
    let rows: Tensor<4> = reduced.reshape([n * c, 4, 2, 8]).mean_dim(2); // [n c, 4, 1, 8]
    let cells: Tensor<4> = rows.reshape([n * c, 4, 4, 2]).mean_dim(3); // [n c, 4, 4, 1]
    cells.reshape([n, c * 16])
}

/// The mean over layer4's cells.
///
/// # Shapes
/// `[n, 512, 4, 4]` -> `[n, 512]`
pub fn mean(layer4: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = layer4.dims();
    layer4.reshape([n, c, h * w]).mean_dim(2).reshape([n, c])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn iota<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        let n = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..n).map(|v| v as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn at<const D: usize>(t: &Tensor<D>, index: [usize; D]) -> f32 {
        let dims = t.dims();
        let flat = (0..D).fold(0, |a, i| a * dims[i] + index[i]);
        t.clone().into_data().iter::<f32>().nth(flat).unwrap()
    }

    /// Reference values: (1,0,0)->(0,2,0); (2,3,1)->(0,5,5); (5,2,3)->(1,3,3); (511,3,3)->(127,7,7).
    #[test]
    fn row_major_view_golden() {
        let source = iota([1, 512, 4, 4]);
        let view = source.clone().reshape([1, 128, 8, 8]);
        for ([c, i, j], [d, k, l]) in
            [([1, 0, 0], [0, 2, 0]), ([2, 3, 1], [0, 5, 5]), ([5, 2, 3], [1, 3, 3]), ([511, 3, 3], [127, 7, 7])]
        {
            assert_eq!(at(&source, [0, c, i, j]), at(&view, [0, d, k, l]));
        }
    }

    #[test]
    fn groups_are_blocks_of_eight_channels() {
        let reduced = iota([2, 32, 8, 8]);
        let groups = groups(reduced.clone());
        assert_eq!(groups.dims(), [2, 4, 512]);
        assert_eq!(at(&groups, [1, 2, 0]), at(&reduced, [1, 16, 0, 0]));
        assert_eq!(at(&groups, [1, 3, 511]), at(&reduced, [1, 31, 7, 7]));
    }

    #[test]
    fn pooling_takes_means() {
        let reduced = iota([1, 32, 8, 8]);
        let pooled = two_by_two(reduced.clone());
        let four = |c, y: usize, x: usize| (at(&reduced, [0, c, y, x]) + at(&reduced, [0, c, y + 1, x + 1])) / 2.0;
        assert_eq!(at(&pooled, [0, 0]), four(0, 0, 0));
        assert_eq!(at(&pooled, [0, 5 * 16 + 4 + 2]), four(5, 2, 4));
        assert_eq!(at(&mean(iota([2, 512, 4, 4])), [0, 3]), 48.0 + 7.5);
    }
}
