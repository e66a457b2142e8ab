//! The tiles of [`super::winograd`] in training. The weight's gradient is the transpose of that algorithm, with as few multiplications.
//!
//! From Y = A^T [(G g G^T) . (B^T d B)] A follows dg = G^T [sum over tiles of (B^T d B) . (A dY A^T)] G: a matrix product a cell.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use rayon::prelude::*;

use super::weights::by_group;
use super::winograd::{Tile, kernel};
use super::{Array, array, dims, values, vectorised, zeroed};

/// Input pixels a tile has a side.
pub const SIDE: usize = 6;
const TILE: Tile = Tile { side: SIDE, step: SIDE - 2 };
/// Above so many channels the transformed weights are too many for the few pixels they meet in a batch of 32.
const MOST_CHANNELS: usize = 256;
/// Rows of tiles a piece of work takes.
const ROWS: usize = 8;
/// Outputs that are transformed back together.
const COLUMNS: usize = 16;

/// Whether a convolution of a training step and its gradients are computed in tiles of [`SIDE`] pixels.
pub fn in_tiles(from: [usize; 2], weight: [usize; 4], stride: usize) -> bool {
    let [outputs, inputs, kernel, _] = weight;
    let whole = from.iter().all(|size| size % (SIDE - 2) == 0);
    kernel == 3 && stride == 1 && whole && inputs.max(outputs) <= MOST_CHANNELS
}

/// `x` `[n, h, w, inputs]` and the gradient of the output `[n, h, w, outputs]` -> `[outputs, inputs, 3, 3]`
pub fn weight_gradient(x: &Array, grad: &Array) -> Array {
    let ([n, h, w, inputs], outputs) = (dims(x), dims::<4>(grad)[3]);
    let tiles = n * (h / TILE.step) * (w / TILE.step);
    let (x, grad) = (values(x), values(grad));
    let spread = cells([n, h, w], inputs, |first, cells| TILE.spread(&x, [h, w, inputs], first, cells));
    let grad = cells([n, h, w], outputs, |first, cells| spread_gradient(&grad, w, outputs, first, cells));
    let products: Vec<Array> = (0..SIDE * SIDE)
        .into_par_iter()
        .map(|cell| {
            let rows = |of: &Array, c: usize| of.narrow(0, cell, 1).reshape([tiles, c].into());
            Flex::float_matmul(rows(&spread, inputs).transpose(0, 1), rows(&grad, outputs))
        })
        .collect();
    let products: Vec<_> = products.iter().map(values).collect();
    let mut out = zeroed(&[outputs, inputs, 3, 3]);
    out.par_chunks_mut(COLUMNS * inputs * 9).enumerate().for_each(|(block, out)| {
        let (first, width) = (block * COLUMNS, out.len() / (inputs * 9));
        for input in 0..inputs {
            let mut lines = [[0.0f32; COLUMNS]; SIDE * SIDE];
            for (line, product) in lines.iter_mut().zip(&products) {
                line[..width].copy_from_slice(&product[input * outputs + first..][..width]);
            }
            let taps = vectorised(
                #[inline(always)]
                || back(&lines),
            );
            for (tap, line) in taps.iter().enumerate() {
                out[input * 9 + tap..].iter_mut().step_by(inputs * 9).zip(line).for_each(|(o, v)| *o = *v);
            }
        }
    });
    array(out, &[outputs, inputs, 3, 3])
}

/// An array `[cells, tiles, c]`, written by pieces: (the first row of tiles, their place in each cell).
fn cells([n, h, w]: [usize; 3], c: usize, piece: impl Fn(usize, Vec<&mut [f32]>) + Sync) -> Array {
    let (cells, rows, across) = (SIDE * SIDE, n * (h / TILE.step), w / TILE.step);
    let rows_of_piece = (1..=ROWS).rev().find(|count| rows % count == 0).unwrap_or(1);
    let mut out = zeroed(&[cells, rows * across, c]);
    by_group(&mut out, rows / rows_of_piece, rows_of_piece * across * c)
        .into_par_iter()
        .enumerate()
        .for_each(|(i, cells)| piece(i * rows_of_piece, cells));
    array(out, &[cells, rows * across, c])
}

/// The transformed gradient of tiles of the output, `[tiles, c]` a cell, from the row of tiles `first` on.
fn spread_gradient(grad: &[f32], w: usize, c: usize, first: usize, mut cells: Vec<&mut [f32]>) {
    let step = TILE.step;
    let (mut half, mut whole) = (vec![0.0; step * SIDE * c], vec![0.0; SIDE * SIDE * c]);
    let across = w / step;
    for tile in 0..cells[0].len() / c {
        let (top, left) = ((first + tile / across) * step, tile % across * step);
        vectorised(
            #[inline(always)]
            || {
                for (i, half) in half.chunks_exact_mut(SIDE * c).enumerate() {
                    let start = ((top + i) * w + left) * c;
                    output_transposed(&grad[start..start + step * c], half);
                }
                output_transposed(&half, &mut whole);
            },
        );
        for (cell, values) in cells.iter_mut().zip(whole.chunks_exact(c)) {
            cell[tile * c..][..c].copy_from_slice(values);
        }
    }
}

/// The paper's A on four lines, which gives six.
#[inline(always)]
fn output_transposed(from: &[f32], to: &mut [f32]) {
    let n = to.len() / SIDE;
    let [a, b, c, d] = [0, 1, 2, 3].map(|k| &from[k * n..(k + 1) * n]);
    let (t0, to) = to.split_at_mut(n);
    let (t1, to) = to.split_at_mut(n);
    let (t2, to) = to.split_at_mut(n);
    let (t3, to) = to.split_at_mut(n);
    let (t4, t5) = to.split_at_mut(n);
    t0.copy_from_slice(a);
    t5.copy_from_slice(d);
    for i in 0..n {
        let (even, odd) = (a[i] + c[i], b[i] + d[i]);
        let (far_even, far_odd) = (a[i] + 4.0 * c[i], 2.0 * b[i] + 8.0 * d[i]);
        t1[i] = even + odd;
        t2[i] = even - odd;
        t3[i] = far_even + far_odd;
        t4[i] = far_even - far_odd;
    }
}

/// G^T M G: the taps of a line of kernels.
#[inline(always)]
fn back(lines: &[[f32; COLUMNS]; SIDE * SIDE]) -> [[f32; COLUMNS]; 9] {
    let mut taps = [[0.0; COLUMNS]; 9];
    for (lines, left) in lines.chunks_exact(SIDE).zip(kernel(SIDE)) {
        let mut row = [[0.0; COLUMNS]; 3];
        for (line, right) in lines.iter().zip(kernel(SIDE)) {
            row.iter_mut().zip(right).for_each(|(row, weight)| add(row, line, *weight));
        }
        for (taps, weight) in taps.chunks_exact_mut(3).zip(left) {
            taps.iter_mut().zip(&row).for_each(|(tap, row)| add(tap, row, *weight));
        }
    }
    taps
}

/// `to` + `weight` `line`
#[inline(always)]
fn add(to: &mut [f32; COLUMNS], line: &[f32; COLUMNS], weight: f64) {
    to.iter_mut().zip(line).for_each(|(t, v)| *t += weight as f32 * v);
}
