//! This crate's own kernels for GPUs (CUDA, Vulkan, Metal), plugged into burn as operations with hand-written gradients.
//!
//! burn composes them from its own operations, each a kernel or several, and on a GPU a step of this network waits for launches more
//! than for arithmetic (docs/benchmarks.md).

mod arrays;
mod attention;
mod convolution;
mod descent;
mod gather;
mod gradients;
mod lazy;
mod many;
mod norm;
mod norm_gradients;
mod pixels;
mod rows;
mod seen;
mod square;
mod sums;
mod untimed;
mod update;
mod weight_gradient;

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

pub use self::descent::Descending;
pub use self::gather::CubeGather;
pub use self::norm::Around;
use self::norm_gradients::Passed;
pub use self::square::Square;
pub use self::untimed::{take_untimed, untimed};
pub use self::update::{blend, copies, sgd, square_sum, write};
use super::attention::Sequences;

/// The operations of training.
#[backend_extension(Cube, Fusion, Autodiff)]
pub trait CubeKernels: Backend {
    /// A convolution, without bias.
    #[fusion(meta = |x, weight, square| square.output(x, weight))]
    fn convolve_square(x: FloatTensor<Self>, weight: FloatTensor<Self>, square: Square) -> FloatTensor<Self>;
    /// (output, mean, unbiased variance) of normalisation with batch statistics, ReLU where asked for.
    #[fusion(meta = |x, gamma, _beta, _around| (x.clone(), gamma.clone(), gamma.clone()))]
    fn normalise_batch(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        around: Around,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// (output, mean, unbiased variance) of normalisation with batch statistics, + residual, then ReLU.
    #[fusion(meta = |x, gamma, _beta, _residual, _epsilon| (x.clone(), gamma.clone(), gamma.clone()))]
    fn normalise_batch_add(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// LayerNorm over the last axis; weight and bias are constants.
    #[fusion(meta = |x, _weight, _bias, _epsilon| x.clone())]
    fn normalise_rows(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
    /// Attention of rows, `[rows, 3 width]` -> `[rows, width]`, and the logarithms of the weights' sums, `[rows, heads]`.
    #[fusion(meta = |qkv, rows| attended(qkv, rows))]
    fn attend(qkv: FloatTensor<Self>, rows: Sequences) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// The product of two matrices, by a kernel that was not timed.
    #[fusion(meta = untimed::multiplied)]
    fn multiply_untimed(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// What the gradients of [`CubeKernels`] are computed with.
#[backend_extension(Cube, Fusion)]
pub trait CubeGradients: Backend {
    /// Of the weight.
    #[fusion(meta = |_x, weight, _grad, _square| weight.clone())]
    fn convolve_square_back(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        square: Square,
    ) -> FloatTensor<Self>;
    /// Of x, gamma and beta.
    #[fusion(meta = |x, gamma, _o, _m, _v, _g, _a| (x.clone(), gamma.clone(), gamma.clone()))]
    fn normalise_batch_back(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        output: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        around: Around,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// Of x, gamma, beta and the residual.
    #[fusion(meta = |x, gamma, _o, _m, _v, _g, _e| (x.clone(), gamma.clone(), gamma.clone(), x.clone()))]
    fn normalise_batch_add_back(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        output: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// Of x.
    #[fusion(meta = |x, _weight, _grad, _epsilon| x.clone())]
    fn normalise_rows_back(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
    /// Of the queries, keys and values.
    #[fusion(meta = |qkv, _output, _logs, _grad, _rows| qkv.clone())]
    fn attend_back(
        qkv: FloatTensor<Self>,
        output: FloatTensor<Self>,
        logs: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        rows: Sequences,
    ) -> FloatTensor<Self>;
    /// Of x, by a kernel that was not timed.
    #[fusion(meta = |x, _weight, _grad, _square| x.clone())]
    fn convolve_untimed_back(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        square: Square,
    ) -> FloatTensor<Self>;
}

/// The shapes of what attention gives.
fn attended(qkv: &TensorSpec, rows: &Sequences) -> (TensorSpec, TensorSpec) {
    let of = |columns: usize| TensorSpec::new([rows.count(), columns].into(), qkv.dtype);
    (of(rows.width()), of(rows.heads))
}

impl CubeKernels for CubeBackend {
    fn convolve_square(x: CubeTensor, weight: CubeTensor, square: Square) -> CubeTensor {
        convolution::forward(x, weight, square)
    }

    fn normalise_batch(
        x: CubeTensor,
        gamma: CubeTensor,
        beta: CubeTensor,
        around: Around,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        norm::forward(x, gamma, beta, None, around)
    }

    fn normalise_batch_add(
        x: CubeTensor,
        gamma: CubeTensor,
        beta: CubeTensor,
        residual: CubeTensor,
        epsilon: f64,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        norm::forward(x, gamma, beta, Some(residual), Around { relu: true, epsilon })
    }

    fn normalise_rows(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, epsilon: f64) -> CubeTensor {
        rows::layer_norm(x, weight, bias, epsilon)
    }

    fn attend(qkv: CubeTensor, rows: Sequences) -> (CubeTensor, CubeTensor) {
        attention::forward(qkv, rows)
    }

    fn multiply_untimed(a: CubeTensor, b: CubeTensor) -> CubeTensor {
        untimed::multiply(a, b)
    }
}

impl CubeGradients for CubeBackend {
    fn convolve_square_back(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, square: Square) -> CubeTensor {
        convolution::backward_weight(x, weight, grad, square)
    }

    fn normalise_batch_back(
        x: CubeTensor,
        gamma: CubeTensor,
        output: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        grad: CubeTensor,
        around: Around,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let passed = Passed { x, gamma, output, mean, variance };
        let (x, gamma, beta, _) = norm_gradients::backward(passed, grad, false, around);
        (x, gamma, beta)
    }

    fn normalise_batch_add_back(
        x: CubeTensor,
        gamma: CubeTensor,
        output: CubeTensor,
        mean: CubeTensor,
        variance: CubeTensor,
        grad: CubeTensor,
        epsilon: f64,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        let passed = Passed { x, gamma, output, mean, variance };
        norm_gradients::backward(passed, grad, true, Around { relu: true, epsilon })
    }

    fn normalise_rows_back(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, epsilon: f64) -> CubeTensor {
        rows::layer_norm_gradient(x, weight, grad, epsilon)
    }

    fn attend_back(
        qkv: CubeTensor,
        output: CubeTensor,
        logs: CubeTensor,
        grad: CubeTensor,
        rows: Sequences,
    ) -> CubeTensor {
        attention::backward([qkv, output, logs, grad], rows)
    }

    fn convolve_untimed_back(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, square: Square) -> CubeTensor {
        untimed::input_gradient(x, weight, grad, square)
    }
}
