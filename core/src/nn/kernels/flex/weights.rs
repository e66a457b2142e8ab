//! Convolution weights in the orders that the products read, and back.
//!
//! Each value is read and written once, and runs of a cache line are moved together: eleven million weights change their order three
//! times in a training step.

#[cfg(feature = "train")]
use rayon::prelude::*;

use super::arrays::{FlexTensor, dims, values};
#[cfg(feature = "train")]
use super::arrays::{array, zeroed};
use super::product;

/// Values that are moved together: a cache line of them.
#[cfg(feature = "train")]
const BLOCK: usize = 16;

/// A weight `[outputs, inputs, k, k]`, times a scale an output, as the matrix `[k k inputs, outputs]` that patches are multiplied with.
pub fn arrange(weight: &FlexTensor, scale: &[f32]) -> FlexTensor {
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
pub fn turned(weight: &FlexTensor) -> FlexTensor {
    let [outputs, inputs, k, _] = dims(weight);
    let (cells, w) = (k * k, values(weight));
    product::arrange([cells, outputs, inputs], cells * outputs, |output, first, out| {
        let width = out.len() / cells;
        for (column, taps) in w[(output * inputs + first) * cells..].chunks_exact(cells).take(width).enumerate() {
            out[column..].iter_mut().step_by(width).zip(taps.iter().rev()).for_each(|(o, tap)| *o = *tap);
        }
    })
}

/// The reverse of [`arrange`].
#[cfg(feature = "train")]
pub fn restore(matrix: &FlexTensor, weight: [usize; 4]) -> FlexTensor {
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
