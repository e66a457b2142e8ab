//! A device other than the CPU: predictions agree with the CPU's. `make test-device DEVICE=wgpu` (or cuda) runs it.

#![allow(clippy::unwrap_used)]

mod common;

use common::{ok, text};
use serde_json::Value;

#[test]
fn the_device_predicts_what_the_cpu_predicts() {
    let Ok(device) = std::env::var("CLIP_LUNG_TEST_DEVICE") else {
        eprintln!("skipped: CLIP_LUNG_TEST_DEVICE names no device (wgpu, cuda); `make test-device DEVICE=wgpu`");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&place.path().join(name));
    let (data, run, few) = (at("data"), at("run"), at("few"));
    ok(&["phantom", "--limit", "80", "--out", &data]);
    ok(&["phantom", "--limit", "8", "--out", &few]);
    ok(&[
        "train", "--data", &data, "--out", &run, "--method", "ce", "--epochs", "5", "--lr", "0.05", "--ema", "0.5",
        "--device", "cpu",
    ]);
    let model = format!("{run}/model");
    let predict = |device: &str| -> Vec<f64> {
        let out = ok(&["predict", "--model", &model, &few, "--device", device, "--json"]);
        let out: Value = serde_json::from_str(&out).unwrap();
        let rows = out["predictions"].as_array().unwrap().clone();
        rows.iter()
            .flat_map(|r| {
                r["probabilities"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>()
            })
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
