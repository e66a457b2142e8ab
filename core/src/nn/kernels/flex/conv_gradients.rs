//! The gradients of the convolution: matrix products over the same patches, or tiles.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, zeroed};
use super::conv::{Geometry, PIXELS, forward};
use super::weights::{arrange, restore, turned};
use super::winograd;
use super::winograd_gradients::{self, TILE_SIDE, in_tiles};

impl Geometry {
    /// Output pixels of the whole batch.
    fn pixels(&self) -> usize {
        self.n * self.to[0] * self.to[1]
    }

    /// A gradient of the output as one row a pixel.
    fn rows(&self, grad: &FlexTensor) -> FlexTensor {
        grad.to_contiguous().reshape(vec![self.pixels(), self.outputs].into())
    }
}

/// The gradient of the input `[n, h, w, inputs]`.
pub fn input_gradient(x: [usize; 4], weight: &FlexTensor, stride: usize, grad: &FlexTensor) -> FlexTensor {
    let [outputs, _, kernel, _] = dims(weight);
    if in_tiles([x[1], x[2]], dims(weight), stride) {
        return winograd::forward(grad, &winograd::turned(weight, TILE_SIDE), TILE_SIDE, |_, _: &mut [f32]| {});
    }
    if stride == 1 {
        return forward(grad, &turned(weight), kernel, 1, |_, _: &mut [f32]| {});
    }
    let g = Geometry::new(x, outputs, kernel, stride);
    let transposed = arrange(weight, &vec![1.0; outputs]).transpose(0, 1);
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
pub fn weight_gradient(x: &FlexTensor, weight: [usize; 4], stride: usize, grad: &FlexTensor) -> FlexTensor {
    let g = Geometry::new(dims(x), weight[0], weight[2], stride);
    if in_tiles(g.from, weight, stride) {
        return winograd_gradients::weight_gradient(x, grad);
    }
    let (x, grad) = (values(x), g.rows(grad));
    // few enough pieces that their sums cost little, at least two
    let count = g.pixels().div_ceil((g.pixels() / 1024).clamp(2, 16));
    let parts: Vec<FlexTensor> = (0..g.pixels().div_ceil(count))
        .into_par_iter()
        .map(|piece| {
            let first = piece * count;
            let count = count.min(g.pixels() - first);
            let patches = array(g.patches(&x, first, count), &[count, g.depth()]);
            Flex::float_matmul(patches.transpose(0, 1), grad.narrow(0, first, count))
        })
        .collect();
    restore(&sum(parts), weight)
}

/// The sum of arrays of one shape, in their order.
fn sum(parts: Vec<FlexTensor>) -> FlexTensor {
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
