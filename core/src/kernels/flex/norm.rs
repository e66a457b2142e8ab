//! Batch normalisation with the batch's statistics, `+ residual` and ReLU in the same pass, channels last, and its gradients.

use rayon::prelude::*;

use super::{Array, array, dims, values, vectorised, zeroed};

/// Rows (pixels) a piece of work takes.
const ROWS: usize = 512;

/// What the forward pass gives.
pub struct Normalised {
    pub output: Array,
    pub mean: Array,
    /// Biased.
    pub variance: Array,
}

/// What surrounds the normalisation.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    pub relu: bool,
    pub epsilon: f64,
}

/// `x` `[n, h, w, c]` -> (x - mean) / sqrt(variance + epsilon) gamma + beta (+ residual, then ReLU).
pub fn forward(x: &Array, gamma: &Array, beta: &Array, residual: Option<&Array>, around: Around) -> Normalised {
    let shape: [usize; 4] = dims(x);
    let c = shape[3];
    let (x, gamma, beta) = (values(x), values(gamma), values(beta));
    let (mean, variance) = statistics(&x, c);
    let inverse = |k: usize| 1.0 / (f64::from(variance[k]) + around.epsilon).sqrt();
    let scale: Vec<f32> = (0..c).map(|k| (f64::from(gamma[k]) * inverse(k)) as f32).collect();
    let shift: Vec<f32> = (0..c).map(|k| beta[k] - mean[k] * scale[k]).collect();
    let residual = residual.map(values);
    let mut output = zeroed(&shape);
    output.par_chunks_mut(ROWS * c).enumerate().for_each(|(piece, out)| {
        let at = piece * ROWS * c;
        let source = &x[at..at + out.len()];
        vectorised(
            #[inline(always)]
            || {
                for (i, (out, row)) in out.chunks_exact_mut(c).zip(source.chunks_exact(c)).enumerate() {
                    for k in 0..c {
                        out[k] = row[k] * scale[k] + shift[k];
                    }
                    if let Some(r) = &residual {
                        out.iter_mut().zip(&r[at + i * c..][..c]).for_each(|(o, r)| *o += r);
                    }
                    if around.relu {
                        out.iter_mut().for_each(|o| *o = o.max(0.0));
                    }
                }
            },
        );
    });
    Normalised { output: array(output, &shape), mean: array(mean, &[c]), variance: array(variance, &[c]) }
}

/// Mean and biased variance of each channel: per piece in f32, joined in f64 (Chan et al., 1979).
fn statistics(x: &[f32], c: usize) -> (Vec<f32>, Vec<f32>) {
    let pieces: Vec<(Vec<f32>, Vec<f32>, f64)> = x
        .par_chunks(ROWS * c)
        .map(|piece| {
            let rows = (piece.len() / c) as f64;
            let (mut mean, mut squares) = (vec![0.0f32; c], vec![0.0f32; c]);
            vectorised(
                #[inline(always)]
                || {
                    for row in piece.chunks_exact(c) {
                        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
                    }
                    mean.iter_mut().for_each(|m| *m /= rows as f32);
                    for row in piece.chunks_exact(c) {
                        for k in 0..c {
                            let d = row[k] - mean[k];
                            squares[k] += d * d;
                        }
                    }
                },
            );
            (mean, squares, rows)
        })
        .collect();
    let joined = |k: usize| {
        let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for (m, s, rows) in &pieces {
            let d = f64::from(m[k]) - mean;
            squares += f64::from(s[k]) + d * d * n * rows / (n + rows);
            mean += d * rows / (n + rows);
            n += rows;
        }
        (mean as f32, (squares / n) as f32)
    };
    (0..c).map(joined).unzip()
}

/// What the backward pass gives.
pub struct Gradients {
    pub x: Array,
    pub gamma: Array,
    pub beta: Array,
    /// The gradient behind the ReLU, which is the residual's.
    pub residual: Option<Array>,
}

