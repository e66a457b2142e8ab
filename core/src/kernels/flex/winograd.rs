//! 3x3 convolutions of stride 1 with fewer multiplications: F(4x4, 3x3) and F(2x2, 3x3) of Lavin & Gray, "Fast Algorithms for
//! Convolutional Neural Networks" (CVPR 2016), channels last.
//!
//! A tile of 4x4 output pixels needs 6x6 input pixels (2x2 need 4x4); in the transformed domain the convolution is a matrix product
//! a cell over all tiles. The transforms cost about two decimal digits of f32.

use rayon::prelude::*;

use super::conv::Finish;
use super::product::{self, COLUMNS};
use super::{Array, array, dims, values, vectorised, zeroed};

/// Tiles a piece of work takes.
const TILES: usize = 32;

/// The paper's G, which both sides of a kernel are multiplied with; one row an input pixel of a tile.
type Kernel = &'static [[f64; 3]];
const FOUR: Kernel = &[
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];
const TWO: Kernel = &[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// The transform of tiles that are `side` input pixels wide: 6, or 4.
pub fn kernel(side: usize) -> Kernel {
    if side == FOUR.len() { FOUR } else { TWO }
}

/// Whether an arranged weight of this kernel is for tiles.
pub fn is_tile(side: usize) -> bool {
    side == FOUR.len() || side == TWO.len()
}

/// A weight `[outputs, inputs, 3, 3]`, times a scale an output, in the transformed domain of tiles of `side`,
/// `[side side inputs, outputs]`.
pub fn arrange(weight: &Array, scale: &[f32], side: usize) -> Array {
    let [outputs, inputs, _, _] = dims(weight);
    let w = values(weight);
    transform([outputs, inputs], side, |output, input| {
        let taps: [f32; 9] = std::array::from_fn(|tap| w[(output * inputs + input) * 9 + tap]);
        taps.map(|tap| f64::from(tap) * f64::from(scale[output]))
    })
}

/// The kernels turned by 180 degrees with inputs and outputs exchanged, in the transformed domain, `[side side outputs, inputs]`.
#[cfg(feature = "train")]
pub fn turned(weight: &Array, side: usize) -> Array {
    let [outputs, inputs, _, _] = dims(weight);
    let w = values(weight);
    transform([inputs, outputs], side, |input, output| {
        std::array::from_fn(|tap| f64::from(w[(output * inputs + input) * 9 + 8 - tap]))
    })
}

/// The kernels of (output, input) in the transformed domain of tiles of `side`, `[side side inputs, outputs]`.
fn transform([outputs, inputs]: [usize; 2], side: usize, taps: impl Fn(usize, usize) -> [f64; 9] + Sync) -> Array {
    product::arrange([side * side, inputs, outputs], |first, out| {
        let width = out.len() / (side * side * inputs);
        for input in 0..inputs {
            // one kernel a column: its taps, then G g, then G g G^T
            let mut lines = [[0.0; COLUMNS]; 9];
            for column in 0..width {
                let taps = taps(first + column, input);
                lines.iter_mut().zip(taps).for_each(|(line, tap)| line[column] = tap);
            }
            for (i, left) in kernel(side).iter().enumerate() {
                let row = [0, 1, 2].map(|b| weighted([&lines[b], &lines[3 + b], &lines[6 + b]], left));
                for (j, right) in kernel(side).iter().enumerate() {
                    let cell = weighted([&row[0], &row[1], &row[2]], right).map(|v| v as f32);
                    out[((i * side + j) * inputs + input) * width..][..width].copy_from_slice(&cell[..width]);
                }
            }
        }
    })
}

/// The sum of three lines with their weights.
#[inline(always)]
fn weighted(lines: [&[f64; COLUMNS]; 3], weights: &[f64; 3]) -> [f64; COLUMNS] {
    std::array::from_fn(|i| lines[0][i] * weights[0] + lines[1][i] * weights[1] + lines[2][i] * weights[2])
}

/// `x` `[n, h, w, inputs]` with h and w multiples of `side - 2`, `matrix` of [`arrange`], padding 1 -> `[n, h, w, outputs]`
pub fn forward(x: &Array, matrix: &Array, side: usize, finish: impl Finish) -> Array {
    let [n, h, w, inputs] = dims(x);
    let outputs = dims::<2>(matrix)[1];
    let tile = Tile { side, step: side - 2 };
    let x = values(x);
    let shape = [n, h, w, outputs];
    let mut out = zeroed(&shape);
    // rows of tiles are contiguous in the output
    let across = w / tile.step;
    let row = tile.step * w * outputs;
    let rows = (TILES / across).max(1);
    out.par_chunks_mut(rows * row).enumerate().for_each(|(piece, out)| {
        let tiles = out.len() / row * across;
        let mut spread = vec![0.0; side * side * tiles * inputs];
        let cells = spread.chunks_exact_mut(tiles * inputs).collect();
        tile.spread(&x, [h, w, inputs], piece * rows, cells);
        let mut products = vec![0.0; side * side * tiles * outputs];
        product::multiply(spread, matrix, side * side, tiles, &mut products);
        tile.gather(&products, out, w, outputs);
        finish(piece * rows * row, out);
    });
    array(out, &shape)
}

/// A square of pixels.
#[derive(Clone, Copy)]
pub struct Tile {
    /// Input pixels a side.
    pub side: usize,
    /// Output pixels a side.
    pub step: usize,
}

impl Tile {
    /// The transformed input of tiles, `[tiles, c]` a cell, from the row of tiles `first` on.
    pub fn spread(self, x: &[f32], [h, w, c]: [usize; 3], first: usize, mut cells: Vec<&mut [f32]>) {
        let Self { side, step } = self;
        let [mut pixels, mut half, mut whole] = [(); 3].map(|()| vec![0.0; side * side * c]);
        let across = w / step;
        for tile in 0..cells[0].len() / c {
            let row = first + tile / across;
            let (image, top, left) = (row / (h / step), row % (h / step) * step, tile % across * step);
            // columns inside of the image; what lies outside is zero
            let (from, to) = (usize::from(left == 0), side.min(w + 1 - left));
            for (i, line) in pixels.chunks_exact_mut(side * c).enumerate() {
                line.fill(0.0);
                let y = top + i;
                if (1..=h).contains(&y) {
                    let start = ((image * h + y - 1) * w + left + from - 1) * c;
                    line[from * c..to * c].copy_from_slice(&x[start..start + (to - from) * c]);
                }
            }
            vectorised(
                #[inline(always)]
                || {
                    input(&pixels, &mut half, side);
                    let lines = half.chunks_exact(side * c).zip(whole.chunks_exact_mut(side * c));
                    lines.for_each(|(half, whole)| input(half, whole, side));
                },
            );
            for (cell, values) in cells.iter_mut().zip(whole.chunks_exact(c)) {
                cell[tile * c..][..c].copy_from_slice(values);
            }
        }
    }

    /// The output pixels of tiles from their products, `[cells, tiles, c]`; `out` begins with a row of tiles.
    fn gather(self, products: &[f32], out: &mut [f32], w: usize, c: usize) {
        let Self { side, step } = self;
        let tiles = products.len() / (side * side * c);
        let across = w / step;
        let (mut cells, mut half) = (vec![0.0; side * side * c], vec![0.0; step * side * c]);
        for tile in 0..tiles {
            for (cell, values) in cells.chunks_exact_mut(c).enumerate() {
                values.copy_from_slice(&products[(cell * tiles + tile) * c..][..c]);
            }
            let (top, left) = (tile / across * step, tile % across * step);
            vectorised(
                #[inline(always)]
                || {
                    output(&cells, &mut half, side);
                    for (i, half) in half.chunks_exact(side * c).enumerate() {
                        let start = ((top + i) * w + left) * c;
                        output(half, &mut out[start..start + step * c], side);
                    }
                },
            );
        }
    }
}

/// The paper's B^T on `side` lines.
#[inline(always)]
fn input(from: &[f32], to: &mut [f32], side: usize) {
    let n = from.len() / side;
    let line = |k: usize| &from[k * n..(k + 1) * n];
    let (t0, to) = to.split_at_mut(n);
    let (t1, to) = to.split_at_mut(n);
    let (t2, to) = to.split_at_mut(n);
    let (t3, to) = to.split_at_mut(n);
    let [a, b, c, d] = [0, 1, 2, 3].map(line);
    if side == TWO.len() {
        for i in 0..n {
            t0[i] = a[i] - c[i];
            t1[i] = b[i] + c[i];
            t2[i] = c[i] - b[i];
            t3[i] = b[i] - d[i];
        }
        return;
    }
    let [e, f] = [4, 5].map(line);
    let (t4, t5) = to.split_at_mut(n);
    let t5 = &mut t5[..n];
    for i in 0..n {
        let (even, odd) = (e[i] - 4.0 * c[i], d[i] - 4.0 * b[i]);
        let (near, twice) = (e[i] - c[i], 2.0 * (d[i] - b[i]));
        t0[i] = 4.0 * a[i] - 5.0 * c[i] + e[i];
        t1[i] = even + odd;
        t2[i] = even - odd;
        t3[i] = near + twice;
        t4[i] = near - twice;
        t5[i] = 4.0 * b[i] - 5.0 * d[i] + f[i];
    }
}

/// The paper's A^T on `side` lines, which gives two fewer.
#[inline(always)]
fn output(from: &[f32], to: &mut [f32], side: usize) {
    let n = from.len() / side;
    let line = |k: usize| &from[k * n..(k + 1) * n];
    let (y0, to) = to.split_at_mut(n);
    let (y1, to) = to.split_at_mut(n);
    let [a, b, c, d] = [0, 1, 2, 3].map(line);
    if side == TWO.len() {
        for i in 0..n {
            y0[i] = a[i] + b[i] + c[i];
            y1[i] = b[i] - c[i] - d[i];
        }
        return;
    }
    let [e, f] = [4, 5].map(line);
    let (y2, y3) = to.split_at_mut(n);
    let y3 = &mut y3[..n];
    for i in 0..n {
        let (sum, difference) = (b[i] + c[i], b[i] - c[i]);
        let (far_sum, far_difference) = (d[i] + e[i], d[i] - e[i]);
        y0[i] = a[i] + sum + far_sum;
        y1[i] = difference + 2.0 * far_difference;
        y2[i] = sum + 4.0 * far_sum;
        y3[i] = difference + 8.0 * far_difference + f[i];
    }
}

#[cfg(test)]
mod tests {
    use super::super::{conv, weights};
    use super::*;
    use crate::data::random::Stream;

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
            let plain = conv::forward(&x, &weights::arrange_constant(&weight, &scale), 3, 1, finish);
            assert_eq!(dims::<4>(&fast), [n, h, w, outputs]);
            for (a, b) in values(&fast).iter().zip(values(&plain).iter()) {
                assert!((a - b).abs() < 2e-4 * (1.0 + b.abs() / 100.0), "{a} {b}");
            }
        }
    }
}
