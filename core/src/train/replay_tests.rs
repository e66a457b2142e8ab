//! Replayed steps against launched ones, on the GPU that `CLIP_LUNG_TEST_DEVICE` names; skipped, saying so, where none is named.

use std::sync::Arc;

use burn::tensor::{Device, TensorData};

use super::*;
use crate::base::random::Stream;
use crate::methods::pool::Pool;
use crate::methods::{Method, Setup, Truth};
use crate::nn::kernels::is_cpu;
use crate::nn::kernels::tests::device;
use crate::nn::parameters::collect;
use crate::nn::text::clip::geometry::Geometry;
use crate::nn::text::side::TextSide;
use crate::train::config::TrainConfig;
use crate::train::log::StepLog;
use crate::train::steps::Steps;

fn trainer(method: Method, device: &Device) -> Trainer {
    let config = TrainConfig { epochs: 4, lr: 0.01, ema: 0.9, ..TrainConfig::of(method) };
    let small = Geometry { width: 32, layers: 2, heads: 2, output: 512 };
    let classes = ["benign", "unsure", "malignant"];
    let text = config
        .method
        .needs_text()
        .then(|| Arc::new(TextSide::random_clip(small, 2, &classes, &device.clone().autodiff()).unwrap()));
    let setup = Setup { class_counts: vec![2, 1, 1], pool: config.pool, diameter: false, seed: 2, text };
    Trainer::new(config, &setup, device).unwrap()
}

/// Of a quarter of a crop's pixels where the method lets it: a software GPU takes seconds for a step of them.
fn batch(method: Method, samples: usize, seed: u64, device: &Device) -> Batch {
    let side = if TrainConfig::of(method).pool == Pool::View { 32 } else { 16 };
    let mut random = Stream::new(seed, 3);
    let values: Vec<f32> = (0..samples * 32 * side * side).map(|_| random.normal() as f32).collect();
    let images = Tensor::from_data(TensorData::new(values, [samples, 32, side, side]), device);
    let labels = (0..samples).map(|i| (i + seed as usize) % 3).collect();
    let ratings = (0..samples).map(|i| [1.0 + i as f64 + seed as f64 / 9.0; 8].map(|r| r.min(5.0))).collect();
    Batch { images, log_diameter: None, truth: Truth::new(labels, 3, ratings, vec![3.0; samples], device) }
}

/// Two sizes of batches, two learning rates and a change between two steps.
fn logs(method: Method, mut steps: Steps) -> (Trainer, Vec<StepLog>) {
    let device = steps.trainer().device().clone();
    let mut logs = Vec::new();
    for (k, (samples, epoch)) in [(3, 0), (2, 0), (3, 1), (2, 1)].into_iter().enumerate() {
        let (next, numbers) = steps.queue(&batch(method, samples, k as u64, &device), epoch);
        logs.push(numbers.read().unwrap());
        steps = next;
        if k == 1 {
            steps = steps
                .change(|mut trainer| {
                    trainer.ema = trainer.ema.copy_buffers(&trainer.network);
                    Ok(trainer)
                })
                .unwrap();
        }
    }
    (steps.into_trainer(), logs)
}

fn replays_as_launched(method: Method) {
    let device = device();
    if is_cpu(&device) {
        println!("skipped: CLIP_LUNG_TEST_DEVICE names no GPU");
        return;
    }
    let on = device.clone().autodiff();
    let sizes = vec![batch(method, 2, 7, &on), batch(method, 3, 8, &on)];
    let (steps, reason) = Steps::recorded(trainer(method, &device), sizes).unwrap();
    assert_eq!(reason, None);
    let (replayed, found) = logs(method, steps);
    let (launched, expected) = logs(method, Steps::launched(trainer(method, &device)));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!([found.step, found.epoch as u64], [expected.step, expected.epoch as u64]);
        assert_eq!((found.lr, found.samples), (expected.lr, expected.samples));
        let apart = (found.loss - expected.loss).abs().max((found.gradient_norm / expected.gradient_norm - 1.0).abs());
        assert!(apart < 1e-3, "{found:?} is not {expected:?}");
    }
    for (found, expected) in [(&replayed.network, &launched.network), (&replayed.ema.module, &launched.ema.module)]
        .map(|(a, b)| (collect(a), collect(b)))
    {
        for (name, array) in &found {
            for (a, b) in array.values.iter().zip(&expected[name].values) {
                assert!((a - b).abs() < 1e-3 * b.abs().max(1.0), "{name}: {a} is not {b}");
            }
        }
    }
}

#[test]
fn ce_replays_as_launched() {
    replays_as_launched(Method::Ce);
}

#[test]
fn udm_replays_as_launched() {
    replays_as_launched(Method::Udm);
}

#[test]
fn corf_replays_as_launched() {
    replays_as_launched(Method::Corf);
}

#[test]
fn clip_replays_as_launched() {
    replays_as_launched(Method::Clip);
}

#[test]
fn clip_lung_replays_as_launched() {
    replays_as_launched(Method::ClipLung);
}

#[test]
fn poisson_replays_as_launched() {
    replays_as_launched(Method::Poisson);
}

#[test]
fn nsb_replays_as_launched() {
    replays_as_launched(Method::Nsb);
}

#[test]
fn cocoop_replays_as_launched() {
    replays_as_launched(Method::Cocoop);
}
