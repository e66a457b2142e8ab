//! All that is trained: the image encoder and the method's head.

use burn::module::Module;
use burn::tensor::Device;

use crate::base::random::Stream;
use crate::error::Result;
use crate::methods::{Head, MethodConfig, Setup};
use crate::nn::backbone::Backbone;
use crate::nn::layers::Initial;

/// The random stream of the image encoder's and the classifier's weights.
const STREAM: u64 = 1;

/// Image encoder and head.
#[derive(Module, Debug)]
pub struct Network {
    pub backbone: Backbone,
    pub head: Head,
}

impl Network {
    /// With PyTorch's initialisation from the setup's seed.
    ///
    /// # Errors
    /// When the text side is missing, or does not fit.
    pub fn new(method: &MethodConfig, setup: &Setup, device: &Device) -> Result<Self> {
        let mut initial = Initial::Uniform(Stream::new(setup.seed, STREAM));
        let backbone = Backbone::new(&mut initial, device);
        let head = method.init(setup, &mut initial, device)?;
        Ok(Self { backbone, head })
    }
}
