//! A study's directory with made-up predictions, as `sweep run` leaves it without the models.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clip_lung_core::base::digest::hex;
use clip_lung_core::base::random::Stream;
use clip_lung_core::base::tensors::{Array, Precision, write as tensors};
use clip_lung_core::dataset::class::Class;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::Method;
use clip_lung_core::study::anchors::Anchor;
use clip_lung_core::study::cells::{Cell, Study};
use clip_lung_core::study::pooled::{PredictedNodule, Predictions};
use clip_lung_core::study::variants::Variant;
use clip_lung_core::train::config::{DataId, TrainConfig};
use sha2::{Digest, Sha256};

pub const TASKS: [Task; 3] = [Task::LidcA, Task::LidcB, Task::LidcC];

/// What a study is of.
pub struct Plan<'a> {
    pub methods: &'a [Method],
    /// Each is a variant of the last method.
    pub variants: &'a [&'a str],
    pub tasks: &'a [Task],
    pub folds: usize,
    pub seeds: &'a [u64],
    pub patients: usize,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            methods: &[Method::Ce, Method::Udm, Method::ClipLung],
            variants: &[],
            tasks: &[Task::LidcA],
            folds: 2,
            seeds: &[2],
            patients: 60,
        }
    }
}

/// Writes the study; a later method predicts better.
pub fn write(dir: &Path, plan: &Plan<'_>) {
    let data = DataId { name: "made up".into(), sha256: "5e".repeat(32) };
    let plain = plan.methods.iter().map(|m| (*m, None));
    let last = *plan.methods.last().unwrap();
    let rows: Vec<(Method, Option<String>)> =
        plain.chain(plan.variants.iter().map(|v| (last, Some((*v).to_owned())))).collect();
    let (mut cells, mut digests) = (Vec::new(), BTreeMap::new());
    for &task in plan.tasks {
        let nodules = nodules(task, plan);
        for (i, (method, variant)) in rows.iter().enumerate() {
            for &seed in plan.seeds {
                let predictions = predict(&nodules, task, 1.0 + 0.2 * i as f64, 100 * i as u64 + seed);
                for fold in 0..plan.folds {
                    let mut config = TrainConfig {
                        task,
                        fold,
                        folds: plan.folds,
                        seed,
                        data: data.clone(),
                        ..TrainConfig::of(*method)
                    };
                    let changes = variant.iter().flat_map(|v| Variant::named(v).unwrap());
                    changes.filter(|v| v.method == *method).for_each(|v| v.apply(&mut config));
                    let value = serde_json::to_value(&config).unwrap();
                    let cell = Cell::new(*method, task, fold, seed, variant.clone(), value).unwrap();
                    let nodules = predictions.nodules.iter().filter(|n| n.fold == fold).cloned().collect();
                    write_cell(dir, &cell, &config, &Predictions { nodules, ..predictions.clone() });
                    cells.push(cell);
                }
            }
        }
        for (i, anchor) in Anchor::ALL.into_iter().enumerate() {
            let (name, anchors) = (format!("{}.{}.csv", task.name(), anchor.name()), dir.join("anchors"));
            std::fs::create_dir_all(&anchors).unwrap();
            let csv = predict(&nodules, task, 0.4 * i as f64, 7 + i as u64).write().unwrap();
            std::fs::write(anchors.join(&name), &csv).unwrap();
            digests.insert(name, hex(&Sha256::digest(&csv)));
        }
    }
    std::fs::write(dir.join("anchors/sha256.json"), serde_json::to_vec(&digests).unwrap()).unwrap();
    std::fs::write(dir.join("study.json"), Study::new(data, cells).unwrap().write().unwrap()).unwrap();
}

