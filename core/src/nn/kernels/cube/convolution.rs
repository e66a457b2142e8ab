//! Convolutions by burn's kernels, and where they are not tuned, the gradient of the weights by this crate's own.

use burn::backend::Backend;
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::tensor::ops::ConvOptions;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, CubeDevice};

use super::weight_gradient::weight_gradient;

/// A square convolution with padding `kernel / 2`.
#[derive(Clone, Copy, Debug)]
pub struct Square {
    pub kernel: usize,
    pub stride: usize,
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

pub fn forward<B: Backend>(x: FloatTensor<B>, weight: FloatTensor<B>, square: Square) -> FloatTensor<B> {
    B::conv2d(x, weight, None, square.options())
}

/// The gradient of the weights. burn tunes its products for CUDA; elsewhere it convolves by the whole gradient, two copies before.
pub fn backward_weight(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, square: Square) -> CubeTensor {
    fn tuned<B: Backend>(
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        grad: FloatTensor<B>,
        square: Square,
    ) -> FloatTensor<B> {
        B::conv2d_weight_backward(x, weight, grad, square.options())
    }
    match x.device {
        CubeDevice::Cuda(_) => tuned::<CubeBackend>(x, weight, grad, square),
        _ => weight_gradient(x, grad, square),
    }
}
