//! The gradients of batch normalisation with the batch's statistics, `+ residual` and ReLU, channels last.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, own, values, vectorised};
use super::norm::{Around, Normalised, rows_of_piece};

/// Channels that are computed together: the values of the widest vector.
const LANES: usize = 16;

/// What the backward pass gives.
pub struct Gradients {
    pub x: FlexTensor,
    pub gamma: FlexTensor,
    pub beta: FlexTensor,
    /// The gradient behind the ReLU, which is the residual's.
    pub residual: Option<FlexTensor>,
}

/// The gradients from that of the output; `forward.output` masks the ReLU. They take the places of `x` and `grad`, which are done with.
pub fn backward(
    x: FlexTensor,
    gamma: &FlexTensor,
    forward: &Normalised,
    grad: FlexTensor,
    wants_residual: bool,
    around: Around,
) -> Gradients {
    let [_, _, _, c] = dims(&x);
    let gamma = values(gamma);
    let (mean, variance) = (values(&forward.mean), values(&forward.variance));
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (f64::from(*v) + around.epsilon).sqrt()).collect();
    let (mut x, mut grad) = (own(x), own(grad));
    let mut rows =
        NormRows { x: x.storage_mut(), grad: grad.storage_mut(), output: &values(&forward.output), relu: around.relu };
    // whole vectors wherever they fit
    let (dot, beta) = match c % LANES {
        0 => rows.gradients::<LANES>(&mean, &gamma, &inverse),
        _ => rows.gradients::<1>(&mean, &gamma, &inverse),
    };
    let vector = |v: Vec<f64>| array(v.into_iter().map(|v| v as f32).collect(), &[c]);
    Gradients { x, gamma: vector(dot), beta: vector(beta), residual: wants_residual.then_some(grad) }
}

/// Rows of channels: what was normalised, the gradient of what came out, and that.
struct NormRows<'a> {
    x: &'a mut [f32],
    grad: &'a mut [f32],
    output: &'a [f32],
    relu: bool,
}

impl NormRows<'_> {
    /// Makes `x` the gradient of the input and `grad` the one behind the ReLU; gives those of gamma and beta. Channels are taken `L`
    /// at a time, without a branch among them: with one in the mask this took three times as long.
    fn gradients<const L: usize>(&mut self, mean: &[f32], gamma: &[f32], inverse: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let c = mean.len();
        let piece = rows_of_piece(c) * c;
        let (sums, dots) = self.sums::<L>(mean, piece);
        let count = (self.x.len() / c) as f64;
        let dots: Vec<f64> = dots.iter().zip(inverse).map(|(d, i)| d * i).collect();
        // dx = gamma / deviation (g - sum / m - xhat dot / m)
        let a_channel = Channels {
            mean: mean.to_vec(),
            scale: (0..c).map(|k| (f64::from(gamma[k]) * inverse[k]) as f32).collect(),
            offset: sums.iter().map(|b| (b / count) as f32).collect(),
            slope: (0..c).map(|k| (dots[k] * inverse[k] / count) as f32).collect(),
        };
        let pieces =
            self.x.par_chunks_mut(piece).zip(self.grad.par_chunks_mut(piece)).zip(self.output.par_chunks(piece));
        pieces.for_each(|((x, grad), output)| a_channel.gradients::<L>(x, grad, output, self.relu));
        (dots, sums)
    }

    /// Sums over pixels of the gradient behind the ReLU, and of it times the centred input.
    fn sums<const L: usize>(&self, mean: &[f32], piece: usize) -> (Vec<f64>, Vec<f64>) {
        let c = mean.len();
        let mean = lanes::<L>(mean);
        let pieces = self.x.par_chunks(piece).zip(self.grad.par_chunks(piece)).zip(self.output.par_chunks(piece));
        let pieces: Vec<_> = pieces
            .map(|((x, g), y)| {
                let [x, g, y] = [x, g, y].map(lanes::<L>);
                let (mut sum, mut dot) = (vec![[0.0f32; L]; mean.len()], vec![[0.0f32; L]; mean.len()]);
                vectorised(
                    #[inline(always)]
                    || {
                        let rows =
                            x.chunks_exact(mean.len()).zip(g.chunks_exact(mean.len())).zip(y.chunks_exact(mean.len()));
                        for ((x, g), y) in rows {
                            for k in 0..mean.len() {
                                let g = masked(&g[k], &y[k], self.relu);
                                for l in 0..L {
                                    sum[k][l] += g[l];
                                    dot[k][l] += g[l] * (x[k][l] - mean[k][l]);
                                }
                            }
                        }
                    },
                );
                (sum, dot)
            })
            .collect();
        let mut totals = (vec![0.0; c], vec![0.0; c]);
        for (sum, dot) in &pieces {
            for (total, part) in [(&mut totals.0, sum), (&mut totals.1, dot)] {
                total.iter_mut().zip(part.as_flattened()).for_each(|(t, v)| *t += f64::from(*v));
            }
        }
        totals
    }
}

/// Values a channel.
struct Channels {
    mean: Vec<f32>,
    scale: Vec<f32>,
    offset: Vec<f32>,
    slope: Vec<f32>,
}

impl Channels {
    /// A piece of [`NormRows::gradients`].
    fn gradients<const L: usize>(&self, x: &mut [f32], grad: &mut [f32], output: &[f32], relu: bool) {
        let [mean, scale, offset, slope] = [&self.mean, &self.scale, &self.offset, &self.slope].map(|v| lanes::<L>(v));
        let (x, grad, output) = (x.as_chunks_mut::<L>().0, grad.as_chunks_mut::<L>().0, lanes::<L>(output));
        let c = mean.len();
        vectorised(
            #[inline(always)]
            || {
                let rows = x.chunks_exact_mut(c).zip(grad.chunks_exact_mut(c)).zip(output.chunks_exact(c));
                for ((x, grad), output) in rows {
                    for k in 0..c {
                        let (g, mut v) = (masked(&grad[k], &output[k], relu), x[k]);
                        for l in 0..L {
                            v[l] = scale[k][l] * (g[l] - offset[k][l] - (v[l] - mean[k][l]) * slope[k][l]);
                        }
                        grad[k] = g;
                        x[k] = v;
                    }
                }
            },
        );
    }
}

fn lanes<const L: usize>(values: &[f32]) -> &[[f32; L]] {
    values.as_chunks().0
}

/// The gradient behind the ReLU.
#[inline(always)]
fn masked<const L: usize>(grad: &[f32; L], output: &[f32; L], relu: bool) -> [f32; L] {
    let mut kept = *grad;
    if relu {
        for l in 0..L {
            kept[l] = if output[l] > 0.0 { kept[l] } else { 0.0 };
        }
    }
    kept
}
