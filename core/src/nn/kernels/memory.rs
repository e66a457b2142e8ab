//! The order in which a parameter's values lie in memory, for what passes over them flat.

use std::array::from_fn;

use burn::tensor::Tensor;

use super::place::on_cpu;

/// A convolution's axes, channels last, and back.
const CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];
const CHANNELS_SECOND: [usize; 4] = [0, 3, 1, 2];

/// A parameter's values, or its gradient's, as they lie in memory: those of a convolution, on a GPU, channels last, as its kernels read
/// and give them.
pub fn flat<const D: usize>(value: Tensor<D>) -> Tensor<1> {
    let n = value.shape().num_elements();
    if D != 4 || on_cpu(&value) {
        return value.reshape([n]);
    }
    value.permute(from_fn::<_, D, _>(|axis| CHANNELS_LAST[axis])).reshape([n])
}

/// The reverse of [`flat`].
pub fn shaped<const D: usize>(values: Tensor<1>, dims: [usize; D]) -> Tensor<D> {
    if D != 4 || on_cpu(&values) {
        return values.reshape(dims);
    }
    let last: [usize; D] = from_fn(|axis| dims[CHANNELS_LAST[axis]]);
    values.reshape(last).permute(from_fn::<_, D, _>(|axis| CHANNELS_SECOND[axis]))
}
