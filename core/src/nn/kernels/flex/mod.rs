//! The CPU's own kernels, plugged into burn as operations with hand-written gradients.
//!
//! burn's CPU backend computes them too, but a training step then takes twice as long (docs/log.md): its convolution gradients build
//! one small matrix product a channel, and normalisation, addition and ReLU each pass over the activations several times.
//! Work is cut into pieces by shape alone, never by thread count, so that results are the same on any number of threads.

mod arrays;
#[cfg(feature = "train")]
mod attention;
mod conv;
#[cfg(feature = "train")]
mod conv_gradients;
#[cfg(feature = "train")]
mod gelu;
#[cfg(feature = "train")]
mod gradients;
#[cfg(feature = "train")]
mod norm;
#[cfg(feature = "train")]
mod norm_gradients;
mod product;
#[cfg(feature = "train")]
mod rows;
mod tiles;
#[cfg(feature = "train")]
mod update;
mod weights;
mod winograd;
#[cfg(feature = "train")]
mod winograd_gradients;

use self::arrays::{FlexTensor, values, vectorised};
#[cfg(feature = "train")]
use super::attention::Sequences;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};

/// The operations of inference; activations are channels last.
#[backend_extension(Flex)]
pub trait Folded: Backend {
    /// A weight `[outputs, inputs, k, k]`, times a scale an output, as the matrix that the others take, `[k k inputs, outputs]`.
    fn arrange(weight: FloatTensor<Self>, scale: FloatTensor<Self>) -> FloatTensor<Self>;
    /// A weight `[outputs, inputs, 3, 3]`, times a scale an output, for tiles of 6 or 4 pixels, `[side side inputs, outputs]`: the
    /// others take it as a kernel of that side.
    fn arrange_tiles(weight: FloatTensor<Self>, scale: FloatTensor<Self>, side: usize) -> FloatTensor<Self>;
    /// Convolution with bias.
    fn convolve_bias(
        x: FloatTensor<Self>,
        matrix: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kernel: usize,
        stride: usize,
    ) -> FloatTensor<Self>;
    /// Convolution with bias, then ReLU.
    fn convolve_relu(
        x: FloatTensor<Self>,
        matrix: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kernel: usize,
        stride: usize,
    ) -> FloatTensor<Self>;
    /// Convolution with bias, + residual, then ReLU.
    fn convolve_add_relu(
        x: FloatTensor<Self>,
        matrix: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        kernel: usize,
        stride: usize,
    ) -> FloatTensor<Self>;
}

impl Folded for Flex {
    fn arrange(weight: FlexTensor, scale: FlexTensor) -> FlexTensor {
        weights::arrange(&weight, &values(&scale))
    }

    fn arrange_tiles(weight: FlexTensor, scale: FlexTensor, side: usize) -> FlexTensor {
        winograd::arrange(&weight, &values(&scale), side)
    }

    fn convolve_bias(x: FlexTensor, matrix: FlexTensor, bias: FlexTensor, kernel: usize, stride: usize) -> FlexTensor {
        let bias = values(&bias);
        forward(&x, &matrix, kernel, stride, |_, out: &mut [f32]| add_bias(out, &bias, None, false))
    }

    fn convolve_relu(x: FlexTensor, matrix: FlexTensor, bias: FlexTensor, kernel: usize, stride: usize) -> FlexTensor {
        let bias = values(&bias);
        forward(&x, &matrix, kernel, stride, |_, out: &mut [f32]| add_bias(out, &bias, None, true))
    }

    fn convolve_add_relu(
        x: FlexTensor,
        matrix: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        kernel: usize,
        stride: usize,
    ) -> FlexTensor {
        let (bias, residual) = (values(&bias), values(&residual));
        forward(&x, &matrix, kernel, stride, |at, out: &mut [f32]| add_bias(out, &bias, Some(&residual[at..]), true))
    }
}

/// The convolution that a matrix was arranged for.
fn forward(x: &FlexTensor, matrix: &FlexTensor, kernel: usize, stride: usize, finish: impl conv::Finish) -> FlexTensor {
    if winograd::is_tile(kernel) {
        return winograd::forward(x, matrix, kernel, finish);
    }
    conv::forward(x, matrix, kernel, stride, finish)
}

/// Rows of outputs + bias (+ residual, then ReLU).
fn add_bias(out: &mut [f32], bias: &[f32], residual: Option<&[f32]>, relu: bool) {
    let c = bias.len();
    vectorised(
        #[inline(always)]
        || {
            for (i, row) in out.chunks_exact_mut(c).enumerate() {
                row.iter_mut().zip(bias).for_each(|(o, b)| *o += b);
                if let Some(r) = residual {
                    row.iter_mut().zip(&r[i * c..]).for_each(|(o, r)| *o += r);
                }
                if relu {
                    // unlike `max`, one instruction on every target
                    row.iter_mut().for_each(|o| *o = if *o > 0.0 { *o } else { 0.0 });
                }
            }
        },
    );
}

/// The operations of training; activations are channels last.
#[cfg(feature = "train")]
#[backend_extension(Flex, Autodiff)]
pub trait Kernels: Backend {
    /// A square convolution with padding `kernel / 2`.
    fn convolve(x: FloatTensor<Self>, weight: FloatTensor<Self>, stride: usize) -> FloatTensor<Self>;
    /// (output, mean, variance) of normalisation with batch statistics, then ReLU.
    fn normalise_relu(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// (output, mean, variance) of normalisation with batch statistics alone.
    fn normalise(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// (output, mean, variance) of normalisation with batch statistics, + residual, then ReLU.
    fn normalise_add_relu(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// LayerNorm over the last axis; weight and bias are constants.
    fn layer_normalise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
    /// x sigmoid(1.702 x)
    fn quick_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// x times the normal distribution function at x.
    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Attention of rows, `[rows, 3 width]` -> `[rows, width]`.
    fn attention(qkv: FloatTensor<Self>, rows: Sequences) -> FloatTensor<Self>;
}

/// The arithmetic of the optimiser, outside of any graph.
#[cfg(feature = "train")]
#[backend_extension(Flex)]
pub trait Update: Backend {
    /// The first step of [`Self::sgd`]: (parameter, velocity).
    fn sgd_first(
        p: FloatTensor<Self>,
        g: FloatTensor<Self>,
        settings: [f32; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// One step of SGD with `[lr, momentum, weight decay]`: (parameter, velocity).
    fn sgd(
        p: FloatTensor<Self>,
        g: FloatTensor<Self>,
        v: FloatTensor<Self>,
        settings: [f32; 3],
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// a and b times `[keep, take]`, added.
    fn blend(a: FloatTensor<Self>, b: FloatTensor<Self>, weights: [f32; 2]) -> FloatTensor<Self>;
    /// The sum of squares, `[1]`.
    fn square_sum(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

#[cfg(feature = "train")]
impl Update for Flex {
    fn sgd_first(p: FlexTensor, g: FlexTensor, settings: [f32; 3]) -> (FlexTensor, FlexTensor) {
        update::sgd(p, g, None, settings)
    }

    fn sgd(p: FlexTensor, g: FlexTensor, v: FlexTensor, settings: [f32; 3]) -> (FlexTensor, FlexTensor) {
        update::sgd(p, g, Some(v), settings)
    }

    fn blend(a: FlexTensor, b: FlexTensor, weights: [f32; 2]) -> FlexTensor {
        update::blend(a, &b, weights)
    }

    fn square_sum(x: FlexTensor) -> FlexTensor {
        update::square_sum(&x)
    }
}
