//! Attention over short prompts: one pass a sample, without a tensor for every view of its heads.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, values, vectorised, zeroed};
use crate::nn::kernels::attention::Sequences;

/// A sample's rows of a matrix: those of its prefix, then those of its suffixes.
struct Segment<T> {
    prefix: T,
    suffix: T,
    width: usize,
}

impl<'a> Segment<&'a [f32]> {
    fn of(matrix: &'a [f32], rows: Sequences, width: usize, sample: usize) -> Self {
        let (p, s) = (rows.p * width, rows.c * rows.s * width);
        let (prefixes, suffixes) = matrix.split_at(rows.n * p);
        Self { prefix: &prefixes[sample * p..][..p], suffix: &suffixes[sample * s..][..s], width }
    }

    /// Values of a token from column `at` on.
    #[inline(always)]
    fn row(&self, token: usize, at: usize, count: usize) -> &'a [f32] {
        let start = token * self.width + at;
        match start.checked_sub(self.prefix.len()) {
            None => &self.prefix[start..start + count],
            Some(start) => &self.suffix[start..start + count],
        }
    }
}

impl Segment<&mut [f32]> {
    /// Values of a token from column `at` on, to be written.
    #[inline(always)]
    fn row_mut(&mut self, token: usize, at: usize, count: usize) -> &mut [f32] {
        let start = token * self.width + at;
        match start.checked_sub(self.prefix.len()) {
            None => &mut self.prefix[start..start + count],
            Some(start) => &mut self.suffix[start..start + count],
        }
    }
}

impl Sequences {
    /// Does `work` for every sample with its rows of a new matrix of `width` columns.
    fn every_sample(self, width: usize, work: impl Fn(usize, Segment<&mut [f32]>) + Sync) -> FlexTensor {
        let (p, s) = (self.p * width, self.c * self.s * width);
        let shape = [self.count(), width];
        let mut out = zeroed(&shape);
        let (prefixes, suffixes) = out.split_at_mut(self.n * p);
        let mut suffixes = suffixes.chunks_mut(s.max(1));
        let samples: Vec<_> = prefixes.chunks_mut(p).map(|p| (p, suffixes.next().unwrap_or_default())).collect();
        samples.into_par_iter().enumerate().for_each(|(i, (prefix, suffix))| {
            vectorised(
                #[inline(always)]
                || work(i, Segment { prefix, suffix, width }),
            );
        });
        array(out, &shape)
    }

    /// The tokens that one attends to: of the prefix, then of its own suffix, up to itself; or the whole prefix.
    #[inline(always)]
    fn seen(self, token: usize) -> impl Iterator<Item = usize> + Clone {
        let (shared, own) = match token.checked_sub(self.p) {
            None if self.causal => (token, token..token + 1),
            None => (self.p, 0..0),
            Some(t) => (self.p, self.p + t / self.s * self.s..token + 1),
        };
        (0..shared).chain(own)
    }

    /// The attention of a token over those it sees, into `weights`; `q` and `k` lie in `qkv`.
    #[inline(always)]
    fn weigh(self, qkv: &Segment<&[f32]>, head: usize, token: usize, weights: &mut Vec<f32>) {
        let (at, d) = (head * self.head, self.head);
        let scale = self.scale();
        let q = qkv.row(token, at, d);
        weights.clear();
        weights.extend(self.seen(token).map(|t| scale * dot(q, qkv.row(t, self.heads * d + at, d))));
        let top = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        weights.iter_mut().for_each(|w| *w = (*w - top).exp());
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
    }
}

/// `qkv` `[rows, 3 width]` -> `[rows, width]`
pub fn forward(qkv: &FlexTensor, rows: Sequences) -> FlexTensor {
    let (d, w) = (rows.head, rows.width());
    let qkv = values(qkv);
    rows.every_sample(w, |sample, mut out| {
        let qkv = Segment::of(&qkv, rows, 3 * w, sample);
        let mut weights = Vec::with_capacity(rows.p + rows.s);
        for head in 0..rows.heads {
            for token in 0..rows.p + rows.c * rows.s {
                rows.weigh(&qkv, head, token, &mut weights);
                let out = out.row_mut(token, head * d, d);
                for (t, weight) in rows.seen(token).zip(&weights) {
                    add(out, *weight, qkv.row(t, 2 * w + head * d, d));
                }
            }
        }
    })
}

/// The gradient of `qkv`, from that of the output.
pub fn backward(qkv: &FlexTensor, grad: &FlexTensor, rows: Sequences) -> FlexTensor {
    let (d, w) = (rows.head, rows.width());
    let (qkv, grad) = (values(qkv), values(grad));
    rows.every_sample(3 * w, |sample, mut out| {
        let (qkv, grad) = (Segment::of(&qkv, rows, 3 * w, sample), Segment::of(&grad, rows, w, sample));
        let scale = rows.scale();
        let (mut weights, mut slopes) = (Vec::with_capacity(rows.p + rows.s), Vec::with_capacity(rows.p + rows.s));
        for head in 0..rows.heads {
            let at = head * d;
            for token in 0..rows.p + rows.c * rows.s {
                rows.weigh(&qkv, head, token, &mut weights);
                let g = grad.row(token, at, d);
                slopes.clear();
                slopes.extend(rows.seen(token).map(|t| dot(g, qkv.row(t, 2 * w + at, d))));
                let mean: f32 = weights.iter().zip(&slopes).map(|(w, s)| w * s).sum();
                for ((t, weight), slope) in rows.seen(token).zip(&weights).zip(&slopes) {
                    let score = scale * weight * (slope - mean);
                    add(out.row_mut(token, at, d), score, qkv.row(t, w + at, d));
                    add(out.row_mut(t, w + at, d), score, qkv.row(token, at, d));
                    add(out.row_mut(t, 2 * w + at, d), *weight, g);
                }
            }
        }
    })
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            sums[l] += a[l] * b[l];
        }
    }
    for half in [8, 4, 2, 1] {
        for l in 0..half {
            sums[l] += sums[l + half];
        }
    }
    sums[0] + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// to += scale from
#[inline(always)]
fn add(to: &mut [f32], scale: f32, from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += scale * f);
}
