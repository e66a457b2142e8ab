//! The optimiser's arithmetic in one pass over the weights instead of ten.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, own, values, vectorised};

/// Values a piece of work takes.
const PIECE: usize = 1 << 14;

/// SGD with momentum and coupled weight decay: v' = momentum v + (g + decay p), p' = p - lr v'; without `velocity`, v' = g + decay p.
pub fn sgd(
    p: FlexTensor,
    g: FlexTensor,
    velocity: Option<FlexTensor>,
    [lr, momentum, decay]: [f32; 3],
) -> (FlexTensor, FlexTensor) {
    // the new velocity takes the gradient's place
    let (mut p, mut g) = (own(p), own(g));
    let old = velocity.as_ref().map(values);
    let pieces = p.storage_mut::<f32>().par_chunks_mut(PIECE).zip(g.storage_mut::<f32>().par_chunks_mut(PIECE));
    pieces.enumerate().for_each(|(piece, (p, g))| {
        let at = piece * PIECE..piece * PIECE + p.len();
        vectorised(
            #[inline(always)]
            || {
                g.iter_mut().zip(p.iter()).for_each(|(g, p)| *g += decay * p);
                if let Some(old) = &old {
                    g.iter_mut().zip(&old[at]).for_each(|(g, v)| *g += momentum * v);
                }
                p.iter_mut().zip(g.iter()).for_each(|(p, g)| *p -= lr * g);
            },
        );
    });
    (p, g)
}

/// keep a + take b
pub fn blend(a: FlexTensor, b: &FlexTensor, [keep, take]: [f32; 2]) -> FlexTensor {
    let (mut a, b) = (own(a), values(b));
    a.storage_mut::<f32>().par_chunks_mut(PIECE).zip(b.par_chunks(PIECE)).for_each(|(a, b)| {
        vectorised(
            #[inline(always)]
            || a.iter_mut().zip(b).for_each(|(a, b)| *a = *a * keep + b * take),
        );
    });
    a
}

/// The sum of squares, `[1]`: in lanes of f32 within a piece, in f64 over the pieces.
pub fn square_sum(x: &FlexTensor) -> FlexTensor {
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
