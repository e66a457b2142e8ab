//! Attention over short prompts in one kernel forward and one back: a cube takes one token of one head. The weights of a row are not
//! kept, only the logarithm of their sum, from which the way back finds them again (Dao et al., 2022).

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::empty;
use super::seen::{Layout, LayoutLaunch, keys, queries, row_of};
use crate::nn::kernels::attention::Sequences;

/// Units of a cube: tokens that are weighed at once, and values of a head that are summed side by side.
const UNITS: u32 = 64;
/// Below every score.
const LEAST: f32 = -1e30;

/// The product of two pieces of `count` values.
#[cube]
fn dot(a: &[f32], from_a: usize, b: &[f32], from_b: usize, count: usize) -> f32 {
    let mut sum = 0.0f32;
    for d in 0..count {
        sum += a[from_a + d] * b[from_b + d];
    }
    sum
}

/// The softmax runs along the keys, what was summed shrinking whenever a larger score comes.
#[cube(launch)]
fn attend(
    qkv: &[f32],
    output: &mut [f32],
    logs: &mut [f32],
    layout: &Layout,
    scale: f32,
    #[comptime] causal: bool,
    #[comptime] units: usize,
) {
    let (row, h) = (CUBE_POS_X as usize, CUBE_POS_Y as usize);
    let unit = UNIT_POS_X as usize;
    let head = layout.head as usize;
    let width = layout.heads as usize * head;
    let at = h * head;
    let d = CUBE_POS_Z as usize * units + unit;
    let seen = keys(row, layout, causal);
    let count = seen.count + seen.more;
    let mut weights = Shared::<[f32]>::new_slice(units);
    let mut top = f32::new(LEAST);
    let mut sum = 0.0f32;
    let mut value = 0.0f32;
    let mut from = 0usize;
    while from < count {
        sync_cube();
        let mut score = f32::new(LEAST);
        if from + unit < count {
            let key = row_of(&seen, from + unit) * 3 * width + width + at;
            score = scale * dot(qkv, row * 3 * width + at, qkv, key, head);
        }
        weights[unit] = score;
        sync_cube();
        let here = clamp_max(count - from, units);
        let before = top;
        for k in 0..here {
            if weights[k] > top {
                top = weights[k];
            }
        }
        let shrink = (before - top).exp();
        sum *= shrink;
        value *= shrink;
        for k in 0..here {
            let weight = (weights[k] - top).exp();
            sum += weight;
            if d < head {
                value += weight * qkv[row_of(&seen, from + k) * 3 * width + 2 * width + at + d];
            }
        }
        from += units;
    }
    if d < head {
        output[row * width + at + d] = value / sum;
    }
    if d == 0 {
        logs[row * layout.heads as usize + h] = top + sum.ln();
    }
}

/// With w the weights, g the output's gradient, o the output: a score's slope is w (g v - g o). A cube sums its token's slopes as a
/// query, and, over all that see it, as a key and value.
#[cube(launch)]
fn attend_back(
    qkv: &[f32],
    output: &[f32],
    logs: &[f32],
    grad: &[f32],
    qkv_grad: &mut [f32],
    layout: &Layout,
    scale: f32,
    #[comptime] causal: bool,
    #[comptime] units: usize,
) {
    let (row, h) = (CUBE_POS_X as usize, CUBE_POS_Y as usize);
    let unit = UNIT_POS_X as usize;
    let heads = layout.heads as usize;
    let head = layout.head as usize;
    let width = heads * head;
    let at = h * head;
    let d = CUBE_POS_Z as usize * units + unit;
    let (own, out) = (row * 3 * width + at, row * width + at);
    let mut slopes = Shared::<[f32]>::new_slice(units);
    let mut weights = Shared::<[f32]>::new_slice(units);

    let seen = keys(row, layout, causal);
    let count = seen.count + seen.more;
    let mean = dot(grad, out, output, out, head);
    let log = logs[row * heads + h];
    let mut query = 0.0f32;
    let mut from = 0usize;
    while from < count {
        sync_cube();
        if from + unit < count {
            let key = row_of(&seen, from + unit) * 3 * width + width + at;
            let weight = (scale * dot(qkv, own, qkv, key, head) - log).exp();
            slopes[unit] = scale * weight * (dot(grad, out, qkv, key + width, head) - mean);
        }
        sync_cube();
        if d < head {
            for k in 0..clamp_max(count - from, units) {
                query += slopes[k] * qkv[row_of(&seen, from + k) * 3 * width + width + at + d];
            }
        }
        from += units;
    }

    let seeing = queries(row, layout, causal);
    let count = seeing.count + seeing.more;
    let mut key = 0.0f32;
    let mut value = 0.0f32;
    let mut from = 0usize;
    while from < count {
        sync_cube();
        if from + unit < count {
            let other = row_of(&seeing, from + unit);
            let out = other * width + at;
            let score = scale * dot(qkv, other * 3 * width + at, qkv, own + width, head);
            let weight = (score - logs[other * heads + h]).exp();
            let mean = dot(grad, out, output, out, head);
            slopes[unit] = scale * weight * (dot(grad, out, qkv, own + 2 * width, head) - mean);
            weights[unit] = weight;
        }
        sync_cube();
        if d < head {
            for k in 0..clamp_max(count - from, units) {
                let other = row_of(&seeing, from + k);
                key += slopes[k] * qkv[other * 3 * width + at + d];
                value += weights[k] * grad[other * width + at + d];
            }
        }
        from += units;
    }
    if d < head {
        qkv_grad[own + d] = query;
        qkv_grad[own + width + d] = key;
        qkv_grad[own + 2 * width + d] = value;
    }
}

/// A cube for every row, head and 64 values of it.
fn cubes(rows: Sequences) -> CubeCount {
    CubeCount::Static(rows.count() as u32, rows.heads as u32, (rows.head as u32).div_ceil(UNITS))
}

fn layout(rows: Sequences) -> LayoutLaunch {
    let [n, p, c, s, heads, head] =
        [rows.n, rows.p, rows.c, rows.s.max(1), rows.heads, rows.head].map(|size| size as u32);
    LayoutLaunch::new(n, p, c, s, heads, head)
}

/// `[rows, 3 width]` -> `[rows, width]`, and the logarithms of the weights' sums, `[rows, heads]`.
pub fn forward(qkv: CubeTensor, rows: Sequences) -> (CubeTensor, CubeTensor) {
    let qkv = into_contiguous(qkv);
    let (output, logs) = (empty(&qkv, [rows.count(), rows.width()]), empty(&qkv, [rows.count(), rows.heads]));
    attend::launch(
        &qkv.client.clone(),
        cubes(rows),
        CubeDim::new_1d(UNITS),
        qkv.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        logs.clone().into_buffer_arg(),
        layout(rows),
        rows.scale(),
        rows.causal,
        UNITS as usize,
    );
    (output, logs)
}

/// The gradient of `qkv`.
pub fn backward([qkv, output, logs, grad]: [CubeTensor; 4], rows: Sequences) -> CubeTensor {
    let [qkv, output, logs, grad] = [qkv, output, logs, grad].map(into_contiguous);
    let qkv_grad = empty(&qkv, [rows.count(), 3 * rows.width()]);
    attend_back::launch(
        &qkv.client.clone(),
        cubes(rows),
        CubeDim::new_1d(UNITS),
        qkv.into_buffer_arg(),
        output.into_buffer_arg(),
        logs.into_buffer_arg(),
        grad.into_buffer_arg(),
        qkv_grad.clone().into_buffer_arg(),
        layout(rows),
        rows.scale(),
        rows.causal,
        UNITS as usize,
    );
    qkv_grad
}
