//! GELU with the exact normal distribution function, one pass, and its gradient.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, vectorised, zeroed};
use super::rows::{PIECE, exp};

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
    let shape: [usize; 2] = dims(x);
    let x = values(x);
    let mut out = zeroed(&shape);
    out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).for_each(|(out, x)| {
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(x).for_each(|(o, v)| *o = v * normal(*v).0),
        );
    });
    array(out, &shape)
}

/// The gradient of the input of [`gelu`]: g (Phi(x) + x phi(x)).
pub fn gelu_gradient(x: &FlexTensor, grad: &FlexTensor) -> FlexTensor {
    let shape: [usize; 2] = dims(x);
    let (x, grad) = (values(x), values(grad));
    let mut out = zeroed(&shape);
    let parts = out.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE)).zip(grad.par_chunks(PIECE));
    parts.for_each(|((out, x), grad)| {
        vectorised(
            #[inline(always)]
            || {
                for (i, o) in out.iter_mut().enumerate() {
                    let (distribution, density) = normal(x[i]);
                    *o = grad[i] * (distribution + x[i] * density);
                }
            },
        );
    });
    array(out, &shape)
}
