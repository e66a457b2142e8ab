//! A batch gathered from stored voxels, in one kernel.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::empty;
use crate::volume::grid::{SIDE, VOXELS};

/// Units of a cube.
const UNITS: u32 = 256;

/// What makes batches of a data set that lies on the device.
#[backend_extension(Cube, Fusion)]
pub trait CubeGather: Backend {
    /// The level of every sample's voxel, `[n, 32, 32, 32]`.
    #[fusion(dtype = levels, shape = batch(sources))]
    fn gather_levels(words: IntTensor<Self>, levels: FloatTensor<Self>, sources: IntTensor<Self>) -> FloatTensor<Self>;
}

fn batch(sources: &Shape) -> Shape {
    Shape::from([sources[0] / (3 * SIDE), SIDE, SIDE, SIDE])
}

#[cube(launch)]
fn gather(
    words: &[i32],
    levels: &[f32],
    sources: &[i32],
    output: &mut [f32],
    #[comptime] bits: u32,
    #[comptime] side: usize,
) {
    let crop = CUBE_POS_Y as usize;
    let sample = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    let voxels = comptime![side * side * side];
    if sample < voxels {
        let z = crop * 3 * side + sample / (side * side);
        let y = (crop * 3 + 1) * side + sample / side % side;
        let x = (crop * 3 + 2) * side + sample % side;
        let voxel = u32::cast_from(sources[z] + sources[y] + sources[x]);
        let each = comptime![32 / bits];
        let mask = comptime![(1u32 << bits) - 1];
        let word = u32::cast_from(words[(voxel / each) as usize]);
        let stored = (word >> (voxel % each * bits)) & mask;
        output[crop * voxels + sample] = levels[stored as usize];
    }
}

impl CubeGather for CubeBackend {
    fn gather_levels(words: CubeTensor, levels: CubeTensor, sources: CubeTensor) -> CubeTensor {
        let [words, levels, sources] = [words, levels, sources].map(into_contiguous);
        let output = empty(&levels, batch(sources.meta.shape()).dims::<4>());
        let crops = output.meta.shape()[0] as u32;
        gather::launch(
            &output.client,
            CubeCount::Static((VOXELS as u32).div_ceil(UNITS), crops, 1),
            CubeDim::new_1d(UNITS),
            words.into_buffer_arg(),
            levels.clone().into_buffer_arg(),
            sources.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            levels.meta.shape()[0].ilog2(),
            SIDE,
        );
        output
    }
}
