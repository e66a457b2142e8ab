//! Every kernel against burn's own operation, values and gradients.

use super::*;
use crate::base::random::Stream;
use burn::tensor::{Device, TensorData};

/// The CPU, or the GPU that `CLIP_LUNG_TEST_DEVICE` names (wgpu, cuda) where this is compiled for it.
pub fn device() -> Device {
    match std::env::var("CLIP_LUNG_TEST_DEVICE").as_deref() {
        #[cfg(feature = "wgpu")]
        Ok("wgpu") => Device::wgpu(Default::default()),
        #[cfg(feature = "cuda")]
        Ok("cuda") => Device::cuda(0),
        _ => Device::flex(),
    }
}

fn draw<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let mut r = Stream::new(seed, 3);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| r.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &device().autodiff()).require_grad()
}

fn close<const D: usize>(a: Tensor<D>, b: Tensor<D>, what: &str) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let size = b.clone().abs().max().into_scalar::<f32>().max(1.0);
    let difference = (a - b).abs().max().into_scalar::<f32>();
    assert!(difference < 2e-5 * size, "{what}: {difference} of {size}");
}

/// Every convolution of the network and odd ones: values and both gradients equal burn's.
#[test]
fn convolution_equals_burn() {
    for (n, inputs, outputs, kernel, stride, side) in [
        (3, 5, 7, 3, 1, 8),
        (3, 5, 7, 3, 2, 8),
        (2, 4, 6, 1, 2, 8),
        (2, 3, 4, 1, 1, 4),
        (1, 2, 3, 3, 2, 7),
        (40, 8, 8, 3, 1, 4),
        (1, 32, 64, 3, 1, 32),
        (2, 5, 7, 3, 1, 6),
        (2, 20, 300, 3, 1, 4),
        (3, 256, 33, 3, 1, 8),
    ] {
        let (x, w) = (draw(1, [n, inputs, side, side]), draw(2, [outputs, inputs, kernel, kernel]));
        let options = ConvOptions::new([stride; 2], [kernel / 2; 2], [1; 2], 1);
        let ours = from_native(conv2d(to_native(x.clone()), w.clone(), stride));
        let theirs = module::conv2d(x.clone(), w.clone(), None, options);
        let what = format!("{n} {inputs}->{outputs} k{kernel} s{stride} {side}");
        close(ours.clone().inner(), theirs.clone().inner(), &what);
        let weight = draw(3, ours.dims()).detach();
        let (a, b) = ((ours * weight.clone()).sum().backward(), (theirs * weight).sum().backward());
        close(x.grad(&a).unwrap(), x.grad(&b).unwrap(), &format!("{what} dx"));
        close(w.grad(&a).unwrap(), w.grad(&b).unwrap(), &format!("{what} dw"));
    }
}

/// Flat values are every value once, in the order of the kernels of their device: a GPU's has a convolution's channels last.
#[test]
fn flat_values_come_back() {
    let x = draw(1, [4, 3, 2, 5]).inner();
    let flattened = flat(x.clone());
    assert_eq!(shaped(flattened.clone(), x.dims()).into_data(), x.clone().into_data());
    let order = if on_cpu(&x) { x } else { x.permute([0, 2, 3, 1]) };
    assert_eq!(flattened.into_data(), order.reshape([120]).into_data());
    let matrix = draw(2, [4, 7]).inner();
    assert_eq!(shaped(flat(matrix.clone()), [4, 7]).into_data(), matrix.into_data());
}

