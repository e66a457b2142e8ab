//! The image network of CLIP-Lung: ResNet-18, a row-major view, a 1x1 convolution, four channel groups and a linear
//! classifier.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::layers::{BatchStatistics, Initial, Linear};
use super::resnet::{FEATURES, ResNet};
use crate::base::random::Stream;

/// Channel groups, each of 8 channels of 8 x 8: as many as there are context tokens.
pub const GROUPS: usize = 4;
/// Channels after the 1x1 convolution.
pub const REDUCED: usize = 32;

/// The 1x1 convolution `reduce`, 128 -> 32, with bias.
#[derive(Module, Debug)]
pub struct Reduce {
    /// `[32, 128, 1, 1]`
    pub weight: Param<Tensor<4>>,
    /// `[32]`
    pub bias: Param<Tensor<1>>,
}

impl Reduce {
    fn new(initial: &mut Initial, device: &Device) -> Self {
        Self {
            weight: initial.weights([REDUCED, 128, 1, 1], 128, device),
            bias: initial.weights([REDUCED], 128, device),
        }
    }

    /// # Shapes
    /// `[n, 512, 4, 4]` -> `[n, 32, 8, 8]`: element (c, i, j) is read as (c / 4, 2 (c % 4) + i / 2, 4 (i % 2) + j), which is the
    /// row-major view `[n, 128, 8, 8]` and not an upsampling.
    fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let n = features.dims()[0];
        let weight = self.weight.val().reshape([1, REDUCED, 128]);
        let y = weight.matmul(features.reshape([n, 128, 64])) + self.bias.val().reshape([1, REDUCED, 1]);
        y.reshape([n, REDUCED, 8, 8])
    }
}

/// Image encoder and classifier; all that inference needs.
#[derive(Module, Debug)]
pub struct ImageNet {
    resnet: ResNet,
    reduce: Reduce,
    fc: Linear,
}

/// What one pass gives.
pub struct Features {
    /// layer4, `[n, 512, 4, 4]`.
    pub layer4: Tensor<4>,
    /// The un-normalised map after `reduce`, `[n, 32, 8, 8]`.
    pub reduced: Tensor<4>,
    /// `[n, C]`.
    pub logits: Tensor<2>,
}

impl Features {
    /// The channel groups F_t, not normalised: four blocks of 8 channels, flattened (c, h, w).
    ///
    /// # Shapes
    /// `[n, 4, 512]`
    pub fn groups(&self) -> Tensor<3> {
        let n = self.reduced.dims()[0];
        self.reduced.clone().reshape([n, GROUPS, FEATURES])
    }
}

impl ImageNet {
    /// With PyTorch's initialisation from `seed`.
    pub fn new(classes: usize, seed: u64, device: &Device) -> Self {
        Self::with(classes, Initial::Uniform(Stream::new(seed, 1)), device)
    }

    /// Without weights yet.
    pub fn blank(classes: usize, device: &Device) -> Self {
        Self::with(classes, Initial::Blank, device)
    }

    fn with(classes: usize, mut initial: Initial, device: &Device) -> Self {
        Self {
            resnet: ResNet::new(&mut initial, device),
            reduce: Reduce::new(&mut initial, device),
            fc: Linear::new(FEATURES, classes, &mut initial, device),
        }
    }

    /// How many classes it tells apart.
    pub fn classes(&self) -> usize {
        self.fc.weight.val().dims()[0]
    }

    /// # Shapes
    /// `[n, 32, 32, 32]` normalised -> [`Features`]
    pub fn forward(&self, x: Tensor<4>, statistics: &mut Vec<BatchStatistics>) -> Features {
        let layer4 = self.resnet.forward(x, statistics);
        let reduced = self.reduce.forward(layer4.clone());
        let logits = self.fc.forward(pool(reduced.clone()));
        Features { layer4, reduced, logits }
    }

    /// The classifier alone, from layer4.
    ///
    /// # Shapes
    /// `[n, 512, 4, 4]` -> `[n, C]`
    pub fn classify(&self, layer4: Tensor<4>) -> Tensor<2> {
        self.fc.forward(pool(self.reduce.forward(layer4)))
    }

    /// Inference on a folded network.
    pub fn infer(&self, x: Tensor<4>) -> Features {
        self.forward(x, &mut Vec::new())
    }

    /// Moves the running statistics towards those of a training pass: new = (1 - momentum) old + momentum batch.
    pub fn absorb(&mut self, statistics: Vec<BatchStatistics>, momentum: f64) {
        self.resnet.absorb(statistics, momentum);
    }

    /// The network for inference: normalisation inside the convolutions. The stored weights stay unfolded.
    pub fn fold(self) -> Self {
        Self { resnet: self.resnet.fold(), ..self }
    }
}

/// Adaptive average pooling 8x8 -> 4x4, flattened (c, h, w): 2x2 means.
///
/// # Shapes
/// `[n, 32, 8, 8]` -> `[n, 512]`
pub fn pool(reduced: Tensor<4>) -> Tensor<2> {
    let [n, c, _, _] = reduced.dims();
    let rows: Tensor<4> = reduced.reshape([n * c, 4, 2, 8]).mean_dim(2); // [n c, 4, 1, 8]
    let cells: Tensor<4> = rows.reshape([n * c, 4, 4, 2]).mean_dim(3); // [n c, 4, 4, 1]
    cells.reshape([n, c * 16])
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
        let features = Features { layer4: iota([1, 1, 1, 1]), reduced: reduced.clone(), logits: iota([1, 1]) };
        let groups = features.groups();
        assert_eq!(groups.dims(), [2, 4, 512]);
        assert_eq!(at(&groups, [1, 2, 0]), at(&reduced, [1, 16, 0, 0]));
        assert_eq!(at(&groups, [1, 3, 511]), at(&reduced, [1, 31, 7, 7]));
    }

    #[test]
    fn pooling_takes_means_of_two_by_two() {
        let reduced = iota([1, 32, 8, 8]);
        let pooled = pool(reduced.clone());
        let mean = |c, y: usize, x: usize| (at(&reduced, [0, c, y, x]) + at(&reduced, [0, c, y + 1, x + 1])) / 2.0;
        assert_eq!(at(&pooled, [0, 0]), mean(0, 0, 0));
        assert_eq!(at(&pooled, [0, 5 * 16 + 4 + 2]), mean(5, 2, 4));
    }

    /// Reference values: backbone 11,185,536; reduce 4128; classifier 512 C + C.
    #[test]
    fn parameter_count() {
        let net = ImageNet::new(3, 0, &Device::flex());
        let buffers = 2 * (64 * 5 + 128 * 5 + 256 * 5 + 512 * 5);
        assert_eq!(net.num_params() - buffers, 11_185_536 + 4128 + 512 * 3 + 3);
    }
}
