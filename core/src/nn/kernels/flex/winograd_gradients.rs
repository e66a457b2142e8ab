//! The tiles of [`crate::nn::kernels::flex::winograd`] in training. The weight's gradient is the transpose of that algorithm, with as few multiplications.
//!
//! From Y = A^T [(G g G^T) . (B^T d B)] A follows dg = G^T [sum over tiles of (B^T d B) . (A dY A^T)] G: a matrix product a cell.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, vectorised, zeroed};
use super::tiles::{Four, Tile, each, parts, split, spread};

/// Input pixels a tile has a side, and output pixels.
pub const TILE_SIDE: usize = 6;
const STEP: usize = TILE_SIDE - 2;
/// Above so many channels the transformed weights are too many for the few pixels they meet in a batch of 32.
const MOST_CHANNELS: usize = 256;
/// Tiles a piece of work takes, if a row of tiles has no more.
const TILES: usize = 256;
/// Outputs that are transformed back together.
const COLUMNS: usize = 16;

/// Whether a convolution of a training step and its gradients are computed in tiles of [`TILE_SIDE`] pixels.
pub fn in_tiles(from: [usize; 2], weight: [usize; 4], stride: usize) -> bool {
    let [outputs, inputs, kernel, _] = weight;
    let whole = from.iter().all(|size| size % STEP == 0);
    kernel == 3 && stride == 1 && whole && inputs.max(outputs) <= MOST_CHANNELS
}

/// `x` `[n, h, w, inputs]` and the gradient of the output `[n, h, w, outputs]` -> `[outputs, inputs, 3, 3]`
pub fn weight_gradient(x: &FlexTensor, grad: &FlexTensor) -> FlexTensor {
    let ([n, h, w, inputs], outputs) = (dims(x), dims::<4>(grad)[3]);
    let (x, grad) = (values(x), values(grad));
    let (rows, across) = (n * (h / STEP), w / STEP);
    let rows_of_piece = (TILES / across).max(1);
    let products: Vec<Vec<FlexTensor>> = (0..rows.div_ceil(rows_of_piece))
        .into_par_iter()
        .map(|piece| {
            let first = piece * rows_of_piece;
            let tiles = rows_of_piece.min(rows - first) * across;
            let [mut from, mut to] = [inputs, outputs].map(|c| vec![0.0; TILE_SIDE * TILE_SIDE * tiles * c]);
            spread::<Four, TILE_SIDE, STEP>(&x, [h, w, inputs], first, from.chunks_exact_mut(tiles * inputs).collect());
            spread_gradient(&grad, w, outputs, first, to.chunks_exact_mut(tiles * outputs).collect());
            let cells = |values, c| array(values, &[TILE_SIDE * TILE_SIDE * tiles, c]);
            let (from, to) = (cells(from, inputs).transpose(0, 1), cells(to, outputs));
            let product = |cell| {
                let first = cell * tiles;
                Flex::float_matmul(from.narrow(1, first, tiles), to.narrow(0, first, tiles))
            };
            (0..TILE_SIDE * TILE_SIDE).into_par_iter().map(product).collect()
        })
        .collect();
    let products: Vec<Vec<_>> = products.iter().map(|cells| cells.iter().map(values).collect()).collect();
    let mut out = zeroed(&[outputs, inputs, 3, 3]);
    out.par_chunks_mut(COLUMNS * inputs * 9).enumerate().for_each(|(block, out)| {
        let (first, width) = (block * COLUMNS, out.len() / (inputs * 9));
        for input in 0..inputs {
            let mut lines = [[0.0f32; COLUMNS]; TILE_SIDE * TILE_SIDE];
            for product in &products {
                for (cell, line) in product.iter().zip(&mut lines) {
                    let part = &cell[input * outputs + first..][..width];
                    line.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
                }
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

/// The transformed gradient of tiles of the output, `[tiles, c]` a cell, from the row of tiles `first` on.
fn spread_gradient(grad: &[f32], w: usize, c: usize, first: usize, mut cells: Vec<&mut [f32]>) {
    let mut half = vec![0.0; TILE_SIDE * STEP * c];
    let across = w / STEP;
    for tile in 0..cells[0].len() / c {
        let (top, left) = ((first + tile / across) * STEP, tile % across * STEP);
        vectorised(
            #[inline(always)]
            || {
                let line = |i: usize| &grad[((top + i) * w + left) * c..][..STEP * c];
                each(std::array::from_fn(line), split(&mut half), output_transposed);
                for (half, cells) in half.chunks_exact(STEP * c).zip(cells.as_chunks_mut::<TILE_SIDE>().0) {
                    each(parts(half), cells.each_mut().map(|cell| &mut cell[tile * c..][..c]), output_transposed);
                }
            },
        );
    }
}

/// The paper's A.
#[inline(always)]
fn output_transposed([a, b, c, d]: [f32; STEP]) -> [f32; TILE_SIDE] {
    let (even, odd) = (a + c, b + d);
    let (far_even, far_odd) = (a + 4.0 * c, 2.0 * b + 8.0 * d);
    [a, even + odd, even - odd, far_even + far_odd, far_even - far_odd, d]
}

/// G^T M G: the taps of a line of kernels.
#[inline(always)]
fn back(lines: &[[f32; COLUMNS]; TILE_SIDE * TILE_SIDE]) -> [[f32; COLUMNS]; 9] {
    let mut taps = [[0.0; COLUMNS]; 9];
    for (lines, left) in lines.chunks_exact(TILE_SIDE).zip(&Four::KERNEL) {
        let mut row = [[0.0; COLUMNS]; 3];
        for (line, right) in lines.iter().zip(&Four::KERNEL) {
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
