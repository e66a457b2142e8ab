//! Convolution weights in the orders that the products read, and back.
//!
//! Each value is read and written once, and runs of a cache line are moved together: eleven million weights change their order three
//! times in a training step.

#[cfg(any(test, feature = "train"))]
use rayon::prelude::*;

use super::{Array, dims, product, values};
#[cfg(any(test, feature = "train"))]
use super::{array, zeroed};

/// Values that are moved together: a cache line of them.
#[cfg(any(test, feature = "train"))]
const BLOCK: usize = 16;

/// A weight `[outputs, inputs, k, k]` as the matrix `[k k inputs, outputs]` that patches are multiplied with.
#[cfg(any(test, feature = "train"))]
pub fn arrange(weight: &Array) -> Array {
    let [outputs, inputs, k, _] = dims(weight);
    let (cells, w) = (k * k, values(weight));
    let mut out = zeroed(&[cells * inputs, outputs]);
    by_group(&mut out, inputs, outputs).par_chunks_mut(BLOCK).enumerate().for_each(|(block, rows)| {
        for first in (0..outputs).step_by(BLOCK) {
            for (input, rows) in (block * BLOCK..).zip(rows.iter_mut()) {
                for o in first..(first + BLOCK).min(outputs) {
                    let taps = &w[(o * inputs + input) * cells..][..cells];
                    rows.iter_mut().zip(taps).for_each(|(row, tap)| row[o] = *tap);
                }
            }
        }
    });
    array(out, &[cells * inputs, outputs])
}

/// [`arrange`], times a scale an output, for weights that never change.
pub fn arrange_constant(weight: &Array, scale: &[f32]) -> Array {
    let [outputs, inputs, k, _] = dims(weight);
    let (cells, w) = (k * k, values(weight));
    product::arrange([cells, inputs, outputs], cells * inputs, |input, first, out| {
        let width = out.len() / cells;
        for (column, scale) in scale[first..first + width].iter().enumerate() {
            let taps = &w[((first + column) * inputs + input) * cells..][..cells];
            out[column..].iter_mut().step_by(width).zip(taps).for_each(|(o, tap)| *o = tap * scale);
        }
    })
}

/// The kernel turned by 180 degrees with inputs and outputs exchanged, as a matrix `[k k outputs, inputs]`.
#[cfg(feature = "train")]
pub fn turned(weight: &Array) -> Array {
    let [outputs, inputs, k, _] = dims(weight);
    let (cells, w) = (k * k, values(weight));
    let mut out = zeroed(&[cells * outputs, inputs]);
    by_group(&mut out, outputs, inputs).into_par_iter().zip(w.par_chunks(inputs * cells)).for_each(|(mut rows, w)| {
        for (i, taps) in w.chunks_exact(cells).enumerate() {
            rows.iter_mut().rev().zip(taps).for_each(|(row, tap)| row[i] = *tap);
        }
    });
    array(out, &[cells * outputs, inputs])
}

/// The reverse of [`arrange`].
#[cfg(feature = "train")]
pub fn restore(matrix: &Array, weight: [usize; 4]) -> Array {
    let [outputs, inputs, k, _] = weight;
    let (cells, m) = (k * k, values(matrix));
    let mut out = zeroed(&weight);
    out.par_chunks_mut(BLOCK * inputs * cells).enumerate().for_each(|(block, out)| {
        for first in (0..inputs).step_by(BLOCK) {
            for cell in 0..cells {
                for i in first..(first + BLOCK).min(inputs) {
                    let row = &m[(cell * inputs + i) * outputs + block * BLOCK..];
                    let taps = out[i * cells + cell..].iter_mut().step_by(inputs * cells);
                    taps.zip(row).for_each(|(tap, v)| *tap = *v);
                }
            }
        }
    });
    array(out, &weight)
}

/// Rows `[cells, groups, width]` by group: those of every cell.
#[cfg(any(not(target_arch = "wasm32"), feature = "train"))]
pub fn by_group(out: &mut [f32], groups: usize, width: usize) -> Vec<Vec<&mut [f32]>> {
    let mut found: Vec<Vec<&mut [f32]>> = (0..groups).map(|_| Vec::new()).collect();
    for (row, values) in out.chunks_exact_mut(width).enumerate() {
        found[row % groups].push(values);
    }
    found
}
