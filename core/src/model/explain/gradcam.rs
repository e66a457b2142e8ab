//! Grad-CAM (Selvaraju et al., ICCV 2017) at layer4, in closed form: everything from layer4 to the classifier's outputs u is affine, so
//! du / dlayer4 does not depend on the input, and a readout's own derivative is chained on the host. No autodiff is needed.
//!
//! The slices are channels, so the map is a single 2-D map for the whole cube.

use crate::methods::pool::REDUCED;
use crate::nn::backbone::FEATURES;
use crate::volume::crop::SIDE;

/// Cells a side at layer4.
pub const CELLS: usize = 4;

/// The spatial means of d u / d layer4, `[512]` for each output u, from the weights of the classifier: `fc` `[U, 512]`, or `[U, 513]`
/// with the diameter, and, for the view, `reduce` `[32, 128]`.
pub fn output_weights(reduce: Option<&[f32]>, fc: &[f32], units: usize) -> Vec<Vec<f32>> {
    let cells = (CELLS * CELLS) as f32;
    fc.chunks_exact(fc.len() / units)
        .map(|row| match reduce {
            Some(reduce) => {
                let gradient = through_the_view(reduce, row);
                gradient.chunks_exact(CELLS * CELLS).map(|cell| cell.iter().sum::<f32>() / cells).collect()
            }
            None => row[..FEATURES].iter().map(|w| w / cells).collect(),
        })
        .collect()
}

/// d u / d layer4, `[512 * 16]`, (c, i, j), of one row of `fc`.
fn through_the_view(reduce: &[f32], fc: &[f32]) -> Vec<f32> {
    // d u / d reduced (r, y, x): the mean of 2x2 cells, then the linear layer
    let head = |r: usize, y: usize, x: usize| fc[r * 16 + (y / 2) * 4 + x / 2] / 4.0;
    let mut out = vec![0.0f32; FEATURES * CELLS * CELLS];
    for (flat, value) in out.iter_mut().enumerate() {
        // the view [512, 4, 4] -> [128, 8, 8] keeps the flat index
        let (k, y, x) = (flat / 64, flat / 8 % 8, flat % 8);
        *value = (0..REDUCED).map(|r| reduce[r * 128 + k] * head(r, y, x)).sum();
    }
    out
}

/// The channels' weights of what is explained, from those of the outputs and the derivative with respect to each.
pub fn chained(outputs: &[Vec<f32>], derivative: &[f64]) -> Vec<f32> {
    let mut sum = vec![0.0f64; FEATURES];
    for (weights, slope) in outputs.iter().zip(derivative).filter(|(_, slope)| **slope != 0.0) {
        sum.iter_mut().zip(weights).for_each(|(s, w)| *s += slope * f64::from(*w));
    }
    sum.into_iter().map(|v| v as f32).collect()
}

/// The map of one sample, 32 x 32, 0..1, from its layer4 and the channels' weights: ReLU of the weighted sum, divided by its maximum (all
/// 0 where nothing is positive), bilinear.
pub fn heat(layer4: &[f32], weights: &[f32]) -> Vec<f32> {
    let mut cells = cam(layer4, weights);
    let top = cells.iter().copied().fold(0.0f32, f32::max);
    if top > 0.0 {
        cells.iter_mut().for_each(|v| *v /= top);
    }
    upsample(&cells)
}

/// ReLU of the sum over channels of weight x feature.
fn cam(features: &[f32], weights: &[f32]) -> Vec<f32> {
    let cells = features.len() / weights.len();
    let mut map = vec![0.0f32; cells];
    for (weight, features) in weights.iter().zip(features.chunks_exact(cells)) {
        map.iter_mut().zip(features).for_each(|(m, f)| *m += weight * f);
    }
    map.into_iter().map(|v| v.max(0.0)).collect()
}

/// 4 x 4 -> 32 x 32, bilinear between cell centres, constant beyond the outer ones.
fn upsample(cells: &[f32]) -> Vec<f32> {
    let scale = SIDE / CELLS;
    let axis = |i: usize| -> (usize, usize, f32) {
        let p = ((i as f32 + 0.5) / scale as f32 - 0.5).clamp(0.0, (CELLS - 1) as f32);
        (p as usize, (p as usize + 1).min(CELLS - 1), p.fract())
    };
    let mut out = Vec::with_capacity(SIDE * SIDE);
    for y in 0..SIDE {
        let (y0, y1, ty) = axis(y);
        for x in 0..SIDE {
            let (x0, x1, tx) = axis(x);
            let row = |y: usize| cells[y * CELLS + x0] * (1.0 - tx) + cells[y * CELLS + x1] * tx;
            out.push(row(y0) * (1.0 - ty) + row(y1) * ty);
        }
    }
    out
}

#[cfg(test)]
#[path = "gradcam_tests.rs"]
mod tests;
