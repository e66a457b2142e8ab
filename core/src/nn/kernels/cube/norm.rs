//! Batch normalisation with the batch's own statistics, addition and ReLU, in two kernels where burn's operations take half a dozen.

use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::permute_nhwc_to_nchw;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::{empty, like};
use super::pixels::{Cut, HEIGHT, WIDTH, channels_last};
use super::sums::{read_parts, write_part};

/// What surrounds the normalisation.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    pub relu: bool,
    pub epsilon: f64,
}

/// 1 / the deviation that values were normalised by, from their unbiased variance over so many rows.
#[cube]
pub fn inverse_deviation(variance: f32, rows: u32, epsilon: f32) -> f32 {
    let n = f32::cast_from(rows);
    1.0f32 / (variance * (n - 1.0f32) / n + epsilon).sqrt()
}

/// Sums over a cube's rows of x - x\[0\] and of its square, one pair a part and channel: the first row's value keeps what is squared
/// small.
#[cube(launch)]
fn sum_parts(
    x: &[f32],
    parts: &mut [f32],
    rows: u32,
    channels: u32,
    part: u32,
    #[comptime] width: usize,
    #[comptime] height: usize,
) {
    let channel = CUBE_POS_X as usize * width + UNIT_POS_X as usize;
    let mut sum = 0.0f32;
    let mut square = 0.0f32;
    if channel < channels as usize {
        let shift = x[channel];
        let mut row = CUBE_POS_Y * part + UNIT_POS_Y;
        let end = CUBE_POS_Y * part + part;
        while row < end {
            if row < rows {
                let value = x[row as usize * channels as usize + channel] - shift;
                sum += value;
                square += value * value;
            }
            row += height as u32;
        }
    }
    write_part(sum, square, parts, channels, width, height);
}

/// Every part's sums together, then the normalised rows; the first cubes write mean and unbiased variance too.
#[cube(launch)]
fn normalise_rows(
    x: &[f32],
    parts: &[f32],
    gamma: &[f32],
    beta: &[f32],
    residual: &[f32],
    output: &mut [f32],
    mean: &mut [f32],
    variance: &mut [f32],
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
        let (sum, square) = read_parts(parts, channel, channels, count);
        let n = f32::cast_from(rows);
        let offset = sum / n;
        let mut spread = square / n - offset * offset;
        if spread < 0.0f32 {
            spread = 0.0f32;
        }
        let middle = offset + x[channel];
        if CUBE_POS_Y == 0 && UNIT_POS_Y == 0 {
            mean[channel] = middle;
            variance[channel] = spread * n / f32::cast_from(clamp_min(rows - 1, 1));
        }
        let scale = gamma[channel] / (spread + epsilon).sqrt();
        let shift = beta[channel];
        let mut row = CUBE_POS_Y * part + UNIT_POS_Y;
        let end = CUBE_POS_Y * part + part;
        while row < end {
            if row < rows {
                let i = row as usize * channels as usize + channel;
                let mut y = (x[i] - middle) * scale + shift;
                if add {
                    y += residual[i];
                }
                if relu && y < 0.0f32 {
                    y = 0.0f32;
                }
                output[i] = y;
            }
            row += height as u32;
        }
    }
}

/// (output, mean, unbiased variance) of normalisation, + residual, ReLU.
pub fn forward(
    x: CubeTensor,
    gamma: CubeTensor,
    beta: CubeTensor,
    residual: Option<CubeTensor>,
    Around { relu, epsilon }: Around,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let (x, residual) = (channels_last(x), residual.map(channels_last));
    let (gamma, beta) = (into_contiguous(gamma), into_contiguous(beta));
    let cut = Cut::of(&x);
    let (client, dim) = (x.client.clone(), CubeDim::new_2d(WIDTH, HEIGHT));
    let parts = empty(&x, [cut.count * 2, cut.channels]);
    let (output, mean, variance) = (like(&x), like(&gamma), like(&gamma));
    let [rows, channels, part, count] = [cut.rows, cut.channels, cut.part, cut.count].map(|n| n as u32);
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    sum_parts::launch(
        &client,
        cut.cubes(),
        dim,
        x.clone().into_buffer_arg(),
        parts.clone().into_buffer_arg(),
        rows,
        channels,
        part,
        width,
        height,
    );
    let add = residual.is_some();
    normalise_rows::launch(
        &client,
        cut.cubes(),
        dim,
        x.clone().into_buffer_arg(),
        parts.into_buffer_arg(),
        gamma.into_buffer_arg(),
        beta.into_buffer_arg(),
        residual.unwrap_or(x).into_buffer_arg(),
        output.clone().into_buffer_arg(),
        mean.clone().into_buffer_arg(),
        variance.clone().into_buffer_arg(),
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
    (permute_nhwc_to_nchw(output), mean, variance)
}
