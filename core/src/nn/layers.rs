//! The layers the image network is made of, with PyTorch's layouts and initialisation.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use super::kernels;
use crate::base::random::Stream;

/// BatchNorm's epsilon.
pub const EPSILON: f64 = 1e-5;
/// PyTorch's momentum in training: new = 0.9 old + 0.1 batch.
pub const MOMENTUM: f64 = 0.1;

/// A buffer: stored with the weights, never trained.
pub fn buffer<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let tensor = Tensor::from_data(TensorData::new(values, shape), device);
    Param::initialized(ParamId::new(), tensor.set_require_grad(false))
}

/// What a layer's weights are before training.
pub enum Initial {
    /// PyTorch's default for convolutions and linear layers: U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    Uniform(Stream),
    /// Not there yet, for weights that are about to be read; zeros if they are not.
    Blank,
}

impl Initial {
    /// The next weights.
    pub fn weights<const D: usize>(&mut self, shape: [usize; D], fan_in: usize, device: &Device) -> Param<Tensor<D>> {
        match self {
            Self::Uniform(random) => {
                let bound = 1.0 / (fan_in as f64).sqrt();
                let values = (0..shape.iter().product()).map(|_| random.between(-bound, bound) as f32);
                Param::from_tensor(Tensor::from_data(TensorData::new(values.collect::<Vec<_>>(), shape), device))
            }
            Self::Blank => Param::uninitialized(
                ParamId::new(),
                move |device, trained| Tensor::zeros(shape, device).set_require_grad(trained),
                device.clone(),
                true,
                shape.into(),
            ),
        }
    }
}

/// Mean and unbiased variance of one batch, for the running averages.
pub struct BatchStatistics {
    pub mean: Tensor<1>,
    pub variance: Tensor<1>,
}

/// Batch normalisation: scale, shift and running statistics.
#[derive(Module, Debug)]
pub struct BatchNorm {
    pub weight: Param<Tensor<1>>,
    pub bias: Param<Tensor<1>>,
    pub running_mean: Param<Tensor<1>>,
    pub running_var: Param<Tensor<1>>,
}

/// A convolution without bias followed by batch normalisation; or, after [`ConvBn::fold`], one convolution with bias.
#[derive(Module, Debug)]
pub struct ConvBn {
    pub weight: Param<Tensor<4>>,
    pub bn: Option<BatchNorm>,
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    stride: usize,
}

impl ConvBn {
    /// `kernel` x `kernel`, padding `kernel / 2`.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        initial: &mut Initial,
        device: &Device,
    ) -> Self {
        let fan_in = inputs * kernel * kernel;
        let bn = BatchNorm {
            weight: Param::from_tensor(Tensor::ones([outputs], device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
            running_mean: buffer(vec![0.0; outputs], [outputs], device),
            running_var: buffer(vec![1.0; outputs], [outputs], device),
        };
        let weight = initial.weights([outputs, inputs, kernel, kernel], fan_in, device);
        Self { weight, bn: Some(bn), bias: None, stride }
    }

    /// Convolution, normalisation, `+ residual`, ReLU where asked for.
    ///
    /// Unfolded, the statistics are the batch's own and are appended to `statistics`: this is the training pass. Folded, the
    /// running statistics are inside the weights: this is inference.
    ///
    /// # Shapes
    /// `[n, inputs, h, w]` -> `[n, outputs, h / stride, w / stride]`, both in the device's own layout
    pub fn forward(
        &self,
        x: Tensor<4>,
        residual: Option<Tensor<4>>,
        relu: bool,
        statistics: &mut Vec<BatchStatistics>,
    ) -> Tensor<4> {
        let Some(bn) = &self.bn else {
            let bias = self.bias.as_ref().map_or_else(|| Tensor::zeros([1], &x.device()), Param::val);
            return kernels::conv2d_inference(x, self.weight.val(), bias, self.stride, residual, relu);
        };
        let y = kernels::conv2d(x, self.weight.val(), self.stride);
        let out = kernels::batch_norm(y, bn.weight.val(), bn.bias.val(), residual, relu, EPSILON);
        statistics.push(BatchStatistics { mean: out.mean, variance: out.variance });
        out.output
    }

    /// The same layer with the normalisation inside the convolution: w' = w g / sqrt(v + eps), b' = b - m g / sqrt(v + eps).
    pub fn fold(self) -> Self {
        let Some(bn) = self.bn else { return self };
        let scale = bn.weight.val() / (bn.running_var.val() + EPSILON).sqrt();
        let bias = bn.bias.val() - bn.running_mean.val() * scale.clone();
        Self {
            weight: Param::from_tensor(kernels::arrange(self.weight.into_value(), scale, self.stride)),
            bn: None,
            bias: Some(Param::from_tensor(bias)),
            stride: self.stride,
        }
    }
}

/// Moves the running statistics of these layers towards those of a training pass: new = (1 - momentum) old + momentum batch.
#[cfg(feature = "train")]
pub fn absorb<'a>(layers: impl Iterator<Item = &'a mut ConvBn>, batches: Vec<BatchStatistics>, momentum: f64) {
    let norms: Vec<&mut BatchNorm> = layers.filter_map(|layer| layer.bn.as_mut()).collect();
    let pairs = norms.iter().zip(batches).flat_map(|(bn, BatchStatistics { mean, variance })| {
        [(&bn.running_mean, mean), (&bn.running_var, variance)].map(|(old, new)| (old.val().inner(), new.inner()))
    });
    let blended = kernels::blend(pairs.collect(), [1.0 - momentum, momentum]);
    let buffers = norms.into_iter().flat_map(|bn| [&mut bn.running_mean, &mut bn.running_var]);
    for (buffer, value) in buffers.zip(blended) {
        let value = if buffer.val().device().is_autodiff() { Tensor::from_inner(value) } else { value };
        *buffer = Param::initialized(buffer.id, value.set_require_grad(false));
    }
}

/// A linear layer in PyTorch's layout.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[outputs, inputs]`
    pub weight: Param<Tensor<2>>,
    /// `[outputs]`
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// With PyTorch's initialisation.
    pub fn new(inputs: usize, outputs: usize, bias: bool, initial: &mut Initial, device: &Device) -> Self {
        Self {
            weight: initial.weights([outputs, inputs], inputs, device),
            bias: bias.then(|| initial.weights([outputs], inputs, device)),
        }
    }

    /// `[n, inputs]` -> `[n, outputs]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = kernels::matmul(x, self.weight.val().transpose());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// x / max(|x|, 1e-12) over the last axis.
#[cfg(feature = "train")]
pub fn normalise<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let norm = (x.clone() * x.clone()).sum_dim(D - 1).sqrt().clamp_min(1e-12);
    x / norm
}
