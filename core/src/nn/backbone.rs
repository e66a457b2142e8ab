//! ResNet-18 (He et al., CVPR 2016) in its CIFAR form: 3x3 stem, no max-pool. The 32 axial slices are the input channels.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::kernels::{from_native, to_native};
#[cfg(feature = "train")]
use super::layers::absorb;
use super::layers::{BatchStatistics, ConvBn, Initial};
use crate::volume::crop::SIDE;

/// Channels of the last layer.
pub const FEATURES: usize = 512;

/// Two 3x3 convolutions with a shortcut; the shortcut is a 1x1 convolution where the shape changes.
#[derive(Module, Debug)]
pub struct BasicBlock {
    conv1: ConvBn,
    conv2: ConvBn,
    downsample: Option<ConvBn>,
}

impl BasicBlock {
    fn new(inputs: usize, outputs: usize, stride: usize, initial: &mut Initial, device: &Device) -> Self {
        let changes = stride != 1 || inputs != outputs;
        Self {
            conv1: ConvBn::new(inputs, outputs, 3, stride, initial, device),
            conv2: ConvBn::new(outputs, outputs, 3, 1, initial, device),
            downsample: changes.then(|| ConvBn::new(inputs, outputs, 1, stride, initial, device)),
        }
    }

    fn forward(&self, x: Tensor<4>, statistics: &mut Vec<BatchStatistics>) -> Tensor<4> {
        let y = self.conv1.forward(x.clone(), None, true, statistics);
        // absorbed in the order of `layers`: conv1, downsample, conv2
        let shortcut = match &self.downsample {
            Some(layer) => layer.forward(x, None, false, statistics),
            None => x,
        };
        self.conv2.forward(y, Some(shortcut), true, statistics)
    }

    #[cfg(feature = "train")]
    fn layers(&mut self) -> impl Iterator<Item = &mut ConvBn> {
        std::iter::once(&mut self.conv1).chain(self.downsample.as_mut()).chain(std::iter::once(&mut self.conv2))
    }

    fn fold(self) -> Self {
        Self { conv1: self.conv1.fold(), conv2: self.conv2.fold(), downsample: self.downsample.map(ConvBn::fold) }
    }
}

/// The image encoder.
#[derive(Module, Debug)]
pub struct Backbone {
    conv1: ConvBn,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
}

impl Backbone {
    /// With PyTorch's initialisation.
    pub fn new(initial: &mut Initial, device: &Device) -> Self {
        let conv1 = ConvBn::new(SIDE, 64, 3, 1, initial, device);
        let mut stage = |inputs, outputs, stride| {
            vec![
                BasicBlock::new(inputs, outputs, stride, initial, device),
                BasicBlock::new(outputs, outputs, 1, initial, device),
            ]
        };
        Self {
            conv1,
            layer1: stage(64, 64, 1),
            layer2: stage(64, 128, 2),
            layer3: stage(128, 256, 2),
            layer4: stage(256, FEATURES, 2),
        }
    }

    /// # Shapes
    /// `[n, 32, 32, 32]` -> `[n, 512, 4, 4]`
    pub fn forward(&self, x: Tensor<4>, statistics: &mut Vec<BatchStatistics>) -> Tensor<4> {
        let mut x = self.conv1.forward(to_native(x), None, true, statistics); // [n, 64, 32, 32]
        for block in self.stages().into_iter().flatten() {
            x = block.forward(x, statistics);
        }
        from_native(x)
    }

    fn stages(&self) -> [&Vec<BasicBlock>; 4] {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
    }

    /// Moves the running statistics towards those of a training pass.
    #[cfg(feature = "train")]
    pub fn absorb(&mut self, statistics: Vec<BatchStatistics>, momentum: f64) {
        let blocks = [&mut self.layer1, &mut self.layer2, &mut self.layer3, &mut self.layer4].into_iter().flatten();
        let layers = std::iter::once(&mut self.conv1).chain(blocks.flat_map(BasicBlock::layers));
        absorb(layers, statistics, momentum);
    }

    /// The network for inference: normalisation inside the convolutions.
    pub fn fold(self) -> Self {
        let stage = |blocks: Vec<BasicBlock>| blocks.into_iter().map(BasicBlock::fold).collect();
        Self {
            conv1: self.conv1.fold(),
            layer1: stage(self.layer1),
            layer2: stage(self.layer2),
            layer3: stage(self.layer3),
            layer4: stage(self.layer4),
        }
    }
}
