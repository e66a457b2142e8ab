//! Activations as a matrix of pixels by channels, which is how they lie in memory, and how kernels share its rows.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::permute_nchw_to_nhwc;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Channels and rows that a cube's units take side by side.
pub const WIDTH: u32 = 32;
pub const HEIGHT: u32 = 8;
/// Rows are summed in so many parts at most, and in no smaller ones than this.
const MOST_PARTS: usize = 64;
const SMALLEST_PART: usize = 64;

/// How rows are cut into parts, by shape alone.
pub struct Cut {
    pub rows: usize,
    pub channels: usize,
    /// Rows of a part.
    pub part: usize,
    /// Parts.
    pub count: usize,
}

impl Cut {
    /// `x` is `[n, h, w, c]`.
    pub fn of(x: &CubeTensor) -> Self {
        let shape = x.meta.shape();
        let channels = shape[3];
        let rows = shape[0] * shape[1] * shape[2];
        let part = rows.div_ceil(MOST_PARTS).max(SMALLEST_PART);
        Self { rows, channels, part, count: rows.div_ceil(part) }
    }

    /// One for every part of every 32 channels.
    pub fn cubes(&self) -> CubeCount {
        CubeCount::Static((self.channels as u32).div_ceil(WIDTH), self.count as u32, 1)
    }
}

/// The memory of `[n, c, h, w]`, channels last.
pub fn channels_last(x: CubeTensor) -> CubeTensor {
    into_contiguous(permute_nchw_to_nhwc(x))
}
