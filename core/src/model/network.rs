//! Image encoder and classifier: all of a trained network that answers need.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::methods::heads::trunk::{Pass, Shape, Trunk};
use crate::nn::backbone::Backbone;
use crate::nn::layers::Initial;

/// Image encoder, pooling and classifier.
#[derive(Module, Debug)]
pub struct ImageNet {
    backbone: Backbone,
    trunk: Trunk,
}

impl ImageNet {
    /// With PyTorch's initialisation, or blank.
    pub fn new(shape: Shape, mut initial: Initial, device: &Device) -> Self {
        let backbone = Backbone::new(&mut initial, device);
        Self { backbone, trunk: Trunk::new(shape, &mut initial, device) }
    }

    /// layer4 and what follows from it; on a folded network, inference.
    ///
    /// # Shapes
    /// `x` `[n, 32, 32, 32]` normalised, `log_diameter` `[n, 1]` where it is an input -> layer4 `[n, 512, 4, 4]`
    pub fn forward(&self, x: Tensor<4>, log_diameter: Option<Tensor<2>>) -> (Tensor<4>, Pass) {
        let layer4 = self.backbone.forward(x, &mut Vec::new());
        let pass = self.classify(layer4.clone(), log_diameter);
        (layer4, pass)
    }

    /// What follows from layer4.
    pub fn classify(&self, layer4: Tensor<4>, log_diameter: Option<Tensor<2>>) -> Pass {
        self.trunk.forward(layer4, log_diameter)
    }

    /// The network for inference: normalisation inside the convolutions. The stored weights stay unfolded.
    pub fn fold(self) -> Self {
        Self { backbone: self.backbone.fold(), ..self }
    }
}
