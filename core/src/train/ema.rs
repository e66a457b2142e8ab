//! The exponential moving average of the weights, which is what is evaluated and exported.

use burn::module::Module;

use super::flat::{Flat, put, take, values};
use crate::nn::kernels;

/// An averaged copy of a module, without autodiff.
#[derive(Clone)]
pub struct Ema<M: Module> {
    pub module: M,
    decay: f64,
}

impl<M: Module> Ema<M> {
    /// Starts at the module's present values.
    pub fn new(module: &M, decay: f64) -> Self {
        Self { module: module.valid(), decay }
    }

    /// After a step: average = decay average + (1 - decay) parameter.
    #[must_use]
    pub fn update(mut self, module: &M) -> Self {
        if self.decay == 0.0 {
            self.module = put(self.module, values(module, true));
            return self;
        }
        let (own, pairs) = take(self.module, values(module, true));
        let ids: Vec<_> = pairs.iter().map(|pair| pair.id).collect();
        let blended = kernels::blend(
            pairs.into_iter().map(|pair| (pair.own, pair.other)).collect(),
            [self.decay, 1.0 - self.decay],
        );
        self.module = put(own, ids.into_iter().zip(blended).collect::<Flat>());
        self
    }

    /// At the end of an epoch: buffers are copied.
    #[must_use]
    pub fn copy_buffers(mut self, module: &M) -> Self {
        self.module = put(self.module, values(module, false));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{Param, ParamId};
    use burn::tensor::{Device, Tensor};

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
