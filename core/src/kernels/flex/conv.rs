//! Convolution as matrix products over patches, channels last, and its gradients.
//!
//! With channels last a patch is a few contiguous runs, and the product needs no re-packing of the patches.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use rayon::prelude::*;

use super::{Array, array, dims, values, zeroed};

/// Output pixels a piece of work takes.
const PIXELS: usize = 256;

/// The shape of one convolution.
#[derive(Clone, Copy)]
pub struct Geometry {
    n: usize,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    /// Height and width of the input and of the output.
    from: [usize; 2],
    to: [usize; 2],
}

impl Geometry {
    /// `x` `[n, h, w, inputs]`
    fn new(x: [usize; 4], outputs: usize, kernel: usize, stride: usize) -> Self {
        let [n, h, w, inputs] = x;
        let out = |size: usize| (size + 2 * (kernel / 2) - kernel) / stride + 1;
        Self { n, inputs, outputs, kernel, stride, from: [h, w], to: [out(h), out(w)] }
    }

    /// Output pixels of the whole batch.
    fn pixels(&self) -> usize {
        self.n * self.to[0] * self.to[1]
    }

    /// Values in a patch.
    fn depth(&self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    /// A gradient of the output as one row a pixel.
    fn rows(&self, grad: &Array) -> Array {
        grad.to_contiguous().reshape(vec![self.pixels(), self.outputs].into())
    }

    /// For each kernel row of output pixel `pixel`: (first value in the input, how many, first value in the patch).
    #[inline(always)]
    fn runs(&self, pixel: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let Self { inputs, kernel, stride, from: [h, w], to: [oh, ow], .. } = *self;
        let (image, y, x) = (pixel / (oh * ow), pixel / ow % oh, pixel % ow);
        let pad = kernel / 2;
        // kernel columns inside the image
        let first = pad.saturating_sub(x * stride);
        let last = kernel.min(w + pad - x * stride);
        (0..kernel).filter_map(move |ky| {
            let sy = (y * stride + ky).wrapping_sub(pad);
            let at = ((image * h + sy.min(h)) * w + x * stride + first).wrapping_sub(pad) * inputs;
            (sy < h).then_some((at, (last - first) * inputs, (ky * kernel + first) * inputs))
        })
    }

    /// The patches of output pixels `first..first + count`, `[count, k k inputs]`.
    fn patches(&self, x: &[f32], first: usize, count: usize) -> Array {
        let depth = self.depth();
        let mut out = Vec::with_capacity(count * depth);
        for i in 0..count {
            for (from, length, to) in self.runs(first + i) {
                // what lies outside of the image is zero
                out.resize(i * depth + to, 0.0);
                out.extend_from_slice(&x[from..from + length]);
            }
        }
        out.resize(count * depth, 0.0);
        array(out, &[count, depth])
    }
}

/// A weight `[outputs, inputs, k, k]` as the matrix `[k k inputs, outputs]` that patches are multiplied with.
pub fn arrange(weight: &Array) -> Array {
    let [outputs, inputs, k, _] = dims(weight);
    let (cells, w) = (k * k, values(weight));
    let mut out = zeroed(&[cells * inputs, outputs]);
    out.par_chunks_mut(outputs * inputs).enumerate().for_each(|(cell, out)| {
        transpose(&w[cell..], cells, inputs, outputs, out);
    });
    array(out, &[cells * inputs, outputs])
}

/// The reverse of [`arrange`].
fn restore(matrix: &Array, weight: [usize; 4]) -> Array {
    let [outputs, inputs, k, _] = weight;
    let (cells, m) = (k * k, values(matrix));
    let mut out = zeroed(&weight);
    out.par_chunks_mut(inputs * cells).enumerate().for_each(|(o, out)| {
        for (i, taps) in out.chunks_exact_mut(cells).enumerate() {
            for (cell, tap) in taps.iter_mut().enumerate() {
                *tap = m[(cell * inputs + i) * outputs + o];
            }
        }
    });
    array(out, &weight)
}

/// One tap of `[outputs, inputs, cells]` as `[inputs, outputs]`, in blocks that stay in the cache.
fn transpose(w: &[f32], cells: usize, inputs: usize, outputs: usize, out: &mut [f32]) {
    const BLOCK: usize = 16;
    for o0 in (0..outputs).step_by(BLOCK) {
        for i in 0..inputs {
            for o in o0..(o0 + BLOCK).min(outputs) {
                out[i * outputs + o] = w[(o * inputs + i) * cells];
            }
        }
    }
}

/// The kernel turned by 180 degrees with inputs and outputs exchanged, as a matrix `[k k outputs, inputs]`.
fn turned(weight: &Array) -> Array {
    let [outputs, inputs, k, _] = dims(weight);
    let (cells, w) = (k * k, values(weight));
    let mut out = zeroed(&[cells * outputs, inputs]);
    out.par_chunks_mut(outputs * inputs).enumerate().for_each(|(cell, out)| {
        let tap = cells - 1 - cell;
        for (o, line) in out.chunks_exact_mut(inputs).enumerate() {
            line.iter_mut().enumerate().for_each(|(i, v)| *v = w[(o * inputs + i) * cells + tap]);
        }
    });
    array(out, &[cells * outputs, inputs])
}

/// What is done to a piece of the output while it is still in the cache: (first value, values).
pub trait Finish: Fn(usize, &mut [f32]) + Sync {}
impl<F: Fn(usize, &mut [f32]) + Sync> Finish for F {}

/// `x` `[n, h, w, inputs]`, `matrix` of [`arrange`], padding k / 2 -> `[n, h / stride, w / stride, outputs]`
pub fn forward(x: &Array, matrix: &Array, kernel: usize, stride: usize, finish: impl Finish) -> Array {
    let g = Geometry::new(dims(x), dims::<2>(matrix)[1], kernel, stride);
    let x = values(x);
    let shape = [g.n, g.to[0], g.to[1], g.outputs];
    let mut out = zeroed(&shape);
    out.par_chunks_mut(PIXELS * g.outputs).enumerate().for_each(|(piece, out)| {
        let patches = g.patches(&x, piece * PIXELS, out.len() / g.outputs);
        out.copy_from_slice(&values(&Flex::float_matmul(patches, matrix.clone())));
        finish(piece * PIXELS * g.outputs, out);
    });
    array(out, &shape)
}

/// The gradient of the input `[n, h, w, inputs]`.
pub fn input_gradient(x: [usize; 4], weight: &Array, stride: usize, grad: &Array) -> Array {
    let [outputs, _, kernel, _] = dims(weight);
    if stride == 1 {
        return forward(grad, &turned(weight), kernel, 1, |_, _: &mut [f32]| {});
    }
    let g = Geometry::new(x, outputs, kernel, stride);
    let transposed = arrange(weight).transpose(0, 1);
    let grad = g.rows(grad);
    let (plane, pixels) = (g.from[0] * g.from[1] * g.inputs, g.to[0] * g.to[1]);
    let images = (PIXELS / pixels).max(1);
    let mut out = zeroed(&x);
    out.par_chunks_mut(images * plane).enumerate().for_each(|(piece, out)| {
        let (first, count) = (piece * images * pixels, out.len() / plane * pixels);
        let patches = Flex::float_matmul(grad.narrow(0, first, count), transposed.clone());
        for (i, patch) in values(&patches).chunks_exact(g.depth()).enumerate() {
            for (to, length, from) in g.runs(first + i) {
                let target = &mut out[to - piece * images * plane..][..length];
                target.iter_mut().zip(&patch[from..from + length]).for_each(|(t, v)| *t += v);
            }
        }
    });
    array(out, &x)
}

/// The gradient of the weight `[outputs, inputs, k, k]`.
pub fn weight_gradient(x: &Array, weight: [usize; 4], stride: usize, grad: &Array) -> Array {
    let g = Geometry::new(dims(x), weight[0], weight[2], stride);
    let (x, grad) = (values(x), g.rows(grad));
    // few enough pieces that their sums cost little, at least two
    let count = g.pixels().div_ceil((g.pixels() / 1024).clamp(2, 16));
    let parts: Vec<Array> = (0..g.pixels().div_ceil(count))
        .into_par_iter()
        .map(|piece| {
            let first = piece * count;
            let count = count.min(g.pixels() - first);
            let patches = g.patches(&x, first, count);
            Flex::float_matmul(patches.transpose(0, 1), grad.narrow(0, first, count))
        })
        .collect();
    restore(&sum(parts), weight)
}

/// The sum of arrays of one shape, in their order.
fn sum(parts: Vec<Array>) -> Array {
    const PIECE: usize = 1 << 14;
    let shape = parts[0].layout().shape().to_vec();
    let parts: Vec<_> = parts.iter().map(values).collect();
    let mut total = zeroed(&shape);
    total.par_chunks_mut(PIECE).enumerate().for_each(|(i, out)| {
        for part in &parts {
            out.iter_mut().zip(&part[i * PIECE..]).for_each(|(t, v)| *t += v);
        }
    });
    array(total, &shape)
}
