//! LayerNorm of rows with constant weights, a kernel forward and one back: a cube takes a row.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::like;
use super::sums::total;

/// Units of a cube.
const UNITS: u32 = 64;

/// Mean of a cube's row and 1 / its deviation.
#[cube]
fn moments(
    x: &[f32],
    n: f32,
    epsilon: f32,
    shared: &mut Shared<[f32]>,
    #[comptime] width: usize,
    #[comptime] units: usize,
) -> (f32, f32) {
    let first = CUBE_POS_X as usize * width;
    let unit = UNIT_POS_X as usize;
    let steps = comptime![width.div_ceil(units)];
    let mut sum = 0.0f32;
    for k in 0..steps {
        let i = k * units + unit;
        if i < width {
            sum += x[first + i];
        }
    }
    let mean = total(sum, shared, units) / n;
    let mut square = 0.0f32;
    for k in 0..steps {
        let i = k * units + unit;
        if i < width {
            let centred = x[first + i] - mean;
            square += centred * centred;
        }
    }
    (mean, 1.0f32 / (total(square, shared, units) / n + epsilon).sqrt())
}

#[cube(launch)]
fn normalise_row(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    output: &mut [f32],
    n: f32,
    epsilon: f32,
    #[comptime] width: usize,
    #[comptime] units: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(units);
    let first = CUBE_POS_X as usize * width;
    let unit = UNIT_POS_X as usize;
    let steps = comptime![width.div_ceil(units)];
    let (mean, scale) = moments(x, n, epsilon, &mut shared, width, units);
    for k in 0..steps {
        let i = k * units + unit;
        if i < width {
            output[first + i] = (x[first + i] - mean) * scale * weight[i] + bias[i];
        }
    }
}

/// With g the gradient times the weights and h the normalised row: dx = (g - mean(g) - h mean(g h)) / std.
#[cube(launch)]
fn normalise_row_back(
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    x_grad: &mut [f32],
    n: f32,
    epsilon: f32,
    #[comptime] width: usize,
    #[comptime] units: usize,
) {
    let mut shared = Shared::<[f32]>::new_slice(units);
    let first = CUBE_POS_X as usize * width;
    let unit = UNIT_POS_X as usize;
    let steps = comptime![width.div_ceil(units)];
    let (mean, scale) = moments(x, n, epsilon, &mut shared, width, units);
    let mut slopes = 0.0f32;
    let mut products = 0.0f32;
    for k in 0..steps {
        let i = k * units + unit;
        if i < width {
            let g = grad[first + i] * weight[i];
            slopes += g;
            products += g * (x[first + i] - mean) * scale;
        }
    }
    let slope = total(slopes, &mut shared, units) / n;
    let product = total(products, &mut shared, units) / n;
    for k in 0..steps {
        let i = k * units + unit;
        if i < width {
            let h = (x[first + i] - mean) * scale;
            x_grad[first + i] = (grad[first + i] * weight[i] - slope - h * product) * scale;
        }
    }
}

/// LayerNorm over the last axis of `[rows, width]`.
pub fn layer_norm(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, epsilon: f64) -> CubeTensor {
    let [x, weight, bias] = [x, weight, bias].map(into_contiguous);
    let (output, [rows, width]) = (like(&x), [0, 1].map(|axis| x.meta.shape()[axis]));
    normalise_row::launch(
        &x.client.clone(),
        CubeCount::Static(rows as u32, 1, 1),
        CubeDim::new_1d(UNITS),
        x.into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        width as f32,
        epsilon as f32,
        width,
        UNITS as usize,
    );
    output
}

/// The gradient of x.
pub fn layer_norm_gradient(x: CubeTensor, weight: CubeTensor, grad: CubeTensor, epsilon: f64) -> CubeTensor {
    let [x, weight, grad] = [x, weight, grad].map(into_contiguous);
    let (x_grad, [rows, width]) = (like(&x), [0, 1].map(|axis| x.meta.shape()[axis]));
    normalise_row_back::launch(
        &x.client.clone(),
        CubeCount::Static(rows as u32, 1, 1),
        CubeDim::new_1d(UNITS),
        x.into_buffer_arg(),
        weight.into_buffer_arg(),
        grad.into_buffer_arg(),
        x_grad.clone().into_buffer_arg(),
        width as f32,
        epsilon as f32,
        width,
        UNITS as usize,
    );
    x_grad
}
