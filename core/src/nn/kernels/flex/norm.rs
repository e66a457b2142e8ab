//! Batch normalisation with the batch's statistics, `+ residual` and ReLU in the same pass, channels last.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, vectorised, zeroed};

/// Values a piece of work takes.
const PIECE: usize = 1 << 15;

/// Rows (pixels) of `c` channels that a piece of work takes.
pub fn rows_of_piece(c: usize) -> usize {
    (PIECE / c).max(1)
}

/// What the forward pass gives.
pub struct Normalised {
    pub output: FlexTensor,
    pub mean: FlexTensor,
    /// Biased.
    pub variance: FlexTensor,
}

/// What surrounds the normalisation.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    pub relu: bool,
    pub epsilon: f64,
}

/// `x` `[n, h, w, c]` -> (x - mean) / sqrt(variance + epsilon) gamma + beta (+ residual, then ReLU).
pub fn forward(
    x: &FlexTensor,
    gamma: &FlexTensor,
    beta: &FlexTensor,
    residual: Option<&FlexTensor>,
    around: Around,
) -> Normalised {
    let shape: [usize; 4] = dims(x);
    let c = shape[3];
    let (x, gamma, beta) = (values(x), values(gamma), values(beta));
    let (mean, variance) = statistics(&x, c);
    let inverse = |k: usize| 1.0 / (f64::from(variance[k]) + around.epsilon).sqrt();
    let scale: Vec<f32> = (0..c).map(|k| (f64::from(gamma[k]) * inverse(k)) as f32).collect();
    let shift: Vec<f32> = (0..c).map(|k| beta[k] - mean[k] * scale[k]).collect();
    let residual = residual.map(values);
    let mut output = zeroed(&shape);
    let values_of_piece = rows_of_piece(c) * c;
    output.par_chunks_mut(values_of_piece).enumerate().for_each(|(piece, out)| {
        let at = piece * values_of_piece;
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
        .par_chunks(rows_of_piece(c) * c)
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