/// The gradients from that of the output; `forward.output` masks the ReLU.
pub fn backward(
    x: &Array,
    gamma: &Array,
    forward: &Normalised,
    grad: &Array,
    wants_residual: bool,
    around: Around,
) -> Gradients {
    let shape: [usize; 4] = dims(x);
    let c = shape[3];
    let (x, gamma) = (values(x), values(gamma));
    let (mean, variance) = (values(&forward.mean), values(&forward.variance));
    let (output, grad) = (values(&forward.output), values(grad));
    let count = (x.len() / c) as f64;

    // sums over pixels of the gradient behind the ReLU, and of it times the centred input
    let pieces: Vec<(Vec<f32>, Vec<f32>)> = x
        .par_chunks(ROWS * c)
        .enumerate()
        .map(|(piece, x)| {
            let at = piece * ROWS * c;
            let (mut sum, mut dot) = (vec![0.0f32; c], vec![0.0f32; c]);
            vectorised(
                #[inline(always)]
                || {
                    for (i, row) in x.chunks_exact(c).enumerate() {
                        let (g, y) = (&grad[at + i * c..][..c], &output[at + i * c..][..c]);
                        for k in 0..c {
                            let g = if y[k] > 0.0 || !around.relu { g[k] } else { 0.0 };
                            sum[k] += g;
                            dot[k] += g * (row[k] - mean[k]);
                        }
                    }
                },
            );
            (sum, dot)
        })
        .collect();
    let joined = |k: usize| {
        let add = |t: (f64, f64), p: &(Vec<f32>, Vec<f32>)| (t.0 + f64::from(p.0[k]), t.1 + f64::from(p.1[k]));
        pieces.iter().fold((0.0, 0.0), add)
    };
    let totals: Vec<(f64, f64)> = (0..c).map(joined).collect();
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (f64::from(*v) + around.epsilon).sqrt()).collect();
    let beta: Vec<f64> = totals.iter().map(|t| t.0).collect();
    let dot: Vec<f64> = (0..c).map(|k| totals[k].1 * inverse[k]).collect();
    // dx = gamma / deviation (g - sum / m - xhat dot / m)
    let scale: Vec<f32> = (0..c).map(|k| (f64::from(gamma[k]) * inverse[k]) as f32).collect();
    let offset: Vec<f32> = beta.iter().map(|b| (b / count) as f32).collect();
    let slope: Vec<f32> = (0..c).map(|k| (dot[k] * inverse[k] / count) as f32).collect();

    let mut dx = zeroed(&shape);
    let mut behind = wants_residual.then(|| zeroed(&shape));
    let pieces = dx.par_chunks_mut(ROWS * c).enumerate();
    // one row: dx, and what is left of the gradient behind the ReLU
    let row = |at: usize, out: &mut [f32], kept: &mut [f32]| {
        let (g, y, v) = (&grad[at..at + c], &output[at..at + c], &x[at..at + c]);
        let (scale, offset, slope, mean) = (&scale[..c], &offset[..c], &slope[..c], &mean[..c]);
        let (out, kept) = (&mut out[..c], &mut kept[..c]);
        for k in 0..c {
            let masked = if y[k] > 0.0 || !around.relu { g[k] } else { 0.0 };
            kept[k] = masked;
            out[k] = scale[k] * (masked - offset[k] - (v[k] - mean[k]) * slope[k]);
        }
    };
    match &mut behind {
        Some(behind) => {
            pieces.zip(behind.par_chunks_mut(ROWS * c)).for_each(|((piece, out), kept)| {
                vectorised(
                    #[inline(always)]
                    || {
                        for (i, (out, kept)) in out.chunks_exact_mut(c).zip(kept.chunks_exact_mut(c)).enumerate() {
                            row((piece * ROWS + i) * c, out, kept);
                        }
                    },
                );
            });
        }
        None => pieces.for_each(|(piece, out)| {
            let mut kept = vec![0.0; c];
            vectorised(
                #[inline(always)]
                || {
                    for (i, out) in out.chunks_exact_mut(c).enumerate() {
                        row((piece * ROWS + i) * c, out, &mut kept);
                    }
                },
            );
        }),
    }
    let vector = |v: Vec<f64>| array(v.into_iter().map(|v| v as f32).collect(), &[c]);
    let residual = behind.map(|b| array(b, &shape));
    Gradients { x: array(dx, &shape), gamma: vector(dot), beta: vector(beta), residual }
}
