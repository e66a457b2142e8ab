//! The optimiser's step over all parameters in a few kernels.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::like;
use super::many::{UNITS, arguments, at_once, cubes};

/// v' of one value.
#[cube]
fn velocity_of(v: f32, g: f32, p: f32, scale: f32, decay: f32, momentum: f32) -> f32 {
    v * momentum + (g * scale + p * decay)
}

/// In place.
#[cube(launch)]
fn descend(
    mut parameters: Sequence<Box<[f32]>>,
    gradients: Sequence<Box<[f32]>>,
    mut velocities: Sequence<Box<[f32]>>,
    scale: &[f32],
    lr: &[f32],
    decays: Sequence<f32>,
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
                let v = velocity_of(velocity[i], gradient[i], p, scale[0], decays[k], momentum);
                velocity[i] = v;
                parameter[i] = p - v * lr[0];
                i += step;
            }
        }
    }
}

/// Into new arrays, for those that others hold.
#[cube(launch)]
fn descend_apart(
    parameters: Sequence<Box<[f32]>>,
    gradients: Sequence<Box<[f32]>>,
    velocities: Sequence<Box<[f32]>>,
    mut new_parameters: Sequence<Box<[f32]>>,
    mut new_velocities: Sequence<Box<[f32]>>,
    scale: &[f32],
    lr: &[f32],
    decays: Sequence<f32>,
    momentum: f32,
) {
    let count = comptime![gradients.len()];
    let step = CUBE_DIM_X as usize * CUBE_COUNT_X as usize;
    let first = CUBE_POS_X as usize * CUBE_DIM_X as usize + UNIT_POS_X as usize;
    #[unroll]
    for k in 0..count {
        if CUBE_POS_Y as usize == k {
            let parameter = parameters.index(k);
            let gradient = gradients.index(k);
            let velocity = velocities.index(k);
            let new_parameter = new_parameters.index_mut(k);
            let new_velocity = new_velocities.index_mut(k);
            let mut i = first;
            while i < gradient.len() {
                let p = parameter[i];
                let v = velocity_of(velocity[i], gradient[i], p, scale[0], decays[k], momentum);
                new_velocity[i] = v;
                new_parameter[i] = p - v * lr[0];
                i += step;
            }
        }
    }
}

/// What an optimiser's step takes, beside the arrays.
#[derive(Clone, Debug)]
pub struct Descending {
    /// Weight decay of each array.
    pub decays: Vec<f32>,
    pub momentum: f32,
}

/// The arrays of a step.
pub struct Descended {
    pub parameters: Vec<CubeTensor>,
    pub gradients: Vec<CubeTensor>,
    pub velocities: Vec<CubeTensor>,
    /// What gradients count, `[1]`.
    pub scale: CubeTensor,
    /// The learning rate, `[1]`.
    pub lr: CubeTensor,
}

/// v' = momentum v + (scale g + decay p), p' = p - lr v': (parameters, velocities), in place where nothing else holds any of them.
pub fn sgd(on: Descended, by: &Descending) -> (Vec<CubeTensor>, Vec<CubeTensor>) {
    let Descended { parameters, gradients, velocities, scale, lr } = on;
    let [parameters, gradients, velocities] =
        [parameters, gradients, velocities].map(|all| all.into_iter().map(into_contiguous).collect::<Vec<_>>());
    let free = parameters.iter().chain(&velocities).all(CubeTensor::can_mut);
    let new = |all: &[CubeTensor]| if free { Vec::new() } else { all.iter().map(like).collect::<Vec<_>>() };
    let (new_parameters, new_velocities) = (new(&parameters), new(&velocities));
    let size = at_once(&scale, if free { 3 } else { 5 });
    for (group, decays) in by.decays.chunks(size).enumerate() {
        let of = |all: &[CubeTensor]| arguments(&all[group * size..][..decays.len()]);
        let (p, g, v) = (of(&parameters), of(&gradients), of(&velocities));
        let (client, count, dim) = (&scale.client, cubes(decays.len()), CubeDim::new_1d(UNITS));
        let (factor, rate) = (scale.clone().into_buffer_arg(), lr.clone().into_buffer_arg());
        let decays = decays.iter().copied().collect();
        if free {
            descend::launch(client, count, dim, p, g, v, factor, rate, decays, by.momentum);
        } else {
            let (np, nv) = (of(&new_parameters), of(&new_velocities));
            descend_apart::launch(client, count, dim, p, g, v, np, nv, factor, rate, decays, by.momentum);
        }
    }
    if free { (parameters, velocities) } else { (new_parameters, new_velocities) }
}
