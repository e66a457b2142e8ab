//! New arrays of a GPU.

use burn::tensor::{DType, Shape};
use burn_cubecl::tensor::CubeTensor;

/// An array of this shape beside `other`, its values anything.
pub fn empty<const D: usize>(other: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let shape = Shape::from(shape);
    let handle = other.client.empty(shape.num_elements() * DType::F32.size());
    CubeTensor::new_contiguous(other.client.clone(), other.device.clone(), shape, handle, DType::F32)
}

/// One of the same shape.
pub fn like(other: &CubeTensor) -> CubeTensor {
    let shape = other.meta.shape().clone();
    let handle = other.client.empty(shape.num_elements() * DType::F32.size());
    CubeTensor::new_contiguous(other.client.clone(), other.device.clone(), shape, handle, DType::F32)
}
