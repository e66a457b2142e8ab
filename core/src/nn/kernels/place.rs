//! Which backend a tensor lives on.

use burn::tensor::Tensor;

/// Whether a tensor lives on the CPU backend.
pub fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    return x.device().without_autodiff() == burn::tensor::Device::flex();
    #[cfg(not(feature = "flex"))]
    {
        let _ = x;
        false
    }
}

/// Whether a tensor lives on a GPU for which there are kernels here, in the precision they compute in.
#[cfg(all(feature = "cube", feature = "train"))]
pub fn on_cube<const D: usize>(x: &Tensor<D>) -> bool {
    !on_cpu(x) && x.dtype() == burn::tensor::DType::F32
}
