//! Short causal attention in one kernel forward and one back: a unit takes one token of one head. The weights of a row are not kept,
//! only the logarithm of their sum, from which the way back finds them again (Dao et al., 2022, without its tiles: a dozen tokens need
//! none).

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::empty;
use crate::nn::kernels::attention::Sequences;

/// Units of a cube.
const UNITS: u32 = 64;

/// The row of token `t` of sample `n`: prefixes lie before suffixes.
#[cube]
fn row_of(n: usize, t: usize, samples: usize, #[comptime] prefix: usize, #[comptime] suffix: usize) -> usize {
    let mut row = n * prefix + t;
    if t >= prefix {
        row = samples * prefix + n * suffix + (t - prefix);
    }
    row
}

/// Whether token `t` sees token `other`: itself, those before it in its prefix or suffix, and its whole prefix.
#[cube]
fn sees(
    t: usize,
    other: usize,
    #[comptime] prefix: usize,
    #[comptime] length: usize,
    #[comptime] causal: bool,
) -> bool {
    let mut seen = true;
    if causal {
        seen = other <= t;
        if other >= prefix && t >= prefix {
            seen = other <= t && (other - prefix) / length == (t - prefix) / length;
        }
    }
    seen
}

/// The product of two pieces of `head` values.
#[cube]
fn dot(a: &[f32], from_a: usize, b: &[f32], from_b: usize, #[comptime] head: usize) -> f32 {
    let mut sum = 0.0f32;
    for d in 0..head {
        sum += a[from_a + d] * b[from_b + d];
    }
    sum
}

#[cube(launch)]
fn attend(
    qkv: &[f32],
    output: &mut [f32],
    logs: &mut [f32],
    samples: u32,
    scale: f32,
    #[comptime] prefix: usize,
    #[comptime] suffix: usize,
    #[comptime] length: usize,
    #[comptime] heads: usize,
    #[comptime] head: usize,
    #[comptime] causal: bool,
) {
    let tokens = prefix + suffix;
    let width = heads * head;
    let unit = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    let samples = samples as usize;
    if unit < samples * tokens * heads {
        let h = unit % heads;
        let t = (unit / heads) % tokens;
        let n = unit / (heads * tokens);
        let row = row_of(n, t, samples, prefix, suffix);
        let query = row * 3 * width + h * head;
        let mut scores = Array::<f32>::new(tokens);
        let mut top = f32::new(-1e30f32);
        for other in 0..tokens {
            let mut score = f32::new(-1e30f32);
            if sees(t, other, prefix, length, causal) {
                let key = row_of(n, other, samples, prefix, suffix) * 3 * width + width + h * head;
                score = scale * dot(qkv, query, qkv, key, head);
            }
            if score > top {
                top = score;
            }
            scores[other] = score;
        }
        let mut sum = 0.0f32;
        for other in 0..tokens {
            let weight = (scores[other] - top).exp();
            sum += weight;
            scores[other] = weight;
        }
        logs[row * heads + h] = top + sum.ln();
        for d in 0..head {
            let mut value = 0.0f32;
            for other in 0..tokens {
                if sees(t, other, prefix, length, causal) {
                    let from = row_of(n, other, samples, prefix, suffix) * 3 * width + 2 * width + h * head;
                    value += scores[other] * qkv[from + d];
                }
            }
            output[row * width + h * head + d] = value / sum;
        }
    }
}

