//! The arithmetic of the optimiser and of the averaged weights, over all parameters at once, outside of any graph.

use burn::tensor::Tensor;

#[cfg(feature = "cube")]
use super::cube;
#[cfg(feature = "flex")]
use super::flex::Update;
#[cfg(feature = "flex")]
use super::place::on_cpu;
#[cfg(feature = "cube")]
use super::place::on_cube;
#[cfg(feature = "flex")]
use burn::backend::Dispatch;

/// A parameter before a step of SGD.
pub struct Descent {
    pub parameter: Tensor<1>,
    pub gradient: Tensor<1>,
    /// The momentum buffer; none before the first step.
    pub velocity: Option<Tensor<1>>,
    /// Coupled weight decay.
    pub decay: f64,
}

/// How far a step goes.
#[derive(Clone, Debug)]
pub enum LearningRate {
    Number(f64),
    /// Kept on the device, `[1]`, for steps that are recorded.
    Array(Box<Tensor<1>>),
}

impl From<f64> for LearningRate {
    fn from(lr: f64) -> Self {
        Self::Number(lr)
    }
}

/// One step of SGD with momentum (no dampening, no Nesterov) and coupled weight decay, gradients counting `scale` times, `[1]`:
/// v' = momentum v + (scale g + decay p), p' = p - lr v'. Returns (p', v') of each; without a velocity, v' = scale g + decay p.
pub fn sgd(
    all: Vec<Descent>,
    scale: Option<Tensor<1>>,
    lr: LearningRate,
    momentum: f64,
) -> Vec<(Tensor<1>, Tensor<1>)> {
    #[cfg(feature = "flex")]
    if let LearningRate::Number(lr) = lr
        && all.first().is_some_and(|one| on_cpu(&one.parameter))
    {
        let scale = scale.map_or(1.0, |scale| scale.into_scalar::<f32>());
        return all.into_iter().map(|one| flex_sgd(one, scale, [lr, momentum])).collect();
    }
    #[cfg(feature = "cube")]
    if all.iter().all(|one| on_cube(&one.parameter)) {
        return cube_sgd(all, scale, lr, momentum);
    }
    all.into_iter().map(|one| burn_sgd(one, scale.clone(), &lr, momentum)).collect()
}

#[cfg(feature = "cube")]
fn cube_sgd(
    all: Vec<Descent>,
    scale: Option<Tensor<1>>,
    lr: LearningRate,
    momentum: f64,
) -> Vec<(Tensor<1>, Tensor<1>)> {
    let Some(first) = all.first() else { return Vec::new() };
    let device = first.parameter.device();
    let scale = scale.unwrap_or_else(|| Tensor::ones([1], &device));
    let lr = match lr {
        LearningRate::Number(lr) => Tensor::full([1], lr, &device),
        LearningRate::Array(lr) => *lr,
    };
    let decays = all.iter().map(|one| one.decay as f32).collect();
    let by = cube::Descending { decays, momentum: momentum as f32 };
    let (mut parameters, mut gradients, mut velocities) = (Vec::new(), Vec::new(), Vec::new());
    for Descent { parameter, gradient, velocity, .. } in all {
        velocities.push(velocity.unwrap_or_else(|| Tensor::zeros(parameter.shape(), &parameter.device())));
        parameters.push(parameter);
        gradients.push(gradient);
    }
    let (parameters, velocities) = cube::sgd([parameters, gradients, velocities], [scale, lr], by);
    parameters.into_iter().zip(velocities).collect()
}

#[cfg(feature = "flex")]
fn flex_sgd(one: Descent, scale: f32, [lr, momentum]: [f64; 2]) -> (Tensor<1>, Tensor<1>) {
    let settings = [lr as f32, momentum as f32, one.decay as f32];
    let gradient = if scale == 1.0 { one.gradient } else { one.gradient * scale };
    let (p, g) = (one.parameter.into_dispatch(), gradient.into_dispatch());
    let (p, v) = match one.velocity {
        Some(v) => Dispatch::sgd(p, g, v.into_dispatch(), settings),
        None => Dispatch::sgd_first(p, g, settings),
    };
    (Tensor::from_dispatch(p), Tensor::from_dispatch(v))
}

pub(super) fn burn_sgd(
    one: Descent,
    scale: Option<Tensor<1>>,
    lr: &LearningRate,
    momentum: f64,
) -> (Tensor<1>, Tensor<1>) {
    let Descent { parameter: p, gradient: g, velocity, decay } = one;
    let g = match scale {
        Some(scale) => g * scale,
        None => g,
    };
    let g = g + p.clone() * decay;
    let v = match velocity {
        Some(v) => v * momentum + g,
        None => g,
    };
    let step = match lr {
        LearningRate::Number(lr) => v.clone() * *lr,
        LearningRate::Array(lr) => v.clone() * (**lr).clone(),
    };
    (p - step, v)
}

/// keep a + take b of each pair.
pub fn blend(pairs: Vec<(Tensor<1>, Tensor<1>)>, [keep, take]: [f64; 2]) -> Vec<Tensor<1>> {
    #[cfg(feature = "flex")]
    if pairs.first().is_some_and(|(a, _)| on_cpu(a)) {
        let weights = [keep as f32, take as f32];
        let one = |(a, b): (Tensor<1>, Tensor<1>)| Dispatch::blend(a.into_dispatch(), b.into_dispatch(), weights);
        return pairs.into_iter().map(|pair| Tensor::from_dispatch(one(pair))).collect();
    }
    #[cfg(feature = "cube")]
    if pairs.iter().all(|(a, b)| on_cube(a) && on_cube(b)) {
        let (averages, values) = pairs.into_iter().unzip();
        return cube::blend(averages, values, [keep as f32, take as f32]);
    }
    pairs.into_iter().map(|(a, b)| a * keep + b * take).collect()
}

/// Copies in arrays of their own, for a recording: elsewhere tensors never change, so that a second one does.
pub fn copies(values: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    #[cfg(feature = "cube")]
    if values.iter().all(on_cube) {
        return cube::copies(values);
    }
    values
}

/// Writes values into the arrays of these tensors, which change for all who hold them, where a GPU has the arrays: those arrays, or
/// else the values.
pub fn write(arrays: Vec<Tensor<1>>, values: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
    #[cfg(feature = "cube")]
    if arrays.iter().chain(&values).all(on_cube) {
        return cube::write(arrays, values);
    }
    let _ = arrays;
    values
}

/// The norm of all of them together, `[1]`.
pub fn norm(all: Vec<Tensor<1>>) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if !all.is_empty() && all.iter().all(on_cube) {
        return cube::square_sum(all).sqrt();
    }
    Tensor::cat(all.into_iter().map(square_sum).collect(), 0).sum().sqrt()
}

/// The sum of squares, `[1]`.
fn square_sum(x: Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if on_cpu(&x) {
        return Tensor::from_dispatch(Dispatch::square_sum(x.into_dispatch()));
    }
    (x.clone() * x).sum()
}

/// What gradients of this norm, `[1]`, are multiplied with so that it is `most` at most.
pub fn clip_factor(norm: Tensor<1>, most: f64) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if on_cpu(&norm) {
        let device = norm.device();
        let scale = (most / f64::from(norm.into_scalar::<f32>())).min(1.0);
        return Tensor::from_floats([scale as f32], &device);
    }
    norm.recip().mul_scalar(most).clamp_max(1.0)
}
