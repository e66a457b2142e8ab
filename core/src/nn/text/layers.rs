//! What the layers of a text tower are made of, frozen unless a tower is made trainable: LayerNorm and dense layers.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Tensor};

use super::products::Products;
use crate::base::tensors::Array;
use crate::nn::kernels::{layer_norm, matmul};
use crate::nn::layers::buffer;

/// LayerNorm.
#[derive(Module, Debug)]
pub struct Norm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl Norm {
    /// From weights.
    pub fn new(weight: Array, bias: Array, epsilon: f64, device: &Device) -> Self {
        let vector = |a: Array| buffer(a.values, [a.shape[0]], device);
        Self { weight: vector(weight), bias: vector(bias), epsilon }
    }

    /// Scale 1, shift 0.
    pub fn plain(width: usize, epsilon: f64, device: &Device) -> Self {
        let all = |value: f32| Array { shape: vec![width], values: vec![value; width] };
        Self::new(all(1.0), all(0.0), epsilon, device)
    }

    /// # Shapes
    /// `[n, width]` -> `[n, width]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}

/// `x @ weight + bias`, `weight` `[in, out]`.
#[derive(Module, Debug)]
pub struct Dense {
    weight: Param<Tensor<2>>,
    /// `[1, out]`
    bias: Param<Tensor<2>>,
}

impl Dense {
    /// From PyTorch's layout, `[out, in]`: transposed here.
    pub fn new(weight: Array, bias: Array, device: &Device) -> Self {
        let n = bias.shape[0];
        Self { weight: matrix(weight.transposed(), device), bias: buffer(bias.values, [1, n], device) }
    }

    /// From values `[in, out]`, without a shift.
    pub fn plain(values: Vec<f32>, inputs: usize, outputs: usize, device: &Device) -> Self {
        let bias = buffer(vec![0.0; outputs], [1, outputs], device);
        Self { weight: buffer(values, [inputs, outputs], device), bias }
    }

    /// With its products in this precision.
    pub fn in_precision(self, precision: Products) -> Self {
        Self { weight: held(self.weight, precision), ..self }
    }

    /// # Shapes
    /// `[n, in]` -> `[n, out]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        product(x, self.weight.val()) + self.bias.val()
    }
}

/// A constant matrix in the precision of its products.
pub fn held(matrix: Param<Tensor<2>>, precision: Products) -> Param<Tensor<2>> {
    Param::initialized(ParamId::new(), matrix.val().cast(precision.float()).set_require_grad(false))
}

/// `x @ matrix`, the factors in the precision that the matrix is held in, the result in that of `x`.
pub fn product(x: Tensor<2>, matrix: Tensor<2>) -> Tensor<2> {
    let (outside, inside) = (x.dtype(), matrix.dtype());
    if outside == inside { matmul(x, matrix) } else { x.cast(inside).matmul(matrix).cast(outside) }
}

/// A matrix that is never trained.
pub fn matrix(array: Array, device: &Device) -> Param<Tensor<2>> {
    let shape = [array.shape[0], array.shape[1]];
    buffer(array.values, shape, device)
}
