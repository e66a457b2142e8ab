//! Which backend a tensor lives on, and what its device can hold.

use burn::tensor::{Device, Tensor};

/// Whether a device is the CPU backend's.
pub fn is_cpu(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return device.clone().without_autodiff() == Device::flex();
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}

/// Whether a tensor lives on the CPU backend.
pub fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    is_cpu(&x.device())
}

/// Whether a tensor lives on a GPU for which there are kernels here, in the precision they compute in.
#[cfg(all(feature = "cube", feature = "train"))]
pub fn on_cube<const D: usize>(x: &Tensor<D>) -> bool {
    !on_cpu(x) && x.dtype() == burn::tensor::DType::F32
}

/// The bytes of the largest array that a device can hold, where it is a GPU for which there are kernels here.
#[cfg(feature = "train")]
pub fn largest_array(device: &Device) -> Option<u64> {
    #[cfg(feature = "cube")]
    if let burn::backend::DispatchDevice::Cube(device) = device.clone().without_autodiff().as_dispatch() {
        return Some(device.client().properties().memory.max_page_size);
    }
    let _ = device;
    None
}
