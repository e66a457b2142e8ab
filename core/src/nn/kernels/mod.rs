//! The network's heavy operations: this crate's own kernels on the CPU and, in training, on a GPU, and burn's.

#[cfg(feature = "train")]
pub mod attention;
#[cfg(all(feature = "cube", feature = "train"))]
mod cube;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "train")]
mod gather;
#[cfg(feature = "train")]
mod memory;
mod place;
#[cfg(all(test, feature = "train", feature = "flex"))]
pub(crate) mod tests;
#[cfg(feature = "train")]
mod update;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, activation, module};

#[cfg(feature = "train")]
use self::attention::Sequences;
#[cfg(all(feature = "cube", feature = "train"))]
use self::cube::{Around, CubeKernels, Square, untimed};
#[cfg(feature = "flex")]
use self::flex::Folded;
#[cfg(all(feature = "flex", feature = "train"))]
use self::flex::Kernels;
#[cfg(feature = "train")]
pub use self::gather::gather;
#[cfg(feature = "train")]
pub use self::memory::{flat, shaped};
use self::place::on_cpu;
#[cfg(all(feature = "cube", feature = "train"))]
use self::place::on_cube;
#[cfg(feature = "train")]
pub use self::place::{is_cpu, largest_array};
#[cfg(feature = "train")]
pub use self::update::{Descent, LearningRate, blend, clip_factor, copies, norm, sgd, write};
#[cfg(any(feature = "cube", feature = "flex"))]
use burn::backend::Dispatch;
#[cfg(all(feature = "cube", feature = "train"))]
use burn::tensor::DType;

/// What batch normalisation gives in training.
pub struct Normalised {
    pub output: Tensor<4>,
    /// The batch's mean, `[c]`.
    pub mean: Tensor<1>,
    /// The batch's unbiased variance, `[c]`.
    pub variance: Tensor<1>,
}

/// Activations as the kernels of their device want them: channels last on the CPU.
///
/// # Shapes
/// `[n, c, h, w]` -> native
pub fn to_native(x: Tensor<4>) -> Tensor<4> {
    if on_cpu(&x) { x.permute([0, 2, 3, 1]) } else { x }
}

/// The reverse of [`to_native`].
pub fn from_native(x: Tensor<4>) -> Tensor<4> {
    if on_cpu(&x) { x.permute([0, 3, 1, 2]) } else { x }
}

/// The product of two matrices.
pub fn matmul(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    #[cfg(all(feature = "cube", feature = "train"))]
    if untimed() && on_cube(&a) {
        return Tensor::from_dispatch(Dispatch::multiply_untimed(a.into_dispatch(), b.into_dispatch()));
    }
    a.matmul(b)
}

/// A square convolution of native activations with padding `kernel / 2`, without bias.
///
/// # Shapes
/// `[n, inputs, h, w]` (native), `[outputs, inputs, k, k]` -> `[n, outputs, h / stride, w / stride]` (native)
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    #[cfg(all(feature = "flex", feature = "train"))]
    if on_cpu(&x) {
        return Tensor::from_dispatch(Dispatch::convolve(x.into_dispatch(), weight.into_dispatch(), stride));
    }
    #[cfg(all(feature = "cube", feature = "train"))]
    if on_cube(&x) {
        return cube_conv2d(x, weight, stride);
    }
    burn_conv2d(x, weight, None, stride)
}

/// Whether a GPU takes one kernel a size from now on for convolutions and products of matrices, which is not timed, or burn's choice of
/// several.
pub fn take_untimed(on: bool) {
    #[cfg(all(feature = "cube", feature = "train"))]
    cube::take_untimed(on);
    let _ = on;
}

#[cfg(all(feature = "cube", feature = "train"))]
fn cube_conv2d(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let square = Square { kernel: weight.dims()[2], stride, untimed: untimed() };
    Tensor::from_dispatch(Dispatch::convolve_square(x.into_dispatch(), weight.into_dispatch(), square))
}

