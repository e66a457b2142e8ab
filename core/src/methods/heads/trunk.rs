//! What every head begins with: pooling and the classifier. It is also all of a head that inference needs.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::methods::pool::{self, Pool, Reduce};
use crate::nn::backbone::FEATURES;
use crate::nn::layers::{Initial, Linear};

/// Pooling and the linear classifier.
#[derive(Module, Debug)]
pub struct Trunk {
    /// With [`Pool::View`] alone.
    reduce: Option<Reduce>,
    /// `[U, 512]`, or `[U, 513]` where the diameter is an input.
    fc: Linear,
}

/// What a classifier looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub pool: Pool,
    /// Outputs U.
    pub units: usize,
    pub bias: bool,
    /// Whether ln De - ln 8 is one more input.
    pub diameter: bool,
}

/// ln De - ln 8 of an equivalent diameter in mm: about 0 in the middle, with a deviation of about 0.5.
pub fn log_diameter(diameter_mm: f64) -> f32 {
    (diameter_mm.ln() - 8f64.ln()) as f32
}

/// What one pass gives a head.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The classifier's input without the diameter, `[n, 512]`.
    pub features: Tensor<2>,
    /// The channel groups, not normalised, `[n, 4, 512]`; with [`Pool::View`] alone.
    pub groups: Option<Tensor<3>>,
    /// The classifier's outputs u, `[n, U]`.
    pub outputs: Tensor<2>,
}

impl Trunk {
    /// With PyTorch's initialisation, or blank; the diameter's weights start at 0.
    pub fn new(shape: Shape, initial: &mut Initial, device: &Device) -> Self {
        let reduce = (shape.pool == Pool::View).then(|| Reduce::new(initial, device));
        let mut fc = Linear::new(FEATURES, shape.units, shape.bias, initial, device);
        if shape.diameter {
            fc = match initial {
                Initial::Blank => Linear::new(FEATURES + 1, shape.units, shape.bias, initial, device),
                Initial::Uniform(_) => Linear { weight: with_column(&fc.weight, device), ..fc },
            };
        }
        Self { reduce, fc }
    }

    /// The same with these biases.
    pub fn with_bias(self, bias: &[f32], device: &Device) -> Self {
        let fc = Linear { bias: Some(Param::from_tensor(Tensor::from_floats(bias, device))), ..self.fc };
        Self { fc, ..self }
    }

    /// The classifier's outputs U.
    pub fn units(&self) -> usize {
        self.fc.weight.val().dims()[0]
    }

    /// Where it lies.
    pub fn device(&self) -> Device {
        self.fc.weight.val().device()
    }

    /// # Shapes
    /// `layer4` `[n, 512, 4, 4]`, `log_diameter` (ln De - ln 8) `[n, 1]` where the diameter is an input
    pub fn forward(&self, layer4: Tensor<4>, log_diameter: Option<Tensor<2>>) -> Pass {
        let (features, groups) = match &self.reduce {
            Some(reduce) => {
                let reduced = reduce.forward(layer4);
                (pool::two_by_two(reduced.clone()), Some(pool::groups(reduced)))
            }
            None => (pool::mean(layer4), None),
        };
        let input = match log_diameter {
            Some(column) => Tensor::cat(vec![features.clone(), column], 1),
            None => features.clone(),
        };
        Pass { features, groups, outputs: self.fc.forward(input) }
    }
}

fn with_column(weight: &Param<Tensor<2>>, device: &Device) -> Param<Tensor<2>> {
    let zeros = Tensor::zeros([weight.val().dims()[0], 1], device);
    Param::from_tensor(Tensor::from_inner(Tensor::cat(vec![weight.val().inner(), zeros.inner()], 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Stream;
    use crate::nn::parameters::collect;

    fn trunk(pool: Pool, diameter: bool) -> Trunk {
        let mut initial = Initial::Uniform(Stream::new(1, 1));
        Trunk::new(Shape { pool, units: 3, bias: true, diameter }, &mut initial, &Device::flex())
    }

    /// Reference values: reduce 4128; classifier 512 C + C.
    #[test]
    fn parameter_count() {
        assert_eq!(trunk(Pool::View, false).num_params(), 4128 + 512 * 3 + 3);
        assert_eq!(trunk(Pool::Mean, true).num_params(), 513 * 3 + 3);
    }

    /// A fresh model with the diameter answers as one without it.
    #[test]
    fn the_diameter_starts_at_nothing() {
        let device = Device::flex();
        let (plain, with) = (trunk(Pool::Mean, false), trunk(Pool::Mean, true));
        assert_eq!(collect(&with)["fc.weight"].shape, [3, 513]);
        let layer4 = Tensor::<4>::ones([2, 512, 4, 4], &device);
        let column = Tensor::<2>::from_floats([[0.3], [-2.0]], &device);
        let a = plain.forward(layer4.clone(), None).outputs;
        let b = with.forward(layer4, Some(column)).outputs;
        assert!((a - b).abs().max().into_scalar::<f32>() < 1e-6);
    }
}
