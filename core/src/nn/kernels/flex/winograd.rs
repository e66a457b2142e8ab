//! 3x3 convolutions of stride 1 with fewer multiplications, in the tiles of [`crate::nn::kernels::flex::tiles`], channels last.
//!
//! A tile of 4x4 output pixels needs 6x6 input pixels (2x2 need 4x4); in the transformed domain the convolution is a matrix product
//! a cell over all tiles. The transforms cost about two decimal digits of f32.

use rayon::prelude::*;

use super::arrays::{FlexTensor, array, dims, values, vectorised, zeroed};
use super::conv::Finish;
use super::product::{self, COLUMNS};
use super::tiles::{Four, Tile, Two, gather, spread};

/// Tiles a piece of work takes.
const TILES: usize = 32;

/// Whether an arranged weight of this kernel is for tiles.
pub fn is_tile(side: usize) -> bool {
    side == 6 || side == 4
}

/// A weight `[outputs, inputs, 3, 3]`, times a scale an output, in the transformed domain of tiles of `side`,
/// `[side side inputs, outputs]`.
pub fn arrange(weight: &FlexTensor, scale: &[f32], side: usize) -> FlexTensor {
    let [outputs, inputs, _, _] = dims(weight);
    let w = values(weight);
    transform([outputs, inputs], side, |output, input| {
        let taps: &[f32] = &w[(output * inputs + input) * 9..][..9];
        std::array::from_fn(|tap| f64::from(taps[tap]) * f64::from(scale[output]))
    })
}

/// The kernels turned by 180 degrees with inputs and outputs exchanged, in the transformed domain, `[side side outputs, inputs]`.
#[cfg(feature = "train")]
pub fn turned(weight: &FlexTensor, side: usize) -> FlexTensor {
    let [outputs, inputs, _, _] = dims(weight);
    let w = values(weight);
    transform([inputs, outputs], side, |input, output| {
        let taps: &[f32] = &w[(output * inputs + input) * 9..][..9];
        std::array::from_fn(|tap| f64::from(taps[8 - tap]))
    })
}

/// The kernels of (output, input) in the transformed domain of tiles of `side`, `[side side inputs, outputs]`.
fn transform(size: [usize; 2], side: usize, taps: impl Fn(usize, usize) -> [f64; 9] + Sync) -> FlexTensor {
    match side {
        6 => transform_for(size, Four::KERNEL, taps),
        _ => transform_for(size, Two::KERNEL, taps),
    }
}

fn transform_for<const EDGE: usize>(
    [outputs, inputs]: [usize; 2],
    kernel: [[f64; 3]; EDGE],
    taps: impl Fn(usize, usize) -> [f64; 9] + Sync,
) -> FlexTensor {
    product::arrange([EDGE * EDGE, inputs, outputs], inputs, |input, first, out| {
        let width = out.len() / (EDGE * EDGE);
        // one kernel a column: its taps, then G g, then G g G^T
        let mut lines = [[0.0; COLUMNS]; 9];
        for column in 0..width {
            let taps = taps(first + column, input);
            lines.iter_mut().zip(taps).for_each(|(line, tap)| line[column] = tap);
        }
        vectorised(
            #[inline(always)]
            || {
                for (left, out) in kernel.iter().zip(out.chunks_exact_mut(EDGE * width)) {
                    let row = [0, 1, 2].map(|b| weighted([&lines[b], &lines[3 + b], &lines[6 + b]], left));
                    for (right, out) in kernel.iter().zip(out.chunks_exact_mut(width)) {
                        let cell = weighted([&row[0], &row[1], &row[2]], right).map(|v| v as f32);
                        out.copy_from_slice(&cell[..width]);
                    }
                }
            },
        );
    })
}

/// The sum of three lines with their weights.
#[inline(always)]
fn weighted(lines: [&[f64; COLUMNS]; 3], weights: &[f64; 3]) -> [f64; COLUMNS] {
    std::array::from_fn(|i| lines[0][i] * weights[0] + lines[1][i] * weights[1] + lines[2][i] * weights[2])
}

/// `x` `[n, h, w, inputs]` with h and w multiples of `side - 2`, `matrix` of [`arrange`], padding 1 -> `[n, h, w, outputs]`
pub fn forward(x: &FlexTensor, matrix: &FlexTensor, side: usize, finish: impl Finish) -> FlexTensor {
    match side {
        6 => forward_in::<Four, 6, 4>(x, matrix, finish),
        _ => forward_in::<Two, 4, 2>(x, matrix, finish),
    }
}

fn forward_in<T: Tile<EDGE, STEP>, const EDGE: usize, const STEP: usize>(
    x: &FlexTensor,
    matrix: &FlexTensor,
    finish: impl Finish,
) -> FlexTensor {
    let [n, h, w, inputs] = dims(x);
    let outputs = dims::<2>(matrix)[1];
    let x = values(x);
    let shape = [n, h, w, outputs];
    let mut out = zeroed(&shape);
    // rows of tiles are contiguous in the output
    let across = w / STEP;
    let row = STEP * w * outputs;
    let rows = (TILES / across).max(1);
    out.par_chunks_mut(rows * row).enumerate().for_each(|(piece, out)| {
        let tiles = out.len() / row * across;
        let mut cells = vec![0.0; EDGE * EDGE * tiles * inputs];
        spread::<T, EDGE, STEP>(&x, [h, w, inputs], piece * rows, cells.chunks_exact_mut(tiles * inputs).collect());
        let products = product::multiply(cells, matrix, EDGE * EDGE, tiles);
        gather::<T, EDGE, STEP>(&values(&products), out, w, outputs);
        finish(piece * rows * row, out);
    });
    array(out, &shape)
}

#[cfg(test)]
mod tests {
    use super::super::{conv, weights};
    use super::*;
    use crate::base::random::Stream;

    /// Against patches, on an image with inner and outer tiles and a batch that fills several pieces.
    #[test]
    fn equals_the_direct_convolution() {
        let mut random = Stream::new(3, 1);
        let mut tensor = |shape: [usize; 4]| {
            let n = shape.iter().product::<usize>();
            array((0..n).map(|_| random.between(-1.0, 1.0) as f32).collect(), &shape)
        };
        let cases = [
            [3, 12, 16, 5, 7, 6],
            [9, 8, 8, 32, 16, 6],
            [1, 4, 4, 3, 2, 6],
            [3, 6, 10, 5, 7, 4],
            [20, 4, 4, 32, 16, 4],
        ];
        for [n, h, w, inputs, outputs, side] in cases {
            let (x, weight) = (tensor([n, h, w, inputs]), tensor([outputs, inputs, 3, 3]));
            let scale = values(&tensor([1, 1, 1, outputs])).to_vec();
            let finish =
                |at: usize, out: &mut [f32]| out.iter_mut().enumerate().for_each(|(i, o)| *o += (at + i) as f32);
            let fast = forward(&x, &arrange(&weight, &scale, side), side, finish);
            let plain = conv::forward(&x, &weights::arrange(&weight, &scale), 3, 1, finish);
            assert_eq!(dims::<4>(&fast), [n, h, w, outputs]);
            for (a, b) in values(&fast).iter().zip(values(&plain).iter()) {
                assert!((a - b).abs() < 2e-4 * (1.0 + b.abs() / 100.0), "{a} {b}");
            }
        }
    }
}
