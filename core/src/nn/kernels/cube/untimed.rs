//! Convolutions and products of matrices by one kernel a size, none of them timed: burn compiles and times several a size before it takes
//! the fastest, and on a fresh machine a first step waits minutes for that.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::conv::{ConvStrategy, conv_data_backward, conv_forward, conv_weight_backward};
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::tensor::CubeTensor;

use super::square::Square;

static UNTIMED: AtomicBool = AtomicBool::new(false);

/// Whether they are computed so from now on, or by burn's choice.
pub fn take_untimed(on: bool) {
    UNTIMED.store(on, Ordering::Relaxed);
}

/// What [`take_untimed`] said last.
pub fn untimed() -> bool {
    UNTIMED.load(Ordering::Relaxed)
}

/// What is known of a product of two matrices before it is computed.
pub fn multiplied(a: &TensorSpec, b: &TensorSpec) -> TensorSpec {
    TensorSpec::new([a.shape[0], b.shape[1]].into(), a.dtype)
}

/// The product of two matrices.
pub fn multiply(a: CubeTensor, b: CubeTensor) -> CubeTensor {
    let dtype = a.dtype;
    matmul(a.clone(), b.clone(), None, MatmulStrategy::Cube, dtype).unwrap_or_else(|_| CubeBackend::float_matmul(a, b))
}

/// As a product of matrices that are never written out, on the card's units for such; where it has none, burn's choice.
pub fn convolve(x: CubeTensor, weight: CubeTensor, square: Square) -> CubeTensor {
    let options = square.options();
    conv_forward(x.clone(), weight.clone(), None, options.clone(), ConvStrategy::ImplicitGemm)
        .unwrap_or_else(|_| CubeBackend::conv2d(x, weight, None, options))
}

/// The gradient of the input.
pub fn input_gradient(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, square: Square) -> CubeTensor {
    let (options, shape) = (square.options(), x.meta.shape().clone());
    conv_data_backward(grad.clone(), weight.clone(), shape, options.clone(), ConvStrategy::ImplicitGemm)
        .unwrap_or_else(|_| CubeBackend::conv2d_x_backward(x, weight, grad, options))
}

/// The gradient of the weight.
pub fn weight_gradient(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, square: Square) -> CubeTensor {
    let (options, shape) = (square.options(), weight.meta.shape().clone());
    conv_weight_backward(x.clone(), grad.clone(), shape, options.clone(), ConvStrategy::ImplicitGemm)
        .unwrap_or_else(|_| CubeBackend::conv2d_weight_backward(x, weight, grad, options))
}
