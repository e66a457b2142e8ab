//! Arrays of the CPU backend: their values, their sizes, fresh ones, and loops over them with the widest vectors.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use rayon::prelude::*;

/// A tensor of the CPU backend.
pub type FlexTensor = FloatTensor<Flex>;

/// The values of a tensor, contiguous.
pub fn values(x: &FlexTensor) -> std::borrow::Cow<'_, [f32]> {
    match x.as_slice::<f32>() {
        Some(slice) => std::borrow::Cow::Borrowed(slice),
        None => std::borrow::Cow::Owned(x.to_contiguous().storage::<f32>().to_vec()),
    }
}

/// A tensor that is done with, contiguous, to be written over: its storage is copied only where another tensor shares it.
#[cfg(feature = "train")]
pub fn own(x: FlexTensor) -> FlexTensor {
    x.to_contiguous()
}

/// A tensor of these values.
pub fn array(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(burn::tensor::TensorData::new(values, shape.to_vec()))
}

/// Zeros to be written over, filled by all threads: burn's own empty tensors are filled twice by one.
pub fn zeroed(shape: &[usize]) -> Vec<f32> {
    (0..shape.iter().product()).into_par_iter().with_min_len(1 << 16).map(|_| 0.0).collect()
}

/// The sizes of a tensor.
pub fn dims<const D: usize>(x: &FlexTensor) -> [usize; D] {
    let shape = x.layout().shape();
    std::array::from_fn(|i| shape[i])
}

/// Runs a loop with the widest vectors that the processor has.
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    struct Work<F>(F);
    impl<R, F: FnOnce() -> R> pulp::NullaryFnOnce for Work<F> {
        type Output = R;
        #[inline(always)]
        fn call(self) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Work(work))
}
