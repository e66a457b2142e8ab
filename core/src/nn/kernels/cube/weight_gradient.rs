//! The gradient of a convolution's weights where burn has no tuned product for it: an output's channels times a tap's inputs, summed over
//! the pixels. A cube takes 64 by 64 of them for one tap and a part of the pixels.

use burn_cubecl::ops::permute_nhwc_to_nchw;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::arrays::empty;
use super::pixels::channels_last;
use super::square::Square;

/// Units of a cube, along outputs and along inputs.
const SIDE: u32 = 16;
/// Outputs, and inputs, that a unit takes: those of its place, and of every 16th after it.
const EACH: usize = 4;
/// Channels of a tile, and the pixels that a tile holds at a time.
const TILE: usize = SIDE as usize * EACH;
const DEPTH: usize = 16;
/// Pixels are cut into parts until there are so many cubes, and into no smaller parts than this.
const CUBES: usize = 128;
const SMALLEST_PART: usize = 256;
/// Units of a cube that adds the parts.
const UNITS: u32 = 256;

/// The sides of what a convolution reads and gives; its padding is half its kernel.
#[derive(CubeLaunch, CubeType)]
struct Geometry {
    height: u32,
    width: u32,
    output_height: u32,
    output_width: u32,
    inputs: u32,
    outputs: u32,
    kernel: u32,
    stride: u32,
}

/// Where a tap reads for the pixel `pixel` of the output, and whether that lies inside.
#[cube]
fn read(pixel: usize, tap: usize, of: &Geometry) -> (usize, bool) {
    let (height, width) = (of.height as usize, of.width as usize);
    let (rows, columns) = (of.output_height as usize, of.output_width as usize);
    let (kernel, stride) = (of.kernel as usize, of.stride as usize);
    let padding = kernel / 2;
    let y = pixel / columns % rows * stride + tap / kernel;
    let x = pixel % columns * stride + tap % kernel;
    let inside = y >= padding && x >= padding && y < height + padding && x < width + padding;
    let mut at = 0usize;
    if inside {
        at = (pixel / (rows * columns) * height + y - padding) * width + x - padding;
    }
    (at, inside)
}

#[cube(launch)]
fn gradient_tiles(
    x: &[f32],
    grad: &[f32],
    parts: &mut [f32],
    of: &Geometry,
    pixels: u32,
    part: u32,
    #[comptime] side: usize,
    #[comptime] each: usize,
    #[comptime] depth: usize,
) {
    let tile = comptime![side * each];
    let loads = comptime![depth * side * each / (side * side)];
    let (inputs, outputs) = (of.inputs as usize, of.outputs as usize);
    let taps = of.kernel as usize * of.kernel as usize;
    let tap = CUBE_POS_X as usize % taps;
    let first_input = CUBE_POS_X as usize / taps * tile;
    let first_output = CUBE_POS_Y as usize * tile;
    let (column, row) = (UNIT_POS_X as usize, UNIT_POS_Y as usize);
    let unit = row * side + column;
    let mut slopes = Shared::<[f32]>::new_slice(depth * tile);
    let mut values = Shared::<[f32]>::new_slice(depth * tile);
    let mut sums = Array::<f32>::new(each * each);
    #[unroll]
    for k in 0..each * each {
        sums[k] = 0.0f32;
    }
    let mut from = CUBE_POS_Z as usize * part as usize;
    let end = clamp_max(from + part as usize, pixels as usize);
    while from < end {
        sync_cube();
        for load in 0..loads {
            let at = load * side * side + unit;
            let pixel = from + at / tile;
            let channel = at % tile;
            let mut slope = 0.0f32;
            let mut value = 0.0f32;
            if pixel < end {
                if first_output + channel < outputs {
                    slope = grad[pixel * outputs + first_output + channel];
                }
                let (under, inside) = read(pixel, tap, of);
                if inside && first_input + channel < inputs {
                    value = x[under * inputs + first_input + channel];
                }
            }
            slopes[at] = slope;
            values[at] = value;
        }
        sync_cube();
        for k in 0..depth {
            #[unroll]
            for a in 0..each {
                let slope = slopes[k * tile + a * side + row];
                #[unroll]
                for b in 0..each {
                    sums[a * each + b] += slope * values[k * tile + b * side + column];
                }
            }
        }
        from += depth;
    }
    #[unroll]
    for a in 0..each {
        let output = first_output + a * side + row;
        #[unroll]
        for b in 0..each {
            let input = first_input + b * side + column;
            if output < outputs && input < inputs {
                let to = (CUBE_POS_Z as usize * outputs + output) * taps + tap;
                parts[to * inputs + input] = sums[a * each + b];
            }
        }
    }
}

#[cube(launch)]
fn add_parts(parts: &[f32], total: &mut [f32], count: u32) {
    let n = total.len();
    if ABSOLUTE_POS < n {
        let mut sum = 0.0f32;
        for p in 0..count as usize {
            sum += parts[p * n + ABSOLUTE_POS];
        }
        total[ABSOLUTE_POS] = sum;
    }
}

/// `x` `[n, inputs, h, w]`, `grad` that of the output -> `[outputs, inputs, kernel, kernel]`, channels last in memory.
pub fn weight_gradient(x: CubeTensor, grad: CubeTensor, Square { kernel, stride, .. }: Square) -> CubeTensor {
    let (x, grad) = (channels_last(x), channels_last(grad));
    let [_, height, width, inputs] = x.meta.shape().dims();
    let [n, output_height, output_width, outputs] = grad.meta.shape().dims();
    let (pixels, taps) = (n * output_height * output_width, kernel * kernel);
    let (across, down) = (taps * inputs.div_ceil(TILE), outputs.div_ceil(TILE));
    let count = CUBES.div_ceil(across * down).min(pixels / SMALLEST_PART).max(1);
    let part = pixels.div_ceil(count);
    let total = empty(&x, [outputs, kernel, kernel, inputs]);
    let parts = if count > 1 { empty(&x, [count, outputs, kernel, kernel, inputs]) } else { total.clone() };
    let of = [height, width, output_height, output_width, inputs, outputs, kernel, stride].map(|n| n as u32);
    let [height, width, output_height, output_width, inputs, outputs, kernel, stride] = of;
    gradient_tiles::launch(
        &x.client.clone(),
        CubeCount::Static(across as u32, down as u32, count as u32),
        CubeDim::new_2d(SIDE, SIDE),
        x.into_buffer_arg(),
        grad.into_buffer_arg(),
        parts.clone().into_buffer_arg(),
        GeometryLaunch::new(height, width, output_height, output_width, inputs, outputs, kernel, stride),
        pixels as u32,
        part as u32,
        SIDE as usize,
        EACH,
        DEPTH,
    );
    if count > 1 {
        let values = total.meta.shape().num_elements() as u32;
        add_parts::launch(
            &total.client,
            CubeCount::Static(values.div_ceil(UNITS), 1, 1),
            CubeDim::new_1d(UNITS),
            parts.into_buffer_arg(),
            total.clone().into_buffer_arg(),
            count as u32,
        );
    }
    permute_nhwc_to_nchw(total)
}
