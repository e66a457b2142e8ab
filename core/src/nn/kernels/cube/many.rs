//! The update of all parameters in a few kernels, each of which takes as many arrays as the device lets a kernel have.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::{empty, like};

/// Units of a cube, and cubes that share an array, by the number of values alone.
const UNITS: u32 = 256;
const CUBES: u32 = 128;
/// Arrays that a kernel takes at most, where the device would let it take more: each is code of its own.
const MOST: usize = 64;

#[cube(launch)]
fn descend(
    mut parameters: Sequence<Box<[f32]>>,
    gradients: Sequence<Box<[f32]>>,
    mut velocities: Sequence<Box<[f32]>>,
    scale: &[f32],
    decays: Sequence<f32>,
    lr: f32,
    momentum: f32,
) {
    let count = comptime![gradients.len()];
    let step = CUBE_DIM_X as usize * CUBE_COUNT_X as usize;
    let first = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    #[unroll]
    for k in 0..count {
        if CUBE_POS_Y as usize == k {
            let parameter = parameters.index_mut(k);
            let gradient = gradients.index(k);
            let velocity = velocities.index_mut(k);
            let mut i = first;
            while i < gradient.len() {
                let p = parameter[i];
                let v = velocity[i] * momentum + (gradient[i] * scale[0] + p * decays[k]);
                velocity[i] = v;
                parameter[i] = p - v * lr;
                i += step;
            }
        }
    }
}

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
    shared[UNIT_POS_X as usize] = sum;
    sync_cube();
    if UNIT_POS_X == 0 {
        let mut total = 0.0f32;
        for u in 0..units {
            total += shared[u];
        }
        parts[(at + CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize] = total;
    }
}

/// The sum of all values, by one cube.
#[cube(launch)]
fn sum(values: &[f32], total: &mut [f32], #[comptime] units: usize) {
    let mut shared = Shared::<[f32]>::new_slice(units);
    let mut own = 0.0f32;
    let mut i = UNIT_POS_X as usize;
    while i < values.len() {
        own += values[i];
        i += units;
    }
    shared[UNIT_POS_X as usize] = own;
    sync_cube();
    if UNIT_POS_X == 0 {
        let mut all = 0.0f32;
        for u in 0..units {
            all += shared[u];
        }
        total[0] = all;
    }
}

/// So many arrays go into one kernel, of which each takes `each` places and all together one more.
fn at_once(first: &CubeTensor, each: usize) -> usize {
    let most = first.client.properties().hardware.max_bindings as usize;
    (most.saturating_sub(2) / each).clamp(1, MOST)
}

fn cubes(arrays: usize) -> CubeCount {
    CubeCount::Static(CUBES, arrays as u32, 1)
}

/// The array itself where nothing else holds it, else a copy.
fn own(array: CubeTensor) -> CubeTensor {
    let array = into_contiguous(array);
    if array.can_mut() { array } else { array.copy() }
}

fn arguments(arrays: &[CubeTensor]) -> SequenceArg<Box<[f32]>> {
    arrays.iter().map(|array| array.clone().into_buffer_arg()).collect()
}

/// What an optimiser's step takes, beside the arrays.
#[derive(Clone, Debug)]
pub struct Descending {
    /// Weight decay of each array.
    pub decays: Vec<f32>,
    pub lr: f32,
    pub momentum: f32,
}

/// v' = momentum v + (scale g + decay p), p' = p - lr v', in place: (parameters, velocities).
pub fn sgd(
    parameters: Vec<CubeTensor>,
    gradients: Vec<CubeTensor>,
    velocities: Vec<CubeTensor>,
    scale: &CubeTensor,
    by: &Descending,
) -> (Vec<CubeTensor>, Vec<CubeTensor>) {
    let parameters: Vec<CubeTensor> = parameters.into_iter().map(own).collect();
    let velocities: Vec<CubeTensor> = velocities.into_iter().map(own).collect();
    let gradients: Vec<CubeTensor> = gradients.into_iter().map(into_contiguous).collect();
    let size = at_once(scale, 3);
    let groups = parameters.chunks(size).zip(gradients.chunks(size));
    for ((p, g), (v, decays)) in groups.zip(velocities.chunks(size).zip(by.decays.chunks(size))) {
        descend::launch(
            &scale.client,
            cubes(p.len()),
            CubeDim::new_1d(UNITS),
            arguments(p),
            arguments(g),
            arguments(v),
            scale.clone().into_buffer_arg(),
            decays.iter().copied().collect(),
            by.lr,
            by.momentum,
        );
    }
    (parameters, velocities)
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

/// The sum of squares of all arrays, of which there is one at least, `[1]`.
pub fn square_sum(arrays: Vec<CubeTensor>) -> CubeTensor {
    let arrays: Vec<CubeTensor> = arrays.into_iter().map(into_contiguous).collect();
    let first = &arrays[0];
    let (parts, total) = (empty(first, [arrays.len() * CUBES as usize]), empty(first, [1]));
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
        total.clone().into_buffer_arg(),
        UNITS as usize,
    );
    total
}
