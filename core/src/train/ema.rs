//! The exponential moving average of the weights, which is what is evaluated and exported.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use crate::nn::kernels::blend;

/// An averaged copy of a module, without autodiff.
pub struct Ema<M: Module> {
    pub module: M,
    decay: f64,
}

/// Current values by parameter: the trained ones or the buffers.
struct Current {
    trained: bool,
    values: HashMap<ParamId, Box<dyn Any>>,
}

impl ModuleVisitor for Current {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() == self.trained {
            self.values.insert(param.id, Box::new(param.val().inner()));
        }
    }
}

struct Blend {
    current: HashMap<ParamId, Box<dyn Any>>,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = self.current.remove(&param.id).and_then(|v| v.downcast::<Tensor<D>>().ok());
        let Some(value) = value else { return param };
        let decay = self.decay;
        param.map(|old| if decay == 0.0 { *value } else { blend(old, *value, decay) })
    }
}

impl<M: Module> Ema<M> {
    /// Starts at the module's present values.
    pub fn new(module: &M, decay: f64) -> Self {
        Self { module: module.valid(), decay }
    }

    fn blend(mut self, module: &M, trained: bool, decay: f64) -> Self {
        let mut current = Current { trained, values: HashMap::new() };
        module.visit(&mut current);
        self.module = self.module.map(&mut Blend { current: current.values, decay });
        self
    }

    /// After a step: average = decay average + (1 - decay) parameter.
    #[must_use]
    pub fn update(self, module: &M) -> Self {
        let decay = self.decay;
        self.blend(module, true, decay)
    }

    /// At the end of an epoch: buffers are copied.
    #[must_use]
    pub fn copy_buffers(self, module: &M) -> Self {
        self.blend(module, false, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct One {
        p: Param<Tensor<1>>,
        b: Param<Tensor<1>>,
    }

    fn one(p: f32, b: f32, like: Option<&One>) -> One {
        let device = Device::flex().autodiff();
        let value = |v: f32| Tensor::from_floats([v], &device);
        let id = |pick: fn(&One) -> ParamId| like.map_or_else(ParamId::new, pick);
        One {
            p: Param::initialized(id(|o| o.p.id), value(p).require_grad()),
            b: Param::initialized(id(|o| o.b.id), value(b)),
        }
    }

    /// Reference values: the average over p = .9994999, .99924971, .998924439 from 1.
    #[test]
    fn golden_and_buffers() {
        let start = one(1.0, 5.0, None);
        let mut ema = Ema::new(&start, 0.999);
        for (p, average) in [(0.9994999, 0.9999995), (0.99924971, 0.99999875), (0.998924439, 0.999997676)] {
            ema = ema.update(&one(p, 7.0, Some(&start)));
            assert!((ema.module.p.val().into_scalar::<f32>() - average).abs() < 1e-7);
            assert_eq!(ema.module.b.val().into_scalar::<f32>(), 5.0);
        }
        ema = ema.copy_buffers(&one(0.0, 7.0, Some(&start)));
        assert_eq!(ema.module.b.val().into_scalar::<f32>(), 7.0);
        assert!(ema.module.p.val().into_scalar::<f32>() > 0.99);
    }
}
