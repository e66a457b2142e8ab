//! Matrix products of inference: activations times weights that never change.
//!
//! Natively they are the backend's. In a browser a pass over one crop is bound by reading its weights, and the backend's product
//! copies them into its own order every time; there they are kept in that order, and read once.

use rayon::prelude::*;

use super::{Array, array};

/// Columns that are arranged at once; of a panel.
pub const COLUMNS: usize = 8;

/// Weights `[matrices, k, n]` in the order that [`multiply`] reads. `columns` writes some columns of all matrices,
/// `[matrices, k, width]`: (the first, those columns); at most [`COLUMNS`], which its slice tells.
pub fn arrange([matrices, k, n]: [usize; 3], columns: impl Fn(usize, &mut [f32]) + Sync) -> Array {
    let mut out = vec![0.0; matrices * k * n];
    // panels as they come from all threads, a few at a time
    let firsts: Vec<usize> = (0..n).step_by(COLUMNS).collect();
    for firsts in firsts.chunks(8) {
        let panel = |first: &usize| {
            let mut panel = vec![0.0; matrices * k * COLUMNS.min(n - first)];
            columns(*first, &mut panel);
            panel
        };
        let panels: Vec<Vec<f32>> = firsts.par_iter().map(panel).collect();
        for (first, panel) in firsts.iter().zip(panels) {
            let each = out.chunks_exact_mut(k * n).zip(panel.chunks_exact(panel.len() / matrices));
            each.for_each(|(out, panel)| place(out, panel, *first, n, k));
        }
    }
    array(out, &[matrices * k, n])
}

/// A panel's place in a matrix: its columns.
#[cfg(not(target_arch = "wasm32"))]
fn place(out: &mut [f32], panel: &[f32], first: usize, n: usize, k: usize) {
    let width = panel.len() / k;
    let rows = out.chunks_exact_mut(n).zip(panel.chunks_exact(width));
    rows.for_each(|(out, row)| out[first..first + width].copy_from_slice(row));
}

/// A panel's place in a matrix: one panel after the other.
#[cfg(target_arch = "wasm32")]
fn place(out: &mut [f32], panel: &[f32], first: usize, _: usize, k: usize) {
    out[first * k..][..panel.len()].copy_from_slice(panel);
}

/// `a` `[matrices, m, k]` times [`arrange`]d weights, into `out` `[matrices, m, n]`.
#[cfg(not(target_arch = "wasm32"))]
pub fn multiply(a: Vec<f32>, weights: &Array, matrices: usize, m: usize, out: &mut [f32]) {
    use burn::backend::Flex;
    use burn::backend::ops::FloatTensorOps;

    let [rows, n] = super::dims(weights);
    let k = rows / matrices;
    let weights = weights.reshape([matrices, k, n].into());
    out.copy_from_slice(&super::values(&Flex::float_matmul(array(a, &[matrices, m, k]), weights)));
}

/// `a` `[matrices, m, k]` times [`arrange`]d weights, into `out` `[matrices, m, n]`.
#[cfg(target_arch = "wasm32")]
pub fn multiply(a: Vec<f32>, weights: &Array, matrices: usize, m: usize, out: &mut [f32]) {
    let [rows, n] = super::dims(weights);
    let k = rows / matrices;
    let weights = super::values(weights);
    let each = a.chunks_exact(m * k).zip(weights.chunks_exact(k * n)).zip(out.chunks_exact_mut(m * n));
    each.for_each(|((a, weights), out)| panels::multiply(a, weights, [m, k, n], out));
}

/// Products on weights in panels of a few columns, each read from one end to the other.
#[cfg(any(test, target_arch = "wasm32"))]
mod panels {
    use wide::f32x4;

    use super::COLUMNS;

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
        for (first, panel) in (0..n).step_by(COLUMNS).zip(packed.chunks(COLUMNS * k)) {
            let width = panel.len() / k;
            for from in (0..k).step_by(DEPTH) {
                let to = (from + DEPTH).min(k);
                let piece = &panel[from * width..to * width];
                for (block, four) in blocks.chunks_exact(ROWS * k).enumerate() {
                    let four = &four[from * ROWS..to * ROWS];
                    let sums = if width == COLUMNS { wide(four, piece) } else { narrow(four, piece, width) };
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
    fn wide(rows: &[f32], panel: &[f32]) -> [[f32; COLUMNS]; ROWS] {
        let mut sums = [[f32x4::ZERO; 2]; ROWS];
        let mut step = |a: &[f32; ROWS], b: &[f32; COLUMNS]| {
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *b;
            let (left, right) = (f32x4::new([b0, b1, b2, b3]), f32x4::new([b4, b5, b6, b7]));
            for (sums, a) in sums.iter_mut().zip(a) {
                let a = f32x4::splat(*a);
                sums[0] += a * left;
                sums[1] += a * right;
            }
        };
        let (rows, panel) = (rows.as_chunks::<ROWS>().0, panel.as_chunks::<COLUMNS>().0);
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
    fn narrow(rows: &[f32], panel: &[f32], width: usize) -> [[f32; COLUMNS]; ROWS] {
        let mut sums = [[0.0f32; COLUMNS]; ROWS];
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
        use crate::data::random::Stream;

        #[test]
        fn equals_the_plain_product() {
            let mut random = Stream::new(7, 1);
            let mut draw = |n: usize| (0..n).map(|_| random.between(-1.0, 1.0) as f32).collect::<Vec<f32>>();
            for [m, k, n] in [[4, 64, 16], [5, 700, 19], [1, 3, 2], [16, 1030, 8]] {
                let (a, b) = (draw(m * k), draw(k * n));
                let mut out = vec![f32::NAN; m * n];
                let panels = (0..n).step_by(COLUMNS).map(|first| (first, (first + COLUMNS).min(n)));
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