fn burn_conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, stride: usize) -> Tensor<4> {
    let padding = weight.dims()[2] / 2;
    module::conv2d(x, weight, bias, ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1))
}

/// Above so many input channels the transformed weights, of tiles of 6 and of 4, are too many to read for the few pixels they meet.
#[cfg(feature = "flex")]
const MOST_CHANNELS_OF_LARGE_TILES: usize = 128;
#[cfg(feature = "flex")]
const MOST_CHANNELS_OF_TILES: usize = 256;

/// A weight, times a `scale` an output, as [`conv2d_inference`] wants it on its device, for convolutions of this stride. With stride 1
/// the sides of the activations must be multiples of four, which all of this network's are.
///
/// # Shapes
/// `[outputs, inputs, k, k]`, `[outputs]` -> native
pub fn arrange(weight: Tensor<4>, scale: Tensor<1>, stride: usize) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if on_cpu(&weight) {
        let [outputs, inputs, kernel, _] = weight.dims();
        let (weight, scale) = (weight.into_dispatch(), scale.into_dispatch());
        if kernel == 3 && stride == 1 && inputs <= MOST_CHANNELS_OF_TILES {
            let side = if inputs <= MOST_CHANNELS_OF_LARGE_TILES { 6 } else { 4 };
            let tiles: Tensor<2> = Tensor::from_dispatch(Dispatch::arrange_tiles(weight, scale, side));
            return tiles.reshape([side, side, inputs, outputs]);
        }
        let matrix: Tensor<2> = Tensor::from_dispatch(Dispatch::arrange(weight, scale));
        return matrix.reshape([kernel, kernel, inputs, outputs]);
    }
    let _ = stride;
    let outputs = weight.dims()[0];
    weight * scale.reshape([outputs, 1, 1, 1])
}

/// Convolution of native activations with an [`arrange`]d weight and bias, `+ residual`, ReLU where asked for.
pub fn conv2d_inference(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if on_cpu(&x) {
        let [kernel, _, inputs, outputs] = weight.dims();
        let matrix = weight.reshape([kernel * kernel * inputs, outputs]).into_dispatch();
        let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
        return Tensor::from_dispatch(match residual {
            Some(r) => Dispatch::convolve_add_relu(x, matrix, bias, r.into_dispatch(), kernel, stride),
            None if relu => Dispatch::convolve_relu(x, matrix, bias, kernel, stride),
            None => Dispatch::convolve_bias(x, matrix, bias, kernel, stride),
        });
    }
    #[cfg(all(feature = "cube", feature = "train"))]
    if untimed() && on_cube(&x) {
        let outputs = weight.dims()[0];
        return finish(cube_conv2d(x, weight, stride) + bias.reshape([1, outputs, 1, 1]), residual, relu);
    }
    finish(burn_conv2d(x, weight, Some(bias), stride), residual, relu)
}

/// Normalisation of native activations with the batch's own statistics, `+ residual` and ReLU where asked for.
pub fn batch_norm(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
    epsilon: f64,
) -> Normalised {
    #[cfg(all(feature = "flex", feature = "train"))]
    if on_cpu(&x) && (relu || residual.is_none()) {
        let pixels = pixels(&x, &gamma);
        let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
        let (output, mean, variance) = match residual {
            Some(r) => Dispatch::normalise_add_relu(x, gamma, beta, r.into_dispatch(), epsilon),
            None if relu => Dispatch::normalise_relu(x, gamma, beta, epsilon),
            None => <Dispatch as Kernels>::normalise(x, gamma, beta, epsilon),
        };
        return Normalised {
            output: Tensor::from_dispatch(output),
            mean: Tensor::from_dispatch(mean),
            variance: unbiased(Tensor::from_dispatch(variance), pixels),
        };
    }
    #[cfg(all(feature = "cube", feature = "train"))]
    if on_cube(&x) && (relu || residual.is_none()) {
        let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
        let (output, mean, variance) = match residual {
            Some(r) => Dispatch::normalise_batch_add(x, gamma, beta, r.into_dispatch(), epsilon),
            None => Dispatch::normalise_batch(x, gamma, beta, Around { relu, epsilon }),
        };
        return Normalised {
            output: Tensor::from_dispatch(output),
            mean: Tensor::from_dispatch(mean),
            variance: Tensor::from_dispatch(variance),
        };
    }
    burn_batch_norm(x, gamma, beta, residual, relu, epsilon)
}