/// Convolutions, with both gradients and folded, and products by kernels that were not timed; on the CPU nothing changes.
#[cfg(feature = "cube")]
#[test]
fn untimed_kernels_equal_burn() {
    take_untimed(true);
    for (n, inputs, outputs, k, stride, side) in [(3, 8, 16, 3, 1, 8), (2, 16, 8, 3, 2, 8), (2, 8, 16, 1, 2, 8)] {
        let (x, w) = (draw(1, [n, inputs, side, side]), draw(2, [outputs, inputs, k, k]));
        let ours = from_native(conv2d(to_native(x.clone()), w.clone(), stride));
        let theirs = burn_conv2d(x.clone(), w.clone(), None, stride);
        let what = format!("{n} {inputs}->{outputs} k{k} s{stride} {side}");
        close(ours.clone().inner(), theirs.clone().inner(), &what);
        let weight = draw(3, ours.dims()).detach();
        let (a, b) = ((ours * weight.clone()).sum().backward(), (theirs * weight).sum().backward());
        close(x.grad(&a).unwrap(), x.grad(&b).unwrap(), &format!("{what} dx"));
        close(w.grad(&a).unwrap(), w.grad(&b).unwrap(), &format!("{what} dw"));
        let (x, w, bias) = (x.inner(), w.inner(), draw(4, [outputs]).inner());
        let theirs = burn_conv2d(x.clone(), w.clone(), Some(bias.clone()), stride);
        let arranged = arrange(w, Tensor::ones([outputs], &device()), stride);
        let ours = conv2d_inference(to_native(x), arranged, bias, stride, None, false);
        close(from_native(ours), theirs, &format!("{what} folded"));
    }
    let (a, b, weight) = (draw(1, [33, 48]), draw(2, [7, 48]), draw(3, [33, 7]).detach());
    let (ours, theirs) = (matmul(a.clone(), b.clone().transpose()), a.clone().matmul(b.clone().transpose()));
    close(ours.clone().inner(), theirs.clone().inner(), "product");
    let (p, q) = ((ours * weight.clone()).sum().backward(), (theirs * weight).sum().backward());
    close(a.grad(&p).unwrap(), a.grad(&q).unwrap(), "product da");
    close(b.grad(&p).unwrap(), b.grad(&q).unwrap(), "product db");
    take_untimed(false);
}

#[test]
fn normalisation_equals_burn() {
    for (residual, relu, shape) in [
        (false, true, [3, 5, 4, 4]),
        (false, false, [2, 16, 3, 3]),
        (true, true, [4, 3, 8, 8]),
        (true, true, [5, 70, 9, 9]),
        (false, true, [32, 33, 16, 16]),
    ] {
        let (x, g, b) = (draw(1, shape), draw(2, [shape[1]]), draw(3, [shape[1]]));
        let r = residual.then(|| draw(4, shape));
        let native = r.clone().map(to_native);
        let mut ours = batch_norm(to_native(x.clone()), g.clone(), b.clone(), native, relu, 1e-5);
        ours.output = from_native(ours.output);
        let theirs = burn_batch_norm(x.clone(), g.clone(), b.clone(), r.clone(), relu, 1e-5);
        close(ours.output.clone().inner(), theirs.output.clone().inner(), "output");
        close(ours.mean.inner(), theirs.mean.inner(), "mean");
        close(ours.variance.inner(), theirs.variance.inner(), "variance");
        let weight = draw(5, shape).detach();
        let (p, q) = ((ours.output * weight.clone()).sum().backward(), (theirs.output * weight).sum().backward());
        close(x.grad(&p).unwrap(), x.grad(&q).unwrap(), "dx");
        close(g.grad(&p).unwrap(), g.grad(&q).unwrap(), "dgamma");
        close(b.grad(&p).unwrap(), b.grad(&q).unwrap(), "dbeta");
        if let Some(r) = r {
            close(r.grad(&p).unwrap(), r.grad(&q).unwrap(), "dresidual");
        }
    }
}

