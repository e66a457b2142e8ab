//! The optimiser's arithmetic over all parameters, from and to burn's tensors.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Cube, DispatchTensorKind};
use burn::tensor::{Shape, Tensor};

use super::lazy::queue;
use super::many::{self, Descending};

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

/// v' = momentum v + (scale g + decay p), p' = p - lr v': (parameters, velocities).
pub fn sgd(
    parameters: Vec<Tensor<1>>,
    gradients: Vec<Tensor<1>>,
    velocities: Vec<Tensor<1>>,
    scale: Tensor<1>,
    by: Descending,
) -> (Vec<Tensor<1>>, Vec<Tensor<1>>) {
    let n = parameters.len();
    let (mut inputs, shapes) = primitives(parameters);
    for more in [gradients, velocities, vec![scale]] {
        inputs.extend(primitives(more).0);
    }
    let outputs = [&shapes[..], &shapes[..]].concat();
    let mut found = queue("clip_lung_sgd", inputs, outputs, move |mut arrays| {
        let scale = arrays.split_off(3 * n);
        let velocities = arrays.split_off(2 * n);
        let gradients = arrays.split_off(n);
        let (parameters, velocities) = many::sgd(arrays, gradients, velocities, &scale[0], &by);
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

/// The sum of squares of all of them, of which there is one at least, `[1]`.
pub fn square_sum(all: Vec<Tensor<1>>) -> Tensor<1> {
    let (inputs, _) = primitives(all);
    let found = queue("clip_lung_square_sum", inputs, vec![[1].into()], |arrays| vec![many::square_sum(arrays)]);
    Tensor::cat(tensors(found), 0)
}
