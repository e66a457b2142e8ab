//! A module's tensors in a row, flat, so that an update takes them all at once: on a GPU a few kernels then do what would be one
//! a tensor.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::nn::kernels::{flat, shaped};

/// Tensors by the parameter they belong to, in the module's order.
pub type Flat = Vec<(ParamId, Tensor<1>)>;

/// A tensor taken out of a module, and what it is updated with.
pub struct Pair {
    pub id: ParamId,
    pub own: Tensor<1>,
    pub other: Tensor<1>,
}

/// The gradients of a module's parameters, without autodiff.
pub fn gradients<M: Module>(module: &M, grads: GradientsParams) -> Flat {
    struct Gradients(GradientsParams, Flat);
    impl ModuleVisitor for Gradients {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.extend(self.0.remove::<D>(param.id).map(|grad| (param.id, flat(grad))));
        }
    }
    let mut visitor = Gradients(grads, Vec::new());
    module.visit(&mut visitor);
    visitor.1
}

/// The values of a module without autodiff: of what is trained, or of its buffers.
pub fn values<M: Module>(module: &M, trained: bool) -> Flat {
    struct Values(bool, Flat);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() == self.0 {
                self.1.push((param.id, flat(param.val().inner())));
            }
        }
    }
    let mut visitor = Values(trained, Vec::new());
    module.visit(&mut visitor);
    visitor.1
}

/// Takes the values that have one of `others` out of a module, without autodiff, until [`put`] gives it new ones: held by nothing
/// else, they may be changed in place.
pub fn take<M: Module>(module: M, others: Flat) -> (M, Vec<Pair>) {
    struct Take(HashMap<ParamId, Tensor<1>>, Vec<Pair>);
    impl ModuleMapper for Take {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(other) = self.0.remove(&param.id) else { return param };
            let (id, value, _) = param.consume();
            let (shape, device, trained) = (value.shape(), value.device(), value.is_require_grad());
            self.1.push(Pair { id, own: flat(value.inner()), other });
            let dims: [usize; D] = shape.dims();
            let empty = move |device: &_, trained| Tensor::zeros(dims, device).set_require_grad(trained);
            Param::uninitialized(id, empty, device, trained, shape)
        }
    }
    let mut mapper = Take(others.into_iter().collect(), Vec::new());
    let module = module.map(&mut mapper);
    (module, mapper.1)
}

/// The module with these values, trained as it was.
pub fn put<M: Module>(module: M, values: Flat) -> M {
    struct Put(HashMap<ParamId, Tensor<1>>);
    impl ModuleMapper for Put {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(value) = self.0.remove(&param.id) else { return param };
            let dims: [usize; D] = param.lazy_shape().dims();
            let (id, value) = (param.id, shaped(value, dims));
            let value = if param.lazy_device().is_autodiff() { Tensor::from_inner(value) } else { value };
            param.transform_for_load(value, id)
        }
    }
    module.map(&mut Put(values.into_iter().collect()))
}