/// Arrays of many sizes, more than go into one kernel: the updates equal burn's own operations.
#[test]
fn updates_equal_burn() {
    let sizes: Vec<usize> = (0..37).map(|k| [1, 3, 64, 1000, 40_000][k % 5] + k).collect();
    let all = |seed: u64| -> Vec<Tensor<1>> {
        sizes.iter().enumerate().map(|(k, n)| draw(seed + 100 * k as u64, [*n]).inner()).collect()
    };
    let scale = || Tensor::from_floats([0.25], &device());
    for (moving, scaled) in [(false, false), (true, false), (true, true)] {
        let descents = || -> Vec<Descent> {
            let arrays = all(1).into_iter().zip(all(2)).zip(all(3)).enumerate();
            let one = |(k, ((parameter, gradient), velocity))| {
                let decay = if k % 3 == 0 { 0.0 } else { 0.01 };
                Descent { parameter, gradient, velocity: moving.then_some(velocity), decay }
            };
            arrays.map(one).collect()
        };
        let ours = sgd(descents(), scaled.then(scale), 0.1.into(), 0.9);
        let burn = |one| update::burn_sgd(one, scaled.then(scale), &0.1.into(), 0.9);
        for ((p, v), (q, w)) in ours.into_iter().zip(descents().into_iter().map(burn)) {
            close(p, q, "parameter");
            close(v, w, "velocity");
        }
    }
    let blended = blend(all(1).into_iter().zip(all(2)).collect(), [0.9, 0.1]);
    for (ours, (a, b)) in blended.into_iter().zip(all(1).into_iter().zip(all(2))) {
        close(ours, a * 0.9 + b * 0.1, "average");
    }
    let squares: f64 = all(1)
        .into_iter()
        .flat_map(|t| t.into_data().iter::<f32>().collect::<Vec<_>>())
        .map(f64::from)
        .map(|v| v * v)
        .sum();
    let found = f64::from(norm(all(1)).into_scalar::<f32>());
    assert!((found / squares.sqrt() - 1.0).abs() < 1e-6, "{found} is not {}", squares.sqrt());
}

/// What is shared stays as it is: an update in place changes only what nothing else holds.
#[test]
fn updates_leave_what_others_hold() {
    let (a, b) = (draw(1, [70]).inner(), draw(2, [70]).inner());
    let before: Vec<f32> = a.clone().into_data().iter::<f32>().collect();
    let blended = blend(vec![(a.clone(), b)], [0.5, 0.5]).remove(0);
    assert_eq!(a.into_data().iter::<f32>().collect::<Vec<_>>(), before);
    assert_ne!(blended.into_data().iter::<f32>().collect::<Vec<_>>(), before);
}

/// The folded form equals burn's convolution, bias, residual and ReLU.
#[test]
fn inference_equals_burn() {
    for (residual, relu, stride, side) in [(false, true, 2, 9), (false, false, 1, 8), (true, true, 1, 12)] {
        let (x, w, b) = (draw(1, [3, 6, side, side]).inner(), draw(2, [5, 6, 3, 3]).inner(), draw(3, [5]).inner());
        let scale = draw(5, [5]).inner();
        let scaled = w.clone() * scale.clone().reshape([5, 1, 1, 1]);
        let theirs = burn_conv2d(x.clone(), scaled, Some(b.clone()), stride);
        let r = residual.then(|| draw(4, theirs.dims()).inner());
        let ours = conv2d_inference(to_native(x), arrange(w, scale, stride), b, stride, r.clone().map(to_native), relu);
        close(from_native(ours), finish(theirs, r, relu), "folded");
    }
}

