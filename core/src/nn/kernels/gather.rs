//! A batch of crops gathered from voxels that lie on its device as they are stored.

#[cfg(feature = "cube")]
use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

#[cfg(feature = "cube")]
use super::cube::CubeGather;
#[cfg(feature = "cube")]
use super::place::on_cube;
use crate::volume::grid::{SIDE, VOXELS};

/// The sample at (z, y, x) of crop k is the level of voxel number `sources[k, 0, z] + sources[k, 1, y] + sources[k, 2, x]`. Voxels have
/// 8 or 16 bits, as many as number the levels, and lie in words of 32, the first in the lowest bits.
///
/// # Shapes
/// `[words]`, `[256]` or `[65536]`, `[n 3 32]` -> `[n, 32, 32, 32]`
pub fn gather(words: Tensor<1, Int>, levels: Tensor<1>, sources: Tensor<1, Int>) -> Tensor<4> {
    #[cfg(feature = "cube")]
    if on_cube(&levels) {
        let (words, levels, sources) = (words.into_dispatch(), levels.into_dispatch(), sources.into_dispatch());
        return Tensor::from_dispatch(Dispatch::gather_levels(words, levels, sources));
    }
    burn_gather(words, levels, sources)
}

fn burn_gather(words: Tensor<1, Int>, levels: Tensor<1>, sources: Tensor<1, Int>) -> Tensor<4> {
    let n = sources.dims()[0] / (3 * SIDE);
    let sources: Tensor<3, Int> = sources.reshape([n, 3, SIDE]);
    let along = |axis: usize, shape: [usize; 4]| sources.clone().narrow(1, axis, 1).reshape(shape);
    let voxel = along(0, [n, SIDE, 1, 1]) + along(1, [n, 1, SIDE, 1]) + along(2, [n, 1, 1, SIDE]);
    let voxel: Tensor<1, Int> = voxel.reshape([n * VOXELS]);
    let bits = levels.dims()[0].ilog2();
    let (each, mask) = (32 / bits, (1 << bits) - 1);
    let word = words.select(0, voxel.clone() / each);
    let stored = word.bitwise_right_shift(voxel % each * bits).bitwise_and_scalar(mask);
    levels.select(0, stored).reshape([n, SIDE, SIDE, SIDE])
}
