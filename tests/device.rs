//! A device other than the CPU: predictions and training agree with the CPU's. `make test-device DEVICE=wgpu` (or cuda) runs it.

#![allow(clippy::unwrap_used)]

mod common;

use clip_lung_core::methods::Method;
use common::{Place, json, ok, skipped};
use serde_json::Value;

/// The device under test.
fn device() -> Option<String> {
    let name = std::env::var("CLIP_LUNG_TEST_DEVICE").ok();
    if name.is_none() {
        skipped("CLIP_LUNG_TEST_DEVICE names no device (wgpu, cuda); `make test-device DEVICE=wgpu`");
    }
    name
}

#[test]
fn the_device_predicts_what_the_cpu_predicts() {
    let Some(device) = device() else { return };
    let place = Place::new();
    let (data, run, few) = (place.name("data"), place.name("run"), place.name("few"));
    ok(&["phantom", "--limit", "80", "--out", &data]);
    ok(&["phantom", "--limit", "8", "--out", &few]);
    ok(&[
        "train", "--data", &data, "--out", &run, "--method", "ce", "--epochs", "5", "--lr", "0.05", "--ema", "0.5",
        "--device", "cpu",
    ]);
    let model = format!("{run}/model");
    let predict = |device: &str| -> Vec<f64> {
        let out = json(&ok(&["predict", "--model", &model, &few, "--device", device, "--json"]));
        let rows = out["predictions"].as_array().unwrap();
        rows.iter()
            .flat_map(|r| r["probabilities"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()))
            .collect()
    };
    let (cpu, other) = (predict("cpu"), predict(&device));
    assert_eq!((cpu.len(), other.len()), (24, 24));
    let worst = cpu.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("{device}: largest difference of a probability from the CPU's: {worst:.1e}");
    assert!(worst < 1e-3, "{worst}");
    let spread = cpu.iter().fold(0.0f64, |a, v| a.max((v - cpu[0]).abs()));
    assert!(spread > 2e-3, "predictions that are all alike compare nothing");
}

/// Three steps of each method: losses and the gradients' norms. The learning rate is small because a GPU's TF32 products move an
/// untrained network's gradients by a tenth (tests/golden/tf32.py shows it in PyTorch), which longer steps soon turn into another loss.
#[test]
fn the_device_trains_as_the_cpu_trains() {
    let Some(device) = device() else { return };
    let place = Place::new();
    let data = place.name("data");
    ok(&["phantom", "--limit", "120", "--out", &data]);
    for method in Method::ALL.map(Method::name) {
        let train = |device: &str| -> Vec<Value> {
            let run = place.name(&format!("{method}-{}", device.replace(':', "-")));
            let mut all = vec!["train", "--data", &data, "--out", &run, "--method", method, "--device", device];
            all.extend("--epochs 1 --lr 0.0001 --text-encoder random".split(' '));
            ok(&all);
            let log = std::fs::read_to_string(format!("{run}/log.jsonl")).unwrap();
            log.lines().map(json).filter(|line| line.get("gradient_norm").is_some()).collect()
        };
        let (cpu, other) = (train("cpu"), train(&device));
        assert!(cpu.len() >= 3 && other.len() == cpu.len(), "{} and {} steps", cpu.len(), other.len());
        for (a, b) in cpu.iter().zip(&other).take(3) {
            for (name, limit) in [("loss", 2e-3), ("gradient_norm", 2e-2)] {
                let (a, b) = (a[name].as_f64().unwrap(), b[name].as_f64().unwrap());
                println!("{method}, {name}: cpu {a:.6}, {device} {b:.6}");
                assert!((a - b).abs() < limit * a.abs(), "{method}, {name}: cpu {a}, {device} {b}");
            }
        }
    }
}
