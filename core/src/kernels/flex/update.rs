//! The optimiser's arithmetic in one pass over the weights instead of ten.

use rayon::prelude::*;

use super::{Array, array, values, vectorised, zeroed};

/// Values a piece of work takes.
const PIECE: usize = 1 << 14;

/// SGD with momentum and coupled weight decay: v' = momentum v + (g + decay p), p' = p - lr v'; without `velocity`, v' = g + decay p.
pub fn sgd(p: &Array, g: &Array, velocity: Option<&Array>, [lr, momentum, decay]: [f32; 3]) -> (Array, Array) {
    let shape = p.layout().shape().to_vec();
    let (p, g, v) = (values(p), values(g), velocity.map(values));
    let (mut new_p, mut new_v) = (zeroed(&shape), zeroed(&shape));
    let pieces = new_p.par_chunks_mut(PIECE).zip(new_v.par_chunks_mut(PIECE));
    pieces.enumerate().for_each(|(piece, (new_p, new_v))| {
        let at = piece * PIECE..piece * PIECE + new_p.len();
        let (p, g) = (&p[at.clone()], &g[at.clone()]);
        vectorised(
            #[inline(always)]
            || {
                for (i, n) in new_v.iter_mut().enumerate() {
                    *n = g[i] + decay * p[i];
                }
                if let Some(v) = &v {
                    new_v.iter_mut().zip(&v[at]).for_each(|(n, v)| *n += momentum * v);
                }
                for (i, n) in new_p.iter_mut().enumerate() {
                    *n = p[i] - lr * new_v[i];
                }
            },
        );
    });
    (array(new_p, &shape), array(new_v, &shape))
}

/// a decay + b (1 - decay)
pub fn blend(a: &Array, b: &Array, decay: f64) -> Array {
    let (keep, take) = (decay as f32, (1.0 - decay) as f32);
    let shape = a.layout().shape().to_vec();
    let mut out = zeroed(&shape);
    let (a, b) = (values(a), values(b));
    out.par_chunks_mut(PIECE).enumerate().for_each(|(piece, out)| {
        let at = piece * PIECE..piece * PIECE + out.len();
        let (a, b) = (&a[at.clone()], &b[at]);
        vectorised(
            #[inline(always)]
            || {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = a[i] * keep + b[i] * take;
                }
            },
        );
    });
    array(out, &shape)
}

/// The sum of squares, `[1]`: in lanes of f32 within a piece, in f64 over the pieces.
pub fn square_sum(x: &Array) -> Array {
    const LANES: usize = 16;
    let x = values(x);
    let pieces: Vec<f32> = x
        .par_chunks(PIECE)
        .map(|piece| {
            let mut sums = [0.0f32; LANES];
            vectorised(
                #[inline(always)]
                || {
                    for part in piece.chunks(LANES) {
                        sums.iter_mut().zip(part).for_each(|(s, v)| *s += v * v);
                    }
                },
            );
            sums.iter().sum()
        })
        .collect();
    let total: f64 = pieces.into_iter().map(f64::from).sum();
    array(vec![total as f32], &[1])
}