/// Prompts with a shared prefix, one prompt alone, whole prompts: values and gradients equal burn's.
#[test]
fn attention_equals_burn() {
    let causal = |shape, heads, head| attention::Sequences::causal(shape, heads, head);
    let whole = |n, length, heads, head| attention::Sequences::whole(n, length, heads, head);
    for rows in [
        causal([3, 5, 3, 6], 2, 32),
        causal([1, 1, 8, 4], 2, 20),
        causal([2, 2, 1, 1], 1, 5),
        causal([1, 70, 2, 7], 1, 70),
        whole(5, 9, 3, 32),
        whole(1, 1, 2, 7),
        whole(2, 17, 1, 20),
    ] {
        let attention::Sequences { n, p, c, s, heads, head, .. } = rows;
        let count = n * (p + c * s);
        let qkv = draw(1, [count, 3 * heads * head]);
        let (ours, theirs) = (rows.attention(qkv.clone()), rows.burn_attention(qkv.clone()));
        let what = format!("{rows:?}");
        close(ours.clone().inner(), theirs.clone().inner(), &what);
        let weight = draw(2, [count, heads * head]).detach();
        let (a, b) = ((ours * weight.clone()).sum().backward(), (theirs * weight).sum().backward());
        close(qkv.grad(&a).unwrap(), qkv.grad(&b).unwrap(), &format!("{what} dqkv"));
    }
}

/// Reference values: QuickGELU(-2, -.5, 0, .5, 2); LayerNorm(1, 2, 3, 4) = -+1.341635, -+.447212; gradients equal burn's.
#[test]
fn row_operations_golden() {
    let device = device();
    let x = Tensor::<2>::from_floats([[-2.0, -0.5, 0.0, 0.5, 2.0]], &device);
    let golden = Tensor::<2>::from_floats([[-0.064341, -0.149612, 0.0, 0.350388, 1.935659]], &device);
    close(quick_gelu(x) * 100.0, golden * 100.0, "QuickGELU");
    let x = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0]], &device);
    let golden = Tensor::<2>::from_floats([[-1.341635, -0.447212, 0.447212, 1.341635]], &device);
    close(layer_norm(x, Tensor::ones([4], &device), Tensor::zeros([4], &device), 1e-5), golden, "LayerNorm");

    let (x, w, b, weight) =
        (draw(1, [5, 150]), draw(2, [150]).detach(), draw(3, [150]).detach(), draw(4, [5, 150]).detach());
    let plain = |x: Tensor<2>| {
        let centred = x.clone() - x.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        centred / (variance + 1e-5).sqrt() * w.clone().unsqueeze() + b.clone().unsqueeze()
    };
    let gradient = |y: Tensor<2>| x.grad(&(y * weight.clone()).sum().backward()).unwrap();
    close(gradient(layer_norm(x.clone(), w.clone(), b.clone(), 1e-5)), gradient(plain(x.clone())), "LayerNorm dx");
    let gelu = |x: Tensor<2>| x.clone() * activation::sigmoid(x * 1.702);
    close(gradient(quick_gelu(x.clone())), gradient(gelu(x.clone())), "QuickGELU dx");
    close(gradient(super::gelu(x.clone())), gradient(activation::gelu(x.clone())), "GELU dx");
    let wide = Tensor::<2>::from_floats([[-80.0, -30.0, 30.0, 80.0, 1e4, -1e4]], &device);
    close(quick_gelu(wide.clone()), gelu(wide), "QuickGELU far out");
}

/// Reference values (x erfc(-x / sqrt 2) / 2 in f64) of the exact GELU, from the middle far out.
#[test]
fn gelu_golden() {
    let x = [-100.0f32, -6.0, -3.0, -1.0, -0.1, 0.0, 0.1, 0.5, 1.0, 2.5, 6.0, 100.0];
    let golden: [f32; 12] = [
        0.0,
        -5.919_525_9e-9,
        -0.004_049_694_1,
        -0.158_655_25,
        -0.046_017_216,
        0.0,
        0.053_982_784,
        0.345_731_23,
        0.841_344_75,
        2.484_475_8,
        6.0,
        100.0,
    ];
    let x = Tensor::<2>::from_floats([x], &device());
    let found: Vec<f32> = super::gelu(x).into_data().iter::<f32>().collect();
    for (found, golden) in found.iter().zip(golden) {
        assert!((found - golden).abs() <= 4e-7 * golden.abs().max(1.0), "{found} is not {golden}");
    }
}
