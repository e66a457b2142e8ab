//! The optimiser's arithmetic over all parameters, from and to burn's tensors.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Cube, DispatchTensorKind};
use burn::tensor::{Shape, Tensor};

use super::descent::{self, Descended, Descending};
use super::lazy::queue;
use super::many;

/// burn's own of these tensors, which are a GPU's and outside of any graph, and their shapes.
fn primitives(tensors: Vec<Tensor<1>>) -> (Vec<FloatTensor<Cube>>, Vec<Shape>) {
    let shapes = tensors.iter().map(Tensor::shape).collect();
    let own = |tensor: Tensor<1>| match tensor.into_dispatch().kind {
        DispatchTensorKind::Cube(tensor) => Some(tensor.float()),
        _ => None,
    };
    (tensors.into_iter().filter_map(own).collect(), shapes)
}

fn tensors(primitives: Vec<FloatTensor<Cube>>) -> Vec<Tensor<1>> {
    primitives.into_iter().map(Tensor::from_primitive::<Cube>).collect()
}

/// v' = momentum v + (scale g + decay p), p' = p - lr v': (parameters, velocities). `scale` and `lr` are `[1]`.
pub fn sgd(
    [parameters, gradients, velocities]: [Vec<Tensor<1>>; 3],
    [scale, lr]: [Tensor<1>; 2],
    by: Descending,
) -> (Vec<Tensor<1>>, Vec<Tensor<1>>) {
    let n = parameters.len();
    let (mut inputs, shapes) = primitives(parameters);
    for more in [gradients, velocities, vec![scale, lr]] {
        inputs.extend(primitives(more).0);
    }
    let outputs = [&shapes[..], &shapes[..]].concat();
    let mut found = queue("clip_lung_sgd", inputs, outputs, move |mut arrays| {
        let (Some(lr), Some(scale)) = (arrays.pop(), arrays.pop()) else { return Vec::new() };
        let velocities = arrays.split_off(2 * n);
        let gradients = arrays.split_off(n);
        let on = Descended { parameters: arrays, gradients, velocities, scale, lr };
        let (parameters, velocities) = descent::sgd(on, &by);
        [parameters, velocities].concat()
    });
    let velocities = found.split_off(n);
    (tensors(found), tensors(velocities))
}

/// keep a + take b of each pair.
pub fn blend(averages: Vec<Tensor<1>>, values: Vec<Tensor<1>>, weights: [f32; 2]) -> Vec<Tensor<1>> {
    let n = averages.len();
    let (mut inputs, shapes) = primitives(averages);
    inputs.extend(primitives(values).0);
    let found = queue("clip_lung_blend", inputs, shapes, move |mut arrays| {
        let values = arrays.split_off(n);
        many::blend(arrays, values, weights)
    });
    tensors(found)
}

/// Writes values into arrays that others may hold too: those arrays.
pub fn write(arrays: Vec<Tensor<1>>, values: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    let n = arrays.len();
    let (mut inputs, shapes) = primitives(arrays);
    inputs.extend(primitives(values).0);
    let found = queue("clip_lung_write", inputs, shapes, move |mut arrays| {
        let values = arrays.split_off(n);
        many::write(arrays, values)
    });
    tensors(found)
}

/// Copies, each in an array of its own.
pub fn copies(values: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    let (inputs, shapes) = primitives(values);
    tensors(queue("clip_lung_copies", inputs, shapes, many::copies))
}

/// The sum of squares of all of them, of which there is one at least, `[1]`.
pub fn square_sum(all: Vec<Tensor<1>>) -> Tensor<1> {
    let (inputs, _) = primitives(all);
    let found = queue("clip_lung_square_sum", inputs, vec![[1].into()], |arrays| vec![many::square_sum(arrays)]);
    Tensor::cat(tensors(found), 0)
}
