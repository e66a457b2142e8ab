//! Matrix products of activations with weights, and the order that the weights have for them.
//!
//! Natively the products are the backend's. In a browser a pass over one crop is bound by reading its weights, and the backend's
//! product copies them into its own order every time; there they are kept in that order, and read once.

#[cfg(not(target_arch = "wasm32"))]
use rayon::prelude::*;

#[cfg(not(target_arch = "wasm32"))]
use super::arrays::zeroed;
use super::arrays::{FlexTensor, array};

/// Columns of a panel in a browser.
const PANEL: usize = 8;
/// Columns that are arranged at once: natively a cache line, in a browser a panel.
pub const COLUMNS: usize = if cfg!(target_arch = "wasm32") { PANEL } else { 16 };

/// Weights `[cells, inputs, outputs]`, which are matrices of `depth` rows one above the other, in the order that [`multiply`] reads.
/// `columns` writes some outputs of an input's row in every cell, `[cells, width]`: (the input, the first output, those values); at
/// most [`COLUMNS`], which its slice tells.
#[cfg(not(target_arch = "wasm32"))]
pub fn arrange(size: [usize; 3], _: usize, columns: impl Fn(usize, usize, &mut [f32]) + Sync) -> FlexTensor {
    let [cells, inputs, outputs] = size;
    let mut out = zeroed(&size);
    by_group(&mut out, inputs, outputs).into_par_iter().enumerate().for_each(|(input, mut rows)| {
        let mut block = vec![0.0; cells * COLUMNS];
        for first in (0..outputs).step_by(COLUMNS) {
            let width = COLUMNS.min(outputs - first);
            let block = &mut block[..cells * width];
            columns(input, first, block);
            for (row, values) in rows.iter_mut().zip(block.chunks_exact(width)) {
                row[first..first + width].copy_from_slice(values);
            }
        }
    });
    array(out, &[cells * inputs, outputs])
}

/// Rows `[cells, groups, width]` by group: those of every cell.
#[cfg(not(target_arch = "wasm32"))]
fn by_group(out: &mut [f32], groups: usize, width: usize) -> Vec<Vec<&mut [f32]>> {
    let mut found: Vec<Vec<&mut [f32]>> = (0..groups).map(|_| Vec::new()).collect();
    for (row, values) in out.chunks_exact_mut(width).enumerate() {
        found[row % groups].push(values);
    }
    found
}

/// As natively, but in panels of [`PANEL`] outputs, each with all rows of its matrix.
#[cfg(target_arch = "wasm32")]
pub fn arrange(size: [usize; 3], depth: usize, columns: impl Fn(usize, usize, &mut [f32])) -> FlexTensor {
    let [cells, inputs, outputs] = size;
    let mut out = vec![0.0; cells * inputs * outputs];
    let mut block = vec![0.0; cells * COLUMNS];
    for first in (0..outputs).step_by(COLUMNS) {
        let width = COLUMNS.min(outputs - first);
        let block = &mut block[..cells * width];
        for input in 0..inputs {
            columns(input, first, block);
            for (cell, values) in block.chunks_exact(width).enumerate() {
                let row = cell * inputs + input;
                let matrix = row / depth * depth * outputs;
                out[matrix + first * depth + row % depth * width..][..width].copy_from_slice(values);
            }
        }
    }
    array(out, &[cells * inputs, outputs])
}

/// `a` `[matrices, m, k]` times [`arrange`]d weights -> `[matrices, m, n]`
#[cfg(not(target_arch = "wasm32"))]
pub fn multiply(a: Vec<f32>, weights: &FlexTensor, matrices: usize, m: usize) -> FlexTensor {
    use burn::backend::Flex;
    use burn::backend::ops::FloatTensorOps;

    let [rows, n] = crate::nn::kernels::flex::arrays::dims(weights);
    let k = rows / matrices;
    Flex::float_matmul(array(a, &[matrices, m, k]), weights.reshape([matrices, k, n].into()))
}

/// `a` `[matrices, m, k]` times [`arrange`]d weights -> `[matrices, m, n]`
#[cfg(target_arch = "wasm32")]
pub fn multiply(a: Vec<f32>, weights: &FlexTensor, matrices: usize, m: usize) -> FlexTensor {
    let [rows, n] = crate::nn::kernels::flex::arrays::dims(weights);
    let k = rows / matrices;
    let weights = crate::nn::kernels::flex::arrays::values(weights);
    let mut out = vec![0.0; matrices * m * n];
    let each = a.chunks_exact(m * k).zip(weights.chunks_exact(k * n)).zip(out.chunks_exact_mut(m * n));
    each.for_each(|((a, weights), out)| panels::multiply(a, weights, [m, k, n], out));
    array(out, &[matrices, m, n])
}

/// Products on weights in panels of a few columns, each read from one end to the other.
#[cfg(any(test, target_arch = "wasm32"))]
mod panels {
    use wide::f32x4;