/// A finished cell with its log, and with the file of a model, which nothing may need.
pub fn write_cell(dir: &Path, cell: &Cell, config: &TrainConfig, predictions: &Predictions) {
    let place = dir.join("cells").join(cell.id.as_str());
    std::fs::create_dir_all(place.join("model")).unwrap();
    let file = |name: &str, bytes: &[u8]| std::fs::write(place.join(name), bytes).unwrap();
    let csv = predictions.write().unwrap();
    let metrics = serde_json::json!({
        "intended_use": "research", "synthetic_images": false, "method": cell.method, "task": cell.task, "fold": cell.fold,
        "data": config.data, "text_encoder": config.encoder(), "predictions_sha256": hex(&Sha256::digest(&csv)),
    });
    file("predictions.csv", &csv);
    file("metrics.json", &serde_json::to_vec(&metrics).unwrap());
    file("config.json", &serde_json::to_vec(config).unwrap());
    file("model/model.safetensors", b"weights");
    let line = |step: usize| {
        let (loss, accuracy) = (1.1 / step as f64, 1.0 - 0.6 / step as f64);
        format!(
            r#"{{"epoch":{},"step":{step},"lr":0.01,"loss":{loss},"terms":{{"ce":{loss}}},"accuracy":{accuracy},"samples":32}}"#,
            (step - 1) / 2
        ) + "\n"
    };
    file("log.jsonl", (1..=10).map(line).collect::<String>().as_bytes());
}

/// What a cell predicted.
pub fn predictions(dir: &Path, id: &str, task: Task) -> Predictions {
    Predictions::read(id, &std::fs::read(cell(dir, id).join("predictions.csv")).unwrap(), task).unwrap()
}

/// A file of one tensor that a cell kept, with the nodules' ids where there are any.
pub fn keep(dir: &Path, id: &str, tensor: &str, shape: &[usize], nodules: &[&str]) {
    let values = (0..shape.iter().product()).map(|i| (i * i % 97) as f32 / 97.0).collect();
    let arrays = [(tensor.to_owned(), Array { shape: shape.into(), values })].into();
    let ids = (!nodules.is_empty()).then(|| ("nodules".to_owned(), serde_json::to_string(nodules).unwrap()));
    let metadata: Vec<(String, String)> = ids.into_iter().collect();
    let bytes = tensors(&arrays, Precision::F32, &metadata).unwrap();
    std::fs::write(cell(dir, id).join(format!("{tensor}.safetensors")), bytes).unwrap();
}

/// The directory of a cell.
pub fn cell(dir: &Path, id: &str) -> PathBuf {
    dir.join("cells").join(id)
}

/// The nodules of a study: 1 to 5 a patient, patients dealt to folds.
fn nodules(task: Task, plan: &Plan<'_>) -> Vec<PredictedNodule> {
    let mut random = Stream::new(3, 0);
    let tested: Vec<Class> = Class::ALL.into_iter().filter(|c| task.tests(*c)).collect();
    let mut all = Vec::new();
    for p in 0..plan.patients {
        for _ in 0..1 + random.below(5) {
            all.push(PredictedNodule {
                nodule_id: format!("N{:04}", all.len()),
                patient_id: format!("P{p:03}"),
                fold: p % plan.folds,
                class: tested[random.below(tested.len())],
                probabilities: [0.0; 3],
            });
        }
    }
    all
}

/// Predictions of these nodules; a stronger `signal` predicts better.
fn predict(nodules: &[PredictedNodule], task: Task, signal: f64, seed: u64) -> Predictions {
    let mut noise = Stream::new(seed, 1);
    let mut predicted = |n: &PredictedNodule| {
        let weight = Class::ALL.map(|c| match task.label(c) {
            Some(_) => (noise.normal() + if c == n.class { signal } else { 0.0 }).exp(),
            None => 0.0,
        });
        let sum: f64 = weight.iter().sum();
        PredictedNodule { probabilities: weight.map(|w| w / sum), ..n.clone() }
    };
    let nodules = nodules.iter().map(&mut predicted).collect();
    Predictions { name: "made up".into(), task, nodules, decision: Default::default() }
}