/// With w the weights, g the output's gradient, o the output: a score's slope is w (g v - g o). A unit adds its token's slopes as a
/// query, and, over all that see it, as a key and value.
#[cube(launch)]
fn attend_back(
    qkv: &[f32],
    output: &[f32],
    logs: &[f32],
    grad: &[f32],
    qkv_grad: &mut [f32],
    samples: u32,
    scale: f32,
    #[comptime] prefix: usize,
    #[comptime] suffix: usize,
    #[comptime] length: usize,
    #[comptime] heads: usize,
    #[comptime] head: usize,
    #[comptime] causal: bool,
) {
    let tokens = prefix + suffix;
    let width = heads * head;
    let unit = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    let samples = samples as usize;
    if unit < samples * tokens * heads {
        let h = unit % heads;
        let t = (unit / heads) % tokens;
        let n = unit / (heads * tokens);
        let row = row_of(n, t, samples, prefix, suffix);
        let own = row * 3 * width + h * head;
        let out = row * width + h * head;
        // as a query, over the keys it sees
        let mut slopes = Array::<f32>::new(tokens);
        let mean = dot(grad, out, output, out, head);
        let log = logs[row * heads + h];
        for other in 0..tokens {
            let mut slope = 0.0f32;
            if sees(t, other, prefix, length, causal) {
                let at = row_of(n, other, samples, prefix, suffix) * 3 * width + h * head;
                let weight = (scale * dot(qkv, own, qkv, at + width, head) - log).exp();
                slope = scale * weight * (dot(grad, out, qkv, at + 2 * width, head) - mean);
            }
            slopes[other] = slope;
        }
        for d in 0..head {
            let mut value = 0.0f32;
            for other in 0..tokens {
                let at = row_of(n, other, samples, prefix, suffix) * 3 * width + width + h * head;
                value += slopes[other] * qkv[at + d];
            }
            qkv_grad[own + d] = value;
        }
        // as a key and value, over the queries that see it
        let mut weights = Array::<f32>::new(tokens);
        for other in 0..tokens {
            let mut slope = 0.0f32;
            let mut weight = 0.0f32;
            if sees(other, t, prefix, length, causal) {
                let from = row_of(n, other, samples, prefix, suffix);
                let at = from * width + h * head;
                weight = (scale * dot(qkv, from * 3 * width + h * head, qkv, own + width, head)
                    - logs[from * heads + h])
                    .exp();
                slope = scale * weight * (dot(grad, at, qkv, own + 2 * width, head) - dot(grad, at, output, at, head));
            }
            slopes[other] = slope;
            weights[other] = weight;
        }
        for d in 0..head {
            let mut key = 0.0f32;
            let mut value = 0.0f32;
            for other in 0..tokens {
                let from = row_of(n, other, samples, prefix, suffix);
                key += slopes[other] * qkv[from * 3 * width + h * head + d];
                value += weights[other] * grad[from * width + h * head + d];
            }
            qkv_grad[own + width + d] = key;
            qkv_grad[own + 2 * width + d] = value;
        }
    }
}

fn cubes(rows: Sequences) -> CubeCount {
    let units = rows.n * (rows.p + rows.c * rows.s) * rows.heads;
    CubeCount::Static((units as u32).div_ceil(UNITS), 1, 1)
}

/// `[rows, 3 width]` -> `[rows, width]`, and the logarithms of the weights' sums, `[rows, heads]`.
pub fn forward(qkv: CubeTensor, rows: Sequences) -> (CubeTensor, CubeTensor) {
    let qkv = into_contiguous(qkv);
    let count = rows.n * (rows.p + rows.c * rows.s);
    let (output, logs) = (empty(&qkv, [count, rows.heads * rows.head]), empty(&qkv, [count, rows.heads]));
    attend::launch(
        &qkv.client.clone(),
        cubes(rows),
        CubeDim::new_1d(UNITS),
        qkv.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        logs.clone().into_buffer_arg(),
        rows.n as u32,
        (rows.head as f32).powf(-0.5),
        rows.p,
        rows.c * rows.s,
        rows.s.max(1),
        rows.heads,
        rows.head,
        rows.causal,
    );
    (output, logs)
}

/// The gradient of `qkv`.
pub fn backward(
    qkv: CubeTensor,
    output: CubeTensor,
    logs: CubeTensor,
    grad: CubeTensor,
    rows: Sequences,
) -> CubeTensor {
    let [qkv, output, logs, grad] = [qkv, output, logs, grad].map(into_contiguous);
    let count = rows.n * (rows.p + rows.c * rows.s);
    let qkv_grad = empty(&qkv, [count, 3 * rows.heads * rows.head]);
    attend_back::launch(
        &qkv.client.clone(),
        cubes(rows),
        CubeDim::new_1d(UNITS),
        qkv.into_buffer_arg(),
        output.into_buffer_arg(),
        logs.into_buffer_arg(),
        grad.into_buffer_arg(),
        qkv_grad.clone().into_buffer_arg(),
        rows.n as u32,
        (rows.head as f32).powf(-0.5),
        rows.p,
        rows.c * rows.s,
        rows.s.max(1),
        rows.heads,
        rows.head,
        rows.causal,
    );
    qkv_grad
}