    use super::PANEL;

    /// Rows of a block: with the columns of a panel their sums fill half of the registers.
    const ROWS: usize = 4;
    /// Depth of a piece of a panel, which stays in the first cache.
    const DEPTH: usize = 512;

    /// `a` `[m, k]` times weights in panels, the last of which may be narrower, into `out` `[m, n]`.
    pub fn multiply(a: &[f32], packed: &[f32], [m, k, n]: [usize; 3], out: &mut [f32]) {
        out.fill(0.0);
        // blocks of four rows, value by value; rows beyond the last are zero
        let mut blocks = vec![0.0; m.div_ceil(ROWS) * ROWS * k];
        for (row, values) in a.chunks_exact(k).enumerate() {
            let block = &mut blocks[row / ROWS * ROWS * k..][..ROWS * k];
            block.chunks_exact_mut(ROWS).zip(values).for_each(|(four, v)| four[row % ROWS] = *v);
        }
        for (first, panel) in (0..n).step_by(PANEL).zip(packed.chunks(PANEL * k)) {
            let width = panel.len() / k;
            for from in (0..k).step_by(DEPTH) {
                let to = (from + DEPTH).min(k);
                let piece = &panel[from * width..to * width];
                for (block, four) in blocks.chunks_exact(ROWS * k).enumerate() {
                    let four = &four[from * ROWS..to * ROWS];
                    let sums = if width == PANEL { wide(four, piece) } else { narrow(four, piece, width) };
                    for (row, sums) in (block * ROWS..m).zip(&sums) {
                        let out = &mut out[row * n + first..][..width];
                        out.iter_mut().zip(sums).for_each(|(o, s)| *o += s);
                    }
                }
            }
        }
    }

    /// Four rows of a piece of a whole panel.
    #[inline(always)]
    fn wide(rows: &[f32], panel: &[f32]) -> [[f32; PANEL]; ROWS] {
        let mut sums = [[f32x4::ZERO; 2]; ROWS];
        let mut step = |a: &[f32; ROWS], b: &[f32; PANEL]| {
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *b;
            let (left, right) = (f32x4::new([b0, b1, b2, b3]), f32x4::new([b4, b5, b6, b7]));
            for (sums, a) in sums.iter_mut().zip(a) {
                let a = f32x4::splat(*a);
                sums[0] += a * left;
                sums[1] += a * right;
            }
        };
        let (rows, panel) = (rows.as_chunks::<ROWS>().0, panel.as_chunks::<PANEL>().0);
        // four at a time: a browser checks for interrupts once a turn
        let (fours, rest) = (rows.as_chunks::<4>(), panel.as_chunks::<4>());
        for ([a0, a1, a2, a3], [b0, b1, b2, b3]) in fours.0.iter().zip(rest.0) {
            step(a0, b0);
            step(a1, b1);
            step(a2, b2);
            step(a3, b3);
        }
        fours.1.iter().zip(rest.1).for_each(|(a, b)| step(a, b));
        sums.map(|[left, right]| {
            let ([s0, s1, s2, s3], [s4, s5, s6, s7]) = (left.to_array(), right.to_array());
            [s0, s1, s2, s3, s4, s5, s6, s7]
        })
    }

    /// Four rows of a piece of a narrower panel.
    fn narrow(rows: &[f32], panel: &[f32], width: usize) -> [[f32; PANEL]; ROWS] {
        let mut sums = [[0.0f32; PANEL]; ROWS];
        for (a, b) in rows.chunks_exact(ROWS).zip(panel.chunks_exact(width)) {
            for (sums, a) in sums.iter_mut().zip(a) {
                sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
            }
        }
        sums
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::base::random::Stream;

        #[test]
        fn equals_the_plain_product() {
            let mut random = Stream::new(7, 1);
            let mut draw = |n: usize| (0..n).map(|_| random.between(-1.0, 1.0) as f32).collect::<Vec<f32>>();
            for [m, k, n] in [[4, 64, 16], [5, 700, 19], [1, 3, 2], [16, 1030, 8]] {
                let (a, b) = (draw(m * k), draw(k * n));
                let mut out = vec![f32::NAN; m * n];
                let panels = (0..n).step_by(PANEL).map(|first| (first, (first + PANEL).min(n)));
                let packed: Vec<f32> = panels
                    .flat_map(|(first, last)| b.chunks_exact(n).flat_map(move |row| row[first..last].to_vec()))
                    .collect();
                multiply(&a, &packed, [m, k, n], &mut out);
                for (i, found) in out.iter().enumerate() {
                    let (row, column) = (i / n, i % n);
                    let plain: f64 = (0..k).map(|d| f64::from(a[row * k + d]) * f64::from(b[d * n + column])).sum();
                    assert!((f64::from(*found) - plain).abs() < 1e-4, "{found} {plain}");
                }
            }
        }
    }
}
