//! Convolutions by burn's kernels, and where these are not tuned, the gradient of the weights by this crate's own.
//!
//! The gradient of the input is burn's everywhere: one kernel where nothing is tuned. On CUDA its tuner chooses; of stride 2, which its
//! implicit product declines, it has a product by all taps and a kernel that gathers them.

use burn::backend::ops::ModuleOps;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, CubeDevice};

use super::square::Square;
use super::untimed;
use super::weight_gradient::weight_gradient;

/// The convolution itself.
pub fn forward(x: CubeTensor, weight: CubeTensor, square: Square) -> CubeTensor {
    if square.untimed {
        return untimed::convolve(x, weight, square);
    }
    CubeBackend::conv2d(x, weight, None, square.options())
}

/// The gradient of the weights. burn tunes its products for CUDA; elsewhere it convolves by the whole gradient, two copies before.
pub fn backward_weight(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, square: Square) -> CubeTensor {
    match x.device {
        _ if square.untimed => untimed::weight_gradient(x, weight, grad, square),
        CubeDevice::Cuda(_) => CubeBackend::conv2d_weight_backward(x, weight, grad, square.options()),
        _ => weight_gradient(x, grad, square),
    }
}
