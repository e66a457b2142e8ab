//! GELU, with the exact normal distribution function, and QuickGELU, each one pass, and their gradients.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, vectorised, zeroed};

/// Values a piece of work.
const PIECE: usize = 1 << 14;

/// f of every x.
#[inline(always)]
fn each(x: &FlexTensor, f: impl Fn(f32) -> f32 + Sync) -> FlexTensor {
    let shape: [usize; 2] = dims(x);
    let x = values(x);
    let mut out = zeroed(&shape);
    out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(out, x)| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x).for_each(|(o, v)| *o = f(*v)),
        );
    });
    array(out, &shape)
}

/// f of every x and the gradient there.
#[inline(always)]
fn each_gradient(x: &FlexTensor, grad: &FlexTensor, f: impl Fn(f32, f32) -> f32 + Sync) -> FlexTensor {
    let shape: [usize; 2] = dims(x);
    let (x, grad) = (values(x), values(grad));
    let mut out = zeroed(&shape);
    let parts = out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).zip(grad.par_chunks(PIECE));
    parts.for_each(|((out, x), grad)| {
        vectorised(
            #[inline(always)]
            || {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = f(x[i], grad[i]);
                }
            },
        );
    });
    array(out, &shape)
}

/// e^x within 2 ulp: powers of two exactly, a polynomial between (Cephes). Unlike the library's it vectorises.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 87.0);
    let k = (x * std::f32::consts::LOG2_E + 0.5).floor();
    let r = x - k * 0.693_359_4 + k * 2.121_944_4e-4;
    let p = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_1e-1];
    let polynomial = p.iter().fold(0.0f32, |a, c| a * r + c);
    let scale = f32::from_bits(((k as i32 + 127) << 23) as u32);
    (polynomial * r * r + r + 1.0) * scale
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The normal distribution function at x and its density, both from one exponential.
///
/// erf(z) = 1 - (a1 t + ... + a5 t^5) e^(-z^2) with t = 1 / (1 + p z) for z >= 0, within 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    const P: f32 = 0.327_591_1;
    const A: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + P * z);
    let power = exp(-z * z);
    let tail = 0.5 * A.iter().fold(0.0f32, |sum, a| sum * t + a) * t * power;
    // 1 / sqrt(2 pi)
    (if x < 0.0 { tail } else { 1.0 - tail }, 0.398_942_3 * power)
}

/// x times the normal distribution function at x.
pub fn gelu(x: &FlexTensor) -> FlexTensor {
    each(
        x,
        #[inline(always)]
        |x| x * normal(x).0,
    )
}

/// The gradient of the input of [`gelu`]: g (Phi(x) + x phi(x)).
pub fn gelu_gradient(x: &FlexTensor, grad: &FlexTensor) -> FlexTensor {
    each_gradient(
        x,
        grad,
        #[inline(always)]
        |x, grad| {
            let (distribution, density) = normal(x);
            grad * (distribution + x * density)
        },
    )
}

/// x sigmoid(1.702 x)
pub fn quick_gelu(x: &FlexTensor) -> FlexTensor {
    each(
        x,
        #[inline(always)]
        |x| x * sigmoid(1.702 * x),
    )
}

/// The gradient of the input of [`quick_gelu`]: g (s + 1.702 x s (1 - s)).
pub fn quick_gelu_gradient(x: &FlexTensor, grad: &FlexTensor) -> FlexTensor {
    each_gradient(
        x,
        grad,
        #[inline(always)]
        |x, grad| {
            let s = sigmoid(1.702 * x);
            grad * s * (1.0 + 1.702 * x * (1.0 - s))
        },
    )
}
