//! Model directories whose readout is none: `predict` says which file and which tensor, and exits 3; where the device's numbers are
//! none, 5.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod reference;
mod seeded;

use std::collections::BTreeMap;

use clip_lung_core::base::tensors::{Array, Arrays, Precision, read, write_each};
use clip_lung_core::methods::pool::Pool;
use common::{Place, fails, npy, ok};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const WEIGHTS: &str = "model.safetensors";

/// A model directory on disk that can be spoiled, and a crop.
struct Model {
    place: Place,
    readout: &'static str,
    files: BTreeMap<String, Vec<u8>>,
}

impl Model {
    /// A model of every readout, or of this one alone.
    fn all(only: Option<&str>) -> Vec<Self> {
        let (cases, norm) = seeded::cases();
        let plain = |case: &&seeded::Case| {
            let calibrated = case.head.contains_key("head.temperature");
            case.pool == Pool::Mean && case.diameter_mm.is_empty() && !calibrated
        };
        let wanted = |case: &&seeded::Case| only.is_none_or(|readout| case.readout.name() == readout);
        let model = |case: &seeded::Case| {
            let place = Place::new();
            std::fs::create_dir(place.path("model")).unwrap();
            npy(&place.path("crop.npy"), &[32, 32, 32], &vec![-500.0; 32768]);
            let model = Self { place, readout: case.readout.name(), files: seeded::directory(case, &norm) };
            model.write(&model.files);
            model
        };
        cases.iter().filter(plain).filter(wanted).map(model).collect()
    }

    fn of(readout: &str) -> Self {
        Self::all(Some(readout)).pop().unwrap()
    }

    fn arguments(&self) -> [String; 4] {
        ["predict".into(), "--model".into(), self.place.name("model"), self.place.name("crop.npy")]
    }

    fn write(&self, files: &BTreeMap<String, Vec<u8>>) {
        for (name, bytes) in files {
            std::fs::write(self.place.path("model").join(name), bytes).unwrap();
        }
    }

    /// Exit code and message with these weights, whose digest the configuration has.
    fn with_weights(&self, change: impl FnOnce(&mut Arrays)) -> (i32, String) {
        let mut arrays = read(&self.files[WEIGHTS], WEIGHTS).unwrap();
        change(&mut arrays);
        let weights = write_each(&arrays, |_| Precision::F32, &[]).unwrap();
        let digest = Sha256::digest(&weights).iter().map(|b| format!("{b:02x}")).collect::<String>();
        self.write(&BTreeMap::from([(WEIGHTS.to_owned(), weights)]));
        self.with_config(|config| config["sha256"][WEIGHTS] = digest.into())
    }

    /// Exit code and message with this configuration.
    fn with_config(&self, change: impl FnOnce(&mut Value)) -> (i32, String) {
        let mut config: Value = serde_json::from_slice(&self.files["config.json"]).unwrap();
        change(&mut config);
        self.write(&BTreeMap::from([("config.json".to_owned(), serde_json::to_vec(&config).unwrap())]));
        fails(&self.arguments().each_ref().map(String::as_str))
    }

    /// That these weights are refused by name, and for this reason.
    fn refuses(&self, change: impl FnOnce(&mut Arrays), tensor: &str, reason: &str) {
        let (code, message) = self.with_weights(change);
        assert_eq!(code, 3, "{}: {message}", self.readout);
        for part in ["model.safetensors", tensor, reason] {
            assert!(message.contains(part), "{}: `{part}` is not in: {message}", self.readout);
        }
    }

    /// That values of this tensor are refused, for this reason.
    fn refuses_values(&self, tensor: &str, change: impl FnOnce(&mut Vec<f32>), reason: &str) {
        self.refuses(|all| change(&mut all.get_mut(tensor).unwrap().values), tensor, reason);
    }
}

