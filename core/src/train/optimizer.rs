//! SGD with momentum 0.9 (no dampening, no Nesterov) and coupled weight decay, PyTorch's conventions.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use super::flat::{Flat, Pair, put, take};
use crate::base::tensors::{Array, Arrays};
use crate::error::{Error, Result};
use crate::nn::kernels::{self, Descent, LearningRate};

/// SGD for every parameter of a module, with its momentum buffers, flat, by parameter.
#[derive(Clone)]
pub struct Optimizer {
    momentum: f64,
    weight_decay: f64,
    /// Parameters without weight decay.
    exempt: Vec<ParamId>,
    velocities: HashMap<ParamId, Tensor<1>>,
}

impl Optimizer {
    /// `exempt`: parameters without weight decay.
    pub fn new(momentum: f64, weight_decay: f64, exempt: Vec<ParamId>) -> Self {
        Self { momentum, weight_decay, exempt, velocities: HashMap::new() }
    }

    /// One update of every parameter that has a gradient; gradients count `scale` times, `[1]`.
    pub fn step<M: Module>(&mut self, lr: LearningRate, module: M, grads: Flat, scale: Option<Tensor<1>>) -> M {
        let (module, pairs) = take(module, grads);
        let ids: Vec<ParamId> = pairs.iter().map(|pair| pair.id).collect();
        let descents = pairs.into_iter().map(|Pair { id, own, other }| Descent {
            parameter: own,
            gradient: other,
            velocity: self.velocities.remove(&id),
            decay: if self.exempt.contains(&id) { 0.0 } else { self.weight_decay },
        });
        let updated = kernels::sgd(descents.collect(), scale, lr, self.momentum);
        let mut values = Flat::with_capacity(ids.len());
        for (id, (parameter, velocity)) in ids.into_iter().zip(updated) {
            self.velocities.insert(id, velocity);
            values.push((id, parameter));
        }
        put(module, values)
    }

    /// A parameter's momentum buffer: zeros like its value before its first step.
    #[cfg(feature = "cube")]
    pub fn velocity(&self, id: ParamId, value: &Tensor<1>) -> Tensor<1> {
        self.velocities.get(&id).cloned().unwrap_or_else(|| Tensor::zeros(value.shape(), &value.device()))
    }

    /// Puts momentum buffers in the place of those there are.
    #[cfg(feature = "cube")]
    pub fn restore_velocities(&mut self, velocities: Flat) {
        self.velocities = velocities.into_iter().collect();
    }

    /// The momentum buffers by the module's parameter names: zeros for trained parameters that had no gradient yet, so that a stored
    /// state is whole or damaged, and nothing between.
    pub fn buffers<M: Module>(&self, module: &M, names: &BTreeMap<ParamId, String>) -> Arrays {
        let mut visitor = Collect { optimizer: self, names, out: Arrays::new() };
        module.visit(&mut visitor);
        visitor.out
    }

    /// Puts stored momentum buffers back; `file` names them in errors.
    ///
    /// # Errors
    /// A trained parameter whose buffer is missing or of another shape, a buffer of no parameter.
    pub fn restore<M: Module>(
        &mut self,
        module: &M,
        names: &BTreeMap<ParamId, String>,
        mut buffers: Arrays,
        device: &Device,
        file: &str,
    ) -> Result<()> {
        let mut visitor = Restore { optimizer: self, names, buffers: &mut buffers, device, file, outcome: Ok(()) };
        module.visit(&mut visitor);
        visitor.outcome?;
        match buffers.into_keys().next() {
            Some(name) => Err(Error::UnknownTensor { file: file.into(), name: format!("velocity.{name}") }),
            None => Ok(()),
        }
    }
}

struct Collect<'a> {
    optimizer: &'a Optimizer,
    names: &'a BTreeMap<ParamId, String>,
    out: Arrays,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(name) = self.names.get(&param.id).filter(|_| param.is_require_grad()) else { return };
        let dims: [usize; D] = param.dims();
        let values = match self.optimizer.velocities.get(&param.id) {
            Some(velocity) => kernels::shaped(velocity.clone(), dims).into_data().iter::<f32>().collect(),
            None => vec![0.0; dims.iter().product()],
        };
        self.out.insert(name.clone(), Array { shape: dims.to_vec(), values });
    }
}

struct Restore<'a> {
    optimizer: &'a mut Optimizer,
    names: &'a BTreeMap<ParamId, String>,
    buffers: &'a mut Arrays,
    device: &'a Device,
    file: &'a str,
    outcome: Result<()>,
}

