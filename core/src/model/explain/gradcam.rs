//! Grad-CAM (Selvaraju et al., ICCV 2017) at layer4, in closed form: everything after layer4 is affine, so the gradient of a
//! logit does not depend on the input and no autodiff is needed.
//!
//! The slices are channels, so the map is a single 2-D map for the whole cube.

use crate::nn::image_net::REDUCED;
use crate::nn::resnet::FEATURES;
use crate::volume::crop::SIDE;

/// Cells a side at layer4.
pub const CELLS: usize = 4;

/// The gradient of the logit of `class` with respect to layer4, `[512 * 16]`, (c, i, j), from the weights of the head: `reduce`
/// `[32, 128]` and `fc` `[C, 512]`.
pub fn gradient(reduce: &[f32], fc: &[f32], class: usize) -> Vec<f32> {
    // d logit / d reduced (r, y, x): the mean of 2x2 cells, then the linear layer
    let head = |r: usize, y: usize, x: usize| fc[class * FEATURES + r * 16 + (y / 2) * 4 + x / 2] / 4.0;
    let mut out = vec![0.0f32; FEATURES * CELLS * CELLS];
    for (flat, value) in out.iter_mut().enumerate() {
        // the view [512, 4, 4] -> [128, 8, 8] keeps the flat index
        let (k, y, x) = (flat / 64, flat / 8 % 8, flat % 8);
        *value = (0..REDUCED).map(|r| reduce[r * 128 + k] * head(r, y, x)).sum();
    }
    out
}

/// The map of one sample, 32 x 32, 0..1, from its layer4 and the [`gradient`] of a class: weights = spatial means of the
/// gradient, ReLU of the weighted sum, divided by its maximum (all 0 where nothing is positive), bilinear.
pub fn heat(layer4: &[f32], gradient: &[f32]) -> Vec<f32> {
    let mut cells = cam(layer4, gradient, FEATURES);
    let top = cells.iter().copied().fold(0.0f32, f32::max);
    if top > 0.0 {
        cells.iter_mut().for_each(|v| *v /= top);
    }
    upsample(&cells)
}

/// ReLU of the sum over channels of (mean gradient) x (feature).
fn cam(features: &[f32], gradient: &[f32], channels: usize) -> Vec<f32> {
    let cells = features.len() / channels;
    let mut map = vec![0.0f32; cells];
    for c in 0..channels {
        let range = c * cells..(c + 1) * cells;
        let weight = gradient[range.clone()].iter().sum::<f32>() / cells as f32;
        map.iter_mut().zip(&features[range]).for_each(|(m, f)| *m += weight * f);
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
mod tests {
    use super::*;

    /// Reference values of the method.
    #[test]
    fn golden() {
        let a = [1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 3.0, 1.0];
        let g = [0.2, 0.4, -0.2, 0.0, -0.1, -0.3, 0.1, -0.1];
        for (v, expected) in cam(&a, &g, 2).iter().zip([0.1, 0.1, 0.0, 0.0]) {
            assert!((v - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn upsampling_keeps_the_range_and_the_corners() {
        let cells: Vec<f32> = (0..16).map(|v| v as f32).collect();
        let map = upsample(&cells);
        assert_eq!((map[0], map[SIDE - 1], map[SIDE * SIDE - 1]), (0.0, 3.0, 15.0));
        assert!((map[4 * SIDE + 4] - (0.0625 * 1.0 + 0.0625 * 4.0)).abs() < 1e-6);
    }

    /// The closed form equals autodiff.
    #[cfg(feature = "train")]
    #[test]
    fn closed_form_equals_autodiff() {
        use crate::nn::image_net::ImageNet;
        use crate::nn::parameters::collect;
        use burn::tensor::{Device, Tensor, TensorData};
        let device = Device::flex();
        let net = ImageNet::new(3, 5, &device);
        let weights = collect(&net);
        let (reduce, fc) = (&weights["reduce.weight"].values, &weights["fc.weight"].values);
        let mut r = crate::base::random::Stream::new(1, 1);
        let values: Vec<f32> = (0..2 * 512 * 16).map(|_| r.uniform() as f32).collect();
        let tracked = device.clone().autodiff();
        let layer4 = Tensor::<4>::from_data(TensorData::new(values, [2, 512, 4, 4]), &tracked).require_grad();
        for class in 0..3 {
            let logits = burn::module::Module::train(net.clone()).classify(layer4.clone());
            let grads = logits.slice([1..2, class..class + 1]).sum().backward();
            let auto: Vec<f32> =
                layer4.grad(&grads).unwrap().slice([1..2, 0..512, 0..4, 0..4]).into_data().iter::<f32>().collect();
            for (a, b) in gradient(reduce, fc, class).iter().zip(auto) {
                assert!((a - b).abs() < 1e-6, "{a} {b}");
            }
        }
    }
}