fn burn_batch_norm(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
    epsilon: f64,
) -> Normalised {
    let pixels = pixels(&x, &gamma);
    let out = module::batch_norm_train(x, gamma, beta, epsilon);
    Normalised { output: finish(out.output, residual, relu), mean: out.mean, variance: unbiased(out.variance, pixels) }
}

/// Pixels of a batch of native activations with a value of `gamma` a channel.
fn pixels(x: &Tensor<4>, gamma: &Tensor<1>) -> usize {
    x.shape().num_elements() / gamma.dims()[0]
}

fn unbiased(variance: Tensor<1>, pixels: usize) -> Tensor<1> {
    let count = pixels as f64;
    variance.mul_scalar(count / (count - 1.0).max(1.0))
}

fn finish(y: Tensor<4>, residual: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
    let y = match residual {
        Some(r) => y + r,
        None => y,
    };
    if relu { activation::relu(y) } else { y }
}

/// LayerNorm over the last axis. The CPU's own pass takes weight and bias for constants: those that are trained go
/// through burn's operations.
#[cfg(feature = "train")]
pub fn layer_norm(x: Tensor<2>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if on_cpu(&x) && !weight.is_require_grad() && !bias.is_require_grad() {
        let out = Dispatch::layer_normalise(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), epsilon);
        return Tensor::from_dispatch(out);
    }
    #[cfg(feature = "cube")]
    if on_cube(&x) && !weight.is_require_grad() && !bias.is_require_grad() {
        let out = Dispatch::normalise_rows(x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch(), epsilon);
        return Tensor::from_dispatch(out);
    }
    let centred = x.clone() - x.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    centred / (variance + epsilon).sqrt() * weight.unsqueeze() + bias.unsqueeze()
}

/// x sigmoid(1.702 x)
#[cfg(feature = "train")]
pub fn quick_gelu(x: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if on_cpu(&x) {
        return Tensor::from_dispatch(<Dispatch as Kernels>::quick_gelu(x.into_dispatch()));
    }
    x.clone() * activation::sigmoid(x * 1.702)
}

/// x times the normal distribution function at x.
#[cfg(feature = "train")]
pub fn gelu(x: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if on_cpu(&x) {
        return Tensor::from_dispatch(<Dispatch as Kernels>::gelu(x.into_dispatch()));
    }
    activation::gelu(x)
}

#[cfg(feature = "train")]
impl Sequences {
    /// Every suffix attends to its prefix and itself, every prefix to itself; causally, or whole prefixes alone.
    ///
    /// # Shapes
    /// `[rows, 3 width]` (queries, keys, values) -> `[rows, width]`
    pub fn attention(self, qkv: Tensor<2>) -> Tensor<2> {
        #[cfg(feature = "flex")]
        if on_cpu(&qkv) {
            return Tensor::from_dispatch(<Dispatch as Kernels>::attention(qkv.into_dispatch(), self));
        }
        #[cfg(feature = "cube")]
        {
            let (precision, qkv) = (qkv.dtype(), qkv.cast(DType::F32));
            let out: Tensor<2> = Tensor::from_dispatch(Dispatch::attend(qkv.into_dispatch(), self).0);
            out.cast(precision)
        }
        #[cfg(not(feature = "cube"))]
        self.burn_attention(qkv)
    }
}