impl Restore<'_> {
    fn velocity<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Tensor<1>> {
        let (file, stored) = (self.file.to_owned(), format!("velocity.{name}"));
        match self.buffers.remove(name) {
            None => Err(Error::MissingTensor { file, name: stored }),
            Some(found) if found.shape != shape => {
                Err(Error::Shape { file, name: stored, expected: shape.to_vec(), found: found.shape })
            }
            Some(found) => Ok(kernels::flat(Tensor::<D>::from_data(TensorData::new(found.values, shape), self.device))),
        }
    }
}

impl ModuleVisitor for Restore<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(name) = self.names.get(&param.id).filter(|_| param.is_require_grad()) else { return };
        if self.outcome.is_err() {
            return;
        }
        match self.velocity(name, param.dims()) {
            Ok(velocity) => drop(self.optimizer.velocities.insert(param.id, velocity)),
            Err(error) => self.outcome = Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::flat::gradients;
    use burn::optim::GradientsParams;

    #[derive(Module, Debug)]
    struct One {
        p: Param<Tensor<1>>,
    }

    fn names(m: &One) -> BTreeMap<ParamId, String> {
        [(m.p.id, "p".to_owned())].into()
    }

    fn norm(grads: &Flat) -> Tensor<1> {
        kernels::norm(grads.iter().map(|(_, grad)| grad.clone()).collect())
    }

    /// A gradient of norm 5 over two sizes, clipped to 1; one below the limit stays as it is.
    #[test]
    fn clipping() {
        let device = Device::flex().autodiff();
        let m = One { p: Param::from_tensor(Tensor::from_floats([1.0, 1.0], &device)) };
        let loss = (m.p.val() * Tensor::from_floats([3.0, 4.0], &device)).sum();
        let grads = gradients(&m, GradientsParams::from_grads(loss.backward(), &m));
        assert!((norm(&grads).into_scalar::<f32>() - 5.0).abs() < 1e-6);
        assert_eq!(kernels::clip_factor(norm(&grads), 7.0).into_scalar::<f32>(), 1.0);
        let scale = kernels::clip_factor(norm(&grads), 1.0);
        let m = Optimizer::new(0.9, 0.0, vec![]).step(0.1.into(), m, grads, Some(scale));
        let p: Vec<f32> = m.p.val().into_data().iter::<f32>().collect();
        assert!((p[0] - 0.94).abs() < 1e-6 && (p[1] - 0.92).abs() < 1e-6, "{p:?}");
    }

    /// Reference values: p = 1, gradients .5, -.2, .1, lr 1e-3: three steps; a stored and restored buffer changes nothing.
    #[test]
    fn three_steps_golden() {
        let device = Device::flex().autodiff();
        let mut m = One { p: Param::from_tensor(Tensor::from_floats([1.0], &device)) };
        let mut optimizer = Optimizer::new(0.9, 1e-4, vec![]);
        for (grad, p, buffer) in
            [(0.5f32, 0.9994999, 0.5001), (-0.2, 0.99924971, 0.25018995), (0.1, 0.998924439, 0.32527088)]
        {
            let loss = (m.p.val() * grad).sum();
            let grads = gradients(&m, GradientsParams::from_grads(loss.backward(), &m));
            assert!((norm(&grads).into_scalar::<f32>() - grad.abs()).abs() < 1e-7);
            m = optimizer.step(1e-3.into(), m, grads, None);
            assert!((m.p.val().into_scalar::<f32>() - p).abs() < 1e-7);
            let stored = optimizer.buffers(&m, &names(&m));
            assert!((stored["p"].values[0] - buffer).abs() < 1e-6);
            optimizer = Optimizer::new(0.9, 1e-4, vec![]);
            optimizer.restore(&m, &names(&m), stored, &Device::flex(), "state").unwrap();
        }
    }

    /// Before the first step a state holds zeros; one without a buffer, with another shape or with a buffer of nothing is refused.
    #[test]
    fn a_state_is_whole_or_refused() {
        let device = Device::flex().autodiff();
        let m = One { p: Param::from_tensor(Tensor::from_floats([1.0, 2.0], &device)) };
        let mut optimizer = Optimizer::new(0.9, 0.0, vec![]);
        let fresh = optimizer.buffers(&m, &names(&m));
        assert_eq!(fresh["p"], Array { shape: vec![2], values: vec![0.0; 2] });
        let mut refused = |buffers: Arrays| {
            let restored = optimizer.restore(&m, &names(&m), buffers, &Device::flex(), "state");
            restored.unwrap_err().to_string()
        };
        let array = |n: usize| Array { shape: vec![n], values: vec![0.0; n] };
        assert!(refused(Arrays::new()).contains("`velocity.p` is missing"));
        assert!(refused([("p".to_owned(), array(3))].into()).contains("shape [3], expected [2]"));
        let more = [("p".to_owned(), array(2)), ("q".to_owned(), array(2))];
        assert!(refused(more.into()).contains("`velocity.q` is not part"));
    }
}
