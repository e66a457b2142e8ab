//! Arithmetic over many arrays in a few kernels, each of which takes as many arrays as the device lets a kernel have.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::{empty, like};
use super::sums::total;

/// Units of a cube, and cubes that share an array, by the number of values alone.
pub const UNITS: u32 = 256;
const CUBES: u32 = 128;
/// Arrays that a kernel takes at most, where the device would let it take more: each is code of its own.
const MOST: usize = 64;

#[cube(launch)]
fn blend_arrays(
    averages: Sequence<Box<[f32]>>,
    values: Sequence<Box<[f32]>>,
    mut outputs: Sequence<Box<[f32]>>,
    keep: f32,
    take: f32,
) {
    let count = comptime![values.len()];
    let step = CUBE_DIM_X as usize * CUBE_COUNT_X as usize;
    let first = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    #[unroll]
    for k in 0..count {
        if CUBE_POS_Y as usize == k {
            let average = averages.index(k);
            let value = values.index(k);
            let output = outputs.index_mut(k);
            let mut i = first;
            while i < value.len() {
                output[i] = average[i] * keep + value[i] * take;
                i += step;
            }
        }
    }
}

/// Each array's values into another's.
#[cube(launch)]
fn write_arrays(values: Sequence<Box<[f32]>>, mut arrays: Sequence<Box<[f32]>>) {
    let count = comptime![values.len()];
    let step = CUBE_DIM_X as usize * CUBE_COUNT_X as usize;
    let first = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    #[unroll]
    for k in 0..count {
        if CUBE_POS_Y as usize == k {
            let value = values.index(k);
            let array = arrays.index_mut(k);
            let mut i = first;
            while i < value.len() {
                array[i] = value[i];
                i += step;
            }
        }
    }
}

/// Sums of squares, one a cube, from `at` on.
#[cube(launch)]
fn square_parts(values: Sequence<Box<[f32]>>, parts: &mut [f32], at: u32, #[comptime] units: usize) {
    let count = comptime![values.len()];
    let mut shared = Shared::<[f32]>::new_slice(units);
    let step = CUBE_DIM_X as usize * CUBE_COUNT_X as usize;
    let first = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    #[unroll]
    for k in 0..count {
        if CUBE_POS_Y as usize == k {
            let value = values.index(k);
            let mut i = first;
            while i < value.len() {
                sum += value[i] * value[i];
                i += step;
            }
        }
    }
    let sum = total(sum, &mut shared, units);
    if UNIT_POS_X == 0 {
        parts[(at + CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize] = sum;
    }
}

/// The sum of all values, by one cube.
#[cube(launch)]
fn sum(values: &[f32], all: &mut [f32], #[comptime] units: usize) {
    let mut shared = Shared::<[f32]>::new_slice(units);
    let mut own = 0.0f32;
    let mut i = UNIT_POS_X as usize;
    while i < values.len() {
        own += values[i];
        i += units;
    }
    let sum = total(own, &mut shared, units);
    if UNIT_POS_X == 0 {
        all[0] = sum;
    }
}

/// So many arrays go into one kernel, of which each takes `each` places and all together two more.
pub fn at_once(first: &CubeTensor, each: usize) -> usize {
    let most = first.client.properties().hardware.max_bindings as usize;
    (most.saturating_sub(2) / each).clamp(1, MOST)
}

pub fn cubes(arrays: usize) -> CubeCount {
    CubeCount::Static(CUBES, arrays as u32, 1)
}

pub fn arguments(arrays: &[CubeTensor]) -> SequenceArg<Box<[f32]>> {
    arrays.iter().map(|array| array.clone().into_buffer_arg()).collect()
}

/// keep a + take b of each pair.
pub fn blend(averages: Vec<CubeTensor>, values: Vec<CubeTensor>, [keep, take]: [f32; 2]) -> Vec<CubeTensor> {
    let averages: Vec<CubeTensor> = averages.into_iter().map(into_contiguous).collect();
    let values: Vec<CubeTensor> = values.into_iter().map(into_contiguous).collect();
    let outputs: Vec<CubeTensor> = values.iter().map(like).collect();
    let size = outputs.first().map_or(1, |first| at_once(first, 3));
    for ((a, b), output) in averages.chunks(size).zip(values.chunks(size)).zip(outputs.chunks(size)) {
        blend_arrays::launch(
            &a[0].client,
            cubes(a.len()),
            CubeDim::new_1d(UNITS),
            arguments(a),
            arguments(b),
            arguments(output),
            keep,
            take,
        );
    }
    outputs
}

/// Writes values into arrays of the same sizes, whoever else holds these.
pub fn write(arrays: Vec<CubeTensor>, values: Vec<CubeTensor>) -> Vec<CubeTensor> {
    let values: Vec<CubeTensor> = values.into_iter().map(into_contiguous).collect();
    let size = arrays.first().map_or(1, |first| at_once(first, 2));
    for (array, value) in arrays.chunks(size).zip(values.chunks(size)) {
        let count = cubes(array.len());
        write_arrays::launch(&array[0].client, count, CubeDim::new_1d(UNITS), arguments(value), arguments(array));
    }
    arrays
}

/// Copies, each in an array of its own.
pub fn copies(values: Vec<CubeTensor>) -> Vec<CubeTensor> {
    write(values.iter().map(like).collect(), values)
}

/// The sum of squares of all arrays, of which there is one at least, `[1]`.
pub fn square_sum(arrays: Vec<CubeTensor>) -> CubeTensor {
    let arrays: Vec<CubeTensor> = arrays.into_iter().map(into_contiguous).collect();
    let first = &arrays[0];
    let (parts, all) = (empty(first, [arrays.len() * CUBES as usize]), empty(first, [1]));
    let size = at_once(first, 1);
    for (group, some) in arrays.chunks(size).enumerate() {
        square_parts::launch(
            &first.client,
            cubes(some.len()),
            CubeDim::new_1d(UNITS),
            arguments(some),
            parts.clone().into_buffer_arg(),
            (group * size) as u32 * CUBES,
            UNITS as usize,
        );
    }
    sum::launch(
        &first.client,
        CubeCount::Static(1, 1, 1),
        CubeDim::new_1d(UNITS),
        parts.into_buffer_arg(),
        all.clone().into_buffer_arg(),
        UNITS as usize,
    );
    all
}
