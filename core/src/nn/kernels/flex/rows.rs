//! LayerNorm on rows of the text tower, one pass, and its gradient.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, vectorised, zeroed};

/// Mean and 1 / deviation of a row.
#[inline(always)]
fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = lanes(row, |v| v) / n;
    let variance = lanes(row, |v| (v - mean) * (v - mean)) / n;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// A sum in 16 lanes.
#[inline(always)]
fn lanes(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 16];
    let parts = row.chunks_exact(16);
    let rest: f32 = parts.remainder().iter().map(|v| f(*v)).sum();
    for part in parts {
        for i in 0..16 {
            sums[i] += f(part[i]);
        }
    }
    rest + sums.iter().sum::<f32>()
}

/// LayerNorm over the last axis of `[n, d]`.
pub fn layer_norm(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor, epsilon: f32) -> FlexTensor {
    let shape: [usize; 2] = dims(x);
    let (x, weight, bias) = (values(x), values(weight), values(bias));
    let mut out = zeroed(&shape);
    out.par_chunks_mut(shape[1]).zip(x.par_chunks(shape[1])).with_min_len(16).for_each(|(out, row)| {
        vectorised(
            #[inline(always)]
            || {
                let (mean, inverse) = moments(row, epsilon);
                for (i, o) in out.iter_mut().enumerate() {
                    *o = (row[i] - mean) * inverse * weight[i] + bias[i];
                }
            },
        );
    });
    array(out, &shape)
}

/// The gradient of the input of [`layer_norm`].
pub fn layer_norm_gradient(x: &FlexTensor, weight: &FlexTensor, grad: &FlexTensor, epsilon: f32) -> FlexTensor {
    let shape: [usize; 2] = dims(x);
    let d = shape[1];
    let (x, weight, grad) = (values(x), values(weight), values(grad));
    let mut out = zeroed(&shape);
    let rows = out.par_chunks_mut(d).zip(x.par_chunks(d)).zip(grad.par_chunks(d));
    rows.with_min_len(16).for_each(|((out, row), grad)| {
        vectorised(
            #[inline(always)]
            || {
                let (mean, inverse) = moments(row, epsilon);
                // h = gradient of the normalised row; dx = (h - mean h - xhat mean(h xhat)) / deviation
                for (i, o) in out.iter_mut().enumerate() {
                    *o = grad[i] * weight[i];
                }
                let sum = lanes(out, |h| h) / d as f32;
                let mut dots = [0.0f32; 16];
                for (i, h) in out.iter().enumerate() {
                    dots[i % 16] += h * (row[i] - mean);
                }
                let dot = dots.iter().sum::<f32>() * inverse * inverse / d as f32;
                for (i, o) in out.iter_mut().enumerate() {
                    *o = (*o - sum - (row[i] - mean) * dot) * inverse;
                }
            },
        );
    });
    array(out, &shape)
}
