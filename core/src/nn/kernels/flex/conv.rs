//! Convolution as matrix products over patches, channels last.
//!
//! With channels last a patch is a few contiguous runs, and the product needs no re-packing of the patches.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, zeroed};
use super::product;

/// Output pixels a piece of work takes.
pub const PIXELS: usize = 256;

/// The shape of one convolution.
#[derive(Clone, Copy)]
pub struct Geometry {
    pub n: usize,
    pub inputs: usize,
    pub outputs: usize,
    kernel: usize,
    stride: usize,
    /// Height and width of the input and of the output.
    pub from: [usize; 2],
    pub to: [usize; 2],
}

impl Geometry {
    /// `x` `[n, h, w, inputs]`
    pub fn new(x: [usize; 4], outputs: usize, kernel: usize, stride: usize) -> Self {
        let [n, h, w, inputs] = x;
        let out = |size: usize| (size + 2 * (kernel / 2) - kernel) / stride + 1;
        Self { n, inputs, outputs, kernel, stride, from: [h, w], to: [out(h), out(w)] }
    }

    /// Values in a patch.
    pub fn depth(&self) -> usize {
        self.kernel * self.kernel * self.inputs
    }

    /// For each kernel row of output pixel `pixel`: (first value in the input, how many, first value in the patch).
    #[inline(always)]
    pub fn runs(&self, pixel: usize) -> impl Iterator<Item = (usize, usize, usize)> {
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
    pub fn patches(&self, x: &[f32], first: usize, count: usize) -> Vec<f32> {
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
        out
    }
}

/// What is done to a piece of the output while it is still in the cache: (first value, values).
pub trait Finish: Fn(usize, &mut [f32]) + Sync {}
impl<F: Fn(usize, &mut [f32]) + Sync> Finish for F {}

/// `x` `[n, h, w, inputs]`, `matrix` of [`crate::nn::kernels::flex::weights::arrange`], padding k / 2 -> `[n, h / stride, w / stride, outputs]`
pub fn forward(x: &FlexTensor, matrix: &FlexTensor, kernel: usize, stride: usize, finish: impl Finish) -> FlexTensor {
    let g = Geometry::new(dims(x), dims::<2>(matrix)[1], kernel, stride);
    let x = values(x);
    let shape = [g.n, g.to[0], g.to[1], g.outputs];
    let mut out = zeroed(&shape);
    out.par_chunks_mut(PIXELS * g.outputs).enumerate().for_each(|(piece, out)| {
        let patches = g.patches(&x, piece * PIXELS, out.len() / g.outputs);
        out.copy_from_slice(&values(&product::multiply(patches, matrix, 1, out.len() / g.outputs)));
        finish(piece * PIXELS * g.outputs, out);
    });
    array(out, &shape)
}
