//! What the tests against golden files share: reading their numbers, comparing, and the crops of `golden/reference.py`.

#![allow(dead_code)]

use burn::tensor::{Device, Tensor, TensorData};
use clip_lung_core::base::random::Stream;
use serde_json::Value;

/// All numbers of nested lists, in order.
pub fn flat(list: &Value) -> Vec<f64> {
    match list {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Nested lists as a tensor of their shape.
pub fn tensor<const D: usize>(list: &Value, device: &Device) -> Tensor<D> {
    let (mut shape, mut inner) = ([0; D], list);
    for length in &mut shape {
        *length = inner.as_array().unwrap().len();
        inner = &inner[0];
    }
    let values: Vec<f32> = flat(list).into_iter().map(|v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A tensor's values.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f32>().map(f64::from).collect()
}

/// Every number within `tolerance` of its golden value, relative to one that exceeds 1; a NaN is never close.
pub fn close(found: &[f64], golden: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), golden.len(), "{what}");
    for (i, (f, g)) in found.iter().zip(golden).enumerate() {
        assert!((f - g).abs() <= tolerance * g.abs().max(1.0), "{what}, number {i}: {f} is not {g}");
    }
}

/// The `n` phantom crops: integer HU, lung with a ball in it.
pub fn phantom_crops(n: u64) -> Vec<Vec<f32>> {
    let crop = |i: u64| {
        let (mut shape, mut noise) = (Stream::new(6, i), Stream::new(5, i));
        let radius = 4.0 + 8.0 * shape.uniform();
        let centre: Vec<f64> = (0..3).map(|_| 13.0 + 5.0 * shape.uniform()).collect();
        let voxel = |at: usize| {
            let place = [at / 1024, at / 32 % 32, at % 32];
            let distance: f64 = place.iter().zip(&centre).map(|(p, c)| (*p as f64 - c) * (*p as f64 - c)).sum();
            let u = noise.uniform();
            let hu = if distance < radius * radius { -100.0 + 200.0 * u } else { -1000.0 + 400.0 * u };
            hu.floor() as f32
        };
        (0..32768).map(voxel).collect()
    };
    (0..n).map(crop).collect()
}

/// The phantom crops as a model of window -1000..400, mean 0.2 and deviation 0.2 takes them, `[n, 32, 32, 32]`.
pub fn normalised_crops(n: u64, device: &Device) -> Tensor<4> {
    let normalised = |hu: f32| (((f64::from(hu) + 1000.0) / 1400.0 - 0.2) / 0.2) as f32;
    let values: Vec<f32> = phantom_crops(n).into_iter().flatten().map(normalised).collect();
    Tensor::from_data(TensorData::new(values, [n as usize, 32, 32, 32]), device)
}
