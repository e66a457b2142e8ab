//! The convolutions of this network: square kernels with padding, without bias.

use burn::backend::fusion::custom::TensorSpec;
use burn::tensor::ops::ConvOptions;

/// A square convolution with padding `kernel / 2`.
#[derive(Clone, Copy, Debug)]
pub struct Square {
    pub kernel: usize,
    pub stride: usize,
    /// By one kernel a size that is not timed, or by burn's choice.
    pub untimed: bool,
}

impl Square {
    /// As burn is told it.
    pub fn options(self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.kernel / 2; 2], [1; 2], 1)
    }

    /// What it gives, `[n, outputs, h / stride, w / stride]`.
    pub fn output(self, x: &TensorSpec, weight: &TensorSpec) -> TensorSpec {
        let side = |size: usize| (size + self.kernel / 2 * 2 - self.kernel) / self.stride + 1;
        TensorSpec::new([x.shape[0], weight.shape[0], side(x.shape[2]), side(x.shape[3])].into(), x.dtype)
    }
}