#[test]
fn tensors_that_miss_or_have_another_shape() {
    let models = Model::all(None);
    assert_eq!(models.len(), 6);
    for model in models {
        ok(&model.arguments().each_ref().map(String::as_str));
        let arrays = read(&model.files[WEIGHTS], WEIGHTS).unwrap();
        let own = |name: &&String| name.starts_with("head.") || name.starts_with("fc.");
        for name in arrays.keys().filter(own) {
            model.refuses(|all| drop(all.remove(name)), name, "is missing");
            model.refuses(|all| all.get_mut(name).unwrap().shape.insert(0, 1), name, "");
            let infinite = |values: &mut Vec<f32>| values[0] = f32::INFINITY;
            model.refuses_values(name, infinite, "NaN or infinity at element 0");
        }
        let another =
            |all: &mut Arrays| drop(all.insert("head.bias".into(), Array { shape: vec![1], values: vec![0.5] }));
        model.refuses(another, "head.bias", "not part of this model");
        if model.readout != "forest" {
            let wider = |all: &mut Arrays| {
                let fc = all.get_mut("fc.weight").unwrap();
                *fc = Array { shape: vec![fc.shape[0] + 1, 512], values: vec![0.0; (fc.shape[0] + 1) * 512] };
            };
            model.refuses(wider, "fc.weight", &format!("what the readout {} of 3 classes needs", model.readout));
        }
        for values in [vec![0.0], vec![-1.0], vec![1.0; 2]] {
            let temperature = |all: &mut Arrays| {
                all.insert("head.temperature".into(), Array { shape: vec![values.len()], values });
            };
            model.refuses(temperature, "head.temperature", "one number above 0");
        }
    }
}

#[test]
fn values_that_no_readout_has() {
    for readout in ["poisson", "binomial"] {
        let model = Model::of(readout);
        for tau in [0.0, -0.5] {
            model.refuses_values("head.tau", |values| values[0] = tau, "above 0");
        }
    }
    let cumulative = Model::of("cumulative");
    cumulative.refuses_values("head.thresholds", |values| values.reverse(), "increasing");
    cumulative.refuses_values("head.thresholds", |values| values[1] = values[0], "increasing");

    let forest = Model::of("forest");
    forest.refuses_values("head.leaves", |values| values[0] += 0.1, "sum to 1");
    let below = |values: &mut Vec<f32>| {
        values[1] += values[0] + 0.1;
        values[0] = -0.1;
    };
    forest.refuses_values("head.leaves", below, "sum to 1");
    for index in [128.0, -1.0, 0.5] {
        forest.refuses_values("head.splits", |values| values[3] = index, "an index below 128, once a tree");
    }
    forest.refuses_values("head.splits", |values| values[3] = values[4], "an index below 128, once a tree");
    let shorter = |all: &mut Arrays| {
        *all.get_mut("head.splits").unwrap() =
            Array { shape: vec![5, 14], values: (0..70).map(|i| i as f32).collect() };
    };
    forest.refuses(shorter, "head.leaves", "[5, 16, 3]");
}

#[test]
fn configurations_of_another_model() {
    for model in Model::all(None) {
        let refused = |change: &dyn Fn(&mut Value), reason: &str| {
            let (code, message) = model.with_config(change);
            assert_eq!(code, 3, "{message}");
            assert!(message.contains("config.json") && message.contains(reason), "`{reason}` is not in: {message}");
        };
        let other = if model.readout == "sticks" { "forest" } else { "sticks" };
        refused(&|config| config["readout"] = other.into(), &format!("can't have the readout {other}"));
        refused(&|config| config["readout"] = "logits".into(), "unknown variant `logits`");
        refused(&|config| config["method"] = "clip-lung-2".into(), "unknown variant `clip-lung-2`");
        refused(&|config| config["sha256"] = json!({}), "no entry for model.safetensors");
        let forgotten =
            |config: &mut Value| drop(config["sha256"].as_object_mut().unwrap().remove("golden.safetensors"));
        refused(&forgotten, "no entry for golden.safetensors");
    }
}

/// Weights so large that the outputs overflow: no prediction, whatever the readout makes of infinity.
#[test]
fn outputs_that_are_no_numbers() {
    for model in Model::all(None) {
        for sign in [1.0, -1.0] {
            let (code, message) = model.with_weights(|all| all.get_mut("fc.weight").unwrap().values.fill(sign * 1e38));
            assert_eq!(code, 5, "{}: {message}", model.readout);
            let told = message.contains("the device failed") && message.contains("check the model");
            assert!(told, "{}: {message}", model.readout);
        }
    }
}
