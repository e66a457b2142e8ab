//! The network's heavy operations, each with burn's own as the general case.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, activation, module};

/// What batch normalisation gives in training.
pub struct Normalised {
    pub output: Tensor<4>,
    /// The batch's mean, `[c]`.
    pub mean: Tensor<1>,
    /// The batch's biased variance, `[c]`.
    pub variance: Tensor<1>,
}

/// A square convolution with padding `kernel / 2`, without bias.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let padding = weight.dims()[2] / 2;
    module::conv2d(x, weight, None, ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1))
}

/// Convolution with bias, `+ residual`, ReLU where asked for.
pub fn conv2d_inference(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let padding = weight.dims()[2] / 2;
    let y = module::conv2d(x, weight, bias, ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1));
    finish(y, residual, relu)
}

/// Normalisation with the batch's own statistics, `+ residual`, ReLU where asked for.
pub fn batch_norm(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    residual: Option<Tensor<4>>,
    relu: bool,
    epsilon: f64,
) -> Normalised {
    let out = module::batch_norm_train(x, gamma, beta, epsilon);
    Normalised { output: finish(out.output, residual, relu), mean: out.mean, variance: out.variance }
}

fn finish(y: Tensor<4>, residual: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
    let y = match residual {
        Some(r) => y + r,
        None => y,
    };
    if relu { activation::relu(y) } else { y }
}

/// LayerNorm over the last axis (epsilon 1e-5).
pub fn layer_norm(x: Tensor<2>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<2> {
    let centred = x.clone() - x.mean_dim(1);
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    centred / (variance + 1e-5).sqrt() * weight.unsqueeze() + bias.unsqueeze()
}

/// x sigmoid(1.702 x)
pub fn quick_gelu(x: Tensor<2>) -> Tensor<2> {
    x.clone() * activation::sigmoid(x * 1.702)
}
