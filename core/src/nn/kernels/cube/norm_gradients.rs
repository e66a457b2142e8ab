//! The gradients of batch normalisation, addition and ReLU, in two kernels.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::permute_nhwc_to_nchw;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::{empty, like};
use super::norm::{Around, inverse_deviation};
use super::pixels::{Cut, HEIGHT, WIDTH, channels_last};
use super::sums::{read_parts, write_part};

/// Sums over a cube's rows of the gradient behind the ReLU and of its product with the normalised values.
#[cube(launch)]
fn gradient_parts(
    x: &[f32],
    output: &[f32],
    grad: &[f32],
    mean: &[f32],
    variance: &[f32],
    parts: &mut [f32],
    rows: u32,
    channels: u32,
    part: u32,
    epsilon: f32,
    #[comptime] relu: bool,
    #[comptime] width: usize,
    #[comptime] height: usize,
) {
    let channel = CUBE_POS_X as usize * width + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    let mut product = 0.0f32;
    if channel < channels as usize {
        let middle = mean[channel];
        let scale = inverse_deviation(variance[channel], rows, epsilon);
        let mut row = CUBE_POS_Y * part + UNIT_POS_Y;
        let end = CUBE_POS_Y * part + part;
        while row < end {
            if row < rows {
                let i = row as usize * channels as usize + channel;
                let mut g = grad[i];
                if relu && output[i] <= 0.0f32 {
                    g = 0.0f32;
                }
                sum += g;
                product += g * (x[i] - middle) * scale;
            }
            row += height as u32;
        }
    }
    write_part(sum, product, parts, channels, width, height);
}

/// The gradients, with g behind the ReLU and h the normalised values: dx = gamma / std (g - mean(g) - h mean(g h)), dbeta = sum g,
/// dgamma = sum g h, and g itself for what was added.
#[cube(launch)]
fn gradient_rows(
    x: &[f32],
    output: &[f32],
    grad: &[f32],
    mean: &[f32],
    variance: &[f32],
    gamma: &[f32],
    parts: &[f32],
    x_grad: &mut [f32],
    residual_grad: &mut [f32],
    gamma_grad: &mut [f32],
    beta_grad: &mut [f32],
    rows: u32,
    channels: u32,
    part: u32,
    count: u32,
    epsilon: f32,
    #[comptime] add: bool,
    #[comptime] relu: bool,
    #[comptime] width: usize,
    #[comptime] height: usize,
) {
    let channel = CUBE_POS_X as usize * width + UNIT_POS_X as usize;
    if channel < channels as usize {
        let (sum, product) = read_parts(parts, channel, channels, count);
        if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
            gamma_grad[channel] = product;
            beta_grad[channel] = sum;
        }
        let n = f32::cast_from(rows);
        let middle = mean[channel];
        let scale = inverse_deviation(variance[channel], rows, epsilon);
        let slope = gamma[channel] * scale;
        let mut row = CUBE_POS_Y * part + UNIT_POS_Y;
        let end = CUBE_POS_Y * part + part;
        while row < end {
            if row < rows {
                let i = row as usize * channels as usize + channel;
                let mut g = grad[i];
                if relu && output[i] <= 0.0f32 {
                    g = 0.0f32;
                }
                if add {
                    residual_grad[i] = g;
                }
                let h = (x[i] - middle) * scale;
                x_grad[i] = slope * (g - (sum + h * product) / n);
            }
            row += height as u32;
        }
    }
}

/// What the forward pass left.
pub struct Passed {
    pub x: CubeTensor,
    pub gamma: CubeTensor,
    pub output: CubeTensor,
    pub mean: CubeTensor,
    pub variance: CubeTensor,
}

/// Gradients of x, gamma, beta and the residual; the last is nothing where none was added.
pub fn backward(
    Passed { x, gamma, output, mean, variance }: Passed,
    grad: CubeTensor,
    add: bool,
    Around { relu, epsilon }: Around,
) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
    let (x, output, grad) = (channels_last(x), channels_last(output), channels_last(grad));
    let [gamma, mean, variance] = [gamma, mean, variance].map(into_contiguous);
    let cut = Cut::of(&x);
    let (client, dim) = (x.client.clone(), CubeDim::new_2d(WIDTH, HEIGHT));
    let parts = empty(&x, [cut.count * 2, cut.channels]);
    let (x_grad, gamma_grad, beta_grad) = (like(&x), like(&gamma), like(&gamma));
    let residual_grad = if add { like(&x) } else { empty(&x, [1]) };
    let [rows, channels, part, count] = [cut.rows, cut.channels, cut.part, cut.count].map(|n| n as u32);
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    gradient_parts::launch(
        &client,
        cut.cubes(),
        dim,
        x.clone().into_buffer_arg(),
        output.clone().into_buffer_arg(),
        grad.clone().into_buffer_arg(),
        mean.clone().into_buffer_arg(),
        variance.clone().into_buffer_arg(),
        parts.clone().into_buffer_arg(),
        rows,
        channels,
        part,
        epsilon as f32,
        relu,
        width,
        height,
    );
    gradient_rows::launch(
        &client,
        cut.cubes(),
        dim,
        x.into_buffer_arg(),
        output.into_buffer_arg(),
        grad.into_buffer_arg(),
        mean.into_buffer_arg(),
        variance.into_buffer_arg(),
        gamma.into_buffer_arg(),
        parts.into_buffer_arg(),
        x_grad.clone().into_buffer_arg(),
        residual_grad.clone().into_buffer_arg(),
        gamma_grad.clone().into_buffer_arg(),
        beta_grad.clone().into_buffer_arg(),
        rows,
        channels,
        part,
        count,
        epsilon as f32,
        add,
        relu,
        width,
        height,
    );
    let residual_grad = if add { permute_nhwc_to_nchw(residual_grad) } else { residual_grad };
    (permute_nhwc_to_nchw(x_grad), gamma_grad, beta_grad, residual_grad)
}
