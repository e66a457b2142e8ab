//! SGD with momentum 0.9 (no dampening, no Nesterov) and coupled weight decay, PyTorch's conventions.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, LearningRate, Optimizer as BurnOptimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};

use crate::base::tensors::{Array, Arrays};
use crate::error::{Error, Result};
use crate::nn::kernels;

/// An optimiser in burn's sense: burn's own SGD passes over the weights ten times a step, this one once.
#[derive(Clone)]
struct Sgd {
    momentum: f64,
    weight_decay: f64,
}

/// A parameter's momentum buffer.
#[derive(Clone)]
struct Velocity<const D: usize> {
    velocity: Tensor<D>,
}

impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "velocity", self.velocity.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        source.take_tensor(prefix, "velocity").map(|data| Self { velocity: Tensor::from_data(data, device) })
    }
}

impl BurnOptimizer for Sgd {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let settings = [lr, self.momentum, self.weight_decay];
        let (tensor, velocity) = kernels::sgd(tensor, grad, state.map(|s| s.velocity), settings);
        (tensor, Some(Velocity { velocity }))
    }

    fn to_device<const D: usize>(state: Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity { velocity: state.velocity.to_device(device) }
    }
}

/// SGD for every parameter of a module, with its momentum buffers by parameter.
pub struct Optimizer {
    decayed: Sgd,
    plain: Sgd,
    /// Parameters without weight decay.
    exempt: Vec<ParamId>,
    states: HashMap<ParamId, Box<dyn Any + Send>>,
}

impl Optimizer {
    /// `exempt`: parameters without weight decay.
    pub fn new(momentum: f64, weight_decay: f64, exempt: Vec<ParamId>) -> Self {
        let decayed = Sgd { momentum, weight_decay };
        Self { decayed, plain: Sgd { momentum, weight_decay: 0.0 }, exempt, states: HashMap::new() }
    }

    /// One update of every parameter that has a gradient; gradients count `scale` times.
    pub fn step<M: Module>(&mut self, lr: f64, module: M, grads: GradientsParams, scale: f64) -> M {
        module.map(&mut Update { optimizer: self, lr, grads, scale })
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

/// The norm of all gradients of a module together, `[1]`.
pub fn gradient_norm<M: Module>(module: &M, grads: &GradientsParams) -> Tensor<1> {
    let mut visitor = Squares { grads, sums: Vec::new() };
    module.visit(&mut visitor);
    Tensor::cat(visitor.sums, 0).sum().sqrt()
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.sums.extend(self.grads.get::<D>(param.id).map(kernels::square_sum));
    }
}

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    lr: f64,
    grads: GradientsParams,
    scale: f64,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else { return param };
        let grad = if self.scale == 1.0 { grad } else { grad * self.scale };
        let id = param.id;
        let state = self.optimizer.states.remove(&id).and_then(|s| s.downcast::<Velocity<D>>().ok()).map(|s| *s);
        let sgd = if self.optimizer.exempt.contains(&id) { &self.optimizer.plain } else { &self.optimizer.decayed };
        let (_, tensor, mapper) = param.consume();
        let (tensor, state) = sgd.step(self.lr, tensor.inner(), grad, state);
        if let Some(state) = state {
            self.optimizer.states.insert(id, Box::new(state));
        }
        Param::from_mapped_value(id, Tensor::from_inner(tensor).require_grad(), mapper)
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
        let state = self.optimizer.states.get(&param.id).and_then(|s| s.downcast_ref::<Velocity<D>>());
        let shape = param.dims().to_vec();
        let values = match state {
            Some(state) => state.velocity.to_data().iter::<f32>().collect(),
            None => vec![0.0; shape.iter().product()],
        };
        self.out.insert(name.clone(), Array { shape, values });
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
    fn velocity<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Velocity<D>> {
        let (file, stored) = (self.file.to_owned(), format!("velocity.{name}"));
        match self.buffers.remove(name) {
            None => Err(Error::MissingTensor { file, name: stored }),
            Some(found) if found.shape != shape => {
                Err(Error::Shape { file, name: stored, expected: shape.to_vec(), found: found.shape })
            }
            Some(found) => {
                Ok(Velocity { velocity: Tensor::from_data(TensorData::new(found.values, shape), self.device) })
            }
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
            Ok(state) => drop(self.optimizer.states.insert(param.id, Box::new(state))),
            Err(error) => self.outcome = Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;

    #[derive(Module, Debug)]
    struct One {
        p: Param<Tensor<1>>,
    }

    fn names(m: &One) -> BTreeMap<ParamId, String> {
        [(m.p.id, "p".to_owned())].into()
    }

    /// A gradient of norm 5 over two sizes, scaled to 1.
    #[test]
    fn clipping() {
        let device = Device::flex().autodiff();
        let m = One { p: Param::from_tensor(Tensor::from_floats([1.0, 1.0], &device)) };
        let grads =
            GradientsParams::from_grads((m.p.val() * Tensor::from_floats([3.0, 4.0], &device)).sum().backward(), &m);
        assert!((gradient_norm(&m, &grads).into_scalar::<f32>() - 5.0).abs() < 1e-6);
        let m = Optimizer::new(0.9, 0.0, vec![]).step(0.1, m, grads, 1.0 / 5.0);
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
            let grads = GradientsParams::from_grads(loss.backward(), &m);
            assert!((gradient_norm(&m, &grads).into_scalar::<f32>() - grad.abs()).abs() < 1e-7);
            m = optimizer.step(1e-3, m, grads, 1.0);
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
