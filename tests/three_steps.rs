//! Three training steps of every method against PyTorch (`golden/three_steps.py`): losses, terms, gradient norms, weights; a forest's
//! leaves after an epoch.

#![allow(clippy::unwrap_used, clippy::panic)]

mod reference;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Device;
use clip_lung_core::base::tensors::{Array, Arrays, read};
use clip_lung_core::methods::heads::attribute_weights::AttributeWeights;
use clip_lung_core::methods::heads::leaves::{EPSILON, Leaves, ROUNDS};
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::readout::Readout;
use clip_lung_core::methods::{MethodConfig, Outputs, Setup, Truth};
use clip_lung_core::nn::parameters::{apply, collect};
use clip_lung_core::nn::text::{encoder::TextEncoder, prompts::Prompts, side::TextSide};
use clip_lung_core::train::batch::Batch;
use clip_lung_core::train::config::TrainConfig;
use clip_lung_core::train::step::Trainer;
use reference::{close, flat, normalised_crops, numbers};
use serde::Deserialize;
use serde_json::{Value, json};

/// Of the first loss and its terms, in f32.
const FIRST: f64 = 1e-5;
/// Of the first gradient's norm, relative.
const FIRST_NORM: f64 = 1e-3;
/// What follows is as far off as three such steps carry it: where a ReLU's input is within rounding of 0, PyTorch's f64 lets the
/// gradient through and f32 does not, or the other way round. Of losses and terms,
const LATER: f64 = 3e-2;
/// of gradient norms and of how far a tensor moved, relative,
const RELATIVE: f64 = 0.15;
/// of weights, and of leaves and their likelihoods.
const WEIGHTS: f64 = 3e-3;
/// Nodules of each class, which the costs of udm's paper-like case are of.
const COUNTS: [usize; 3] = [1123, 1025, 503];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    seed: u64,
    lr: f64,
    momentum: f64,
    weight_decay: f64,
    labels: Vec<usize>,
    ratings: Vec<[f64; 8]>,
    attribute_weights: Value,
    class_ids: Vec<Vec<u32>>,
    attribute_ids: Vec<Vec<u32>>,
    start: BTreeMap<String, Digest>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    method: String,
    pool: Option<Pool>,
    decay: Option<f64>,
    /// Width of the text features, where it is not 512.
    columns: Option<usize>,
    margins: Option<[f64; 2]>,
    costs: Option<Vec<f64>>,
    splits: Option<Vec<Vec<usize>>>,
    leaves: Option<Value>,
    logits: Option<Value>,
    loss: [f64; 3],
    #[serde(default)]
    terms: BTreeMap<String, [f64; 3]>,
    gradient_norm: [f64; 3],
    start: BTreeMap<String, Digest>,
    after: BTreeMap<String, Digest>,
    leaf_update: Option<LeafUpdate>,
}

/// A tensor's values, or its first ones and its norm, and the norm of what was moved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    #[serde(alias = "first")]
    values: Value,
    norm: Option<f64>,
    moved: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeafUpdate {
    leaves: Value,
    nll: Vec<Vec<f64>>,
    next_loss: f64,
}

impl Case {
    fn config(&self) -> MethodConfig {
        let config = match self.method.as_str() {
            "binomial" => json!({"name": "poisson", "law": "binomial"}),
            "udm" if self.costs.is_some() => {
                let [n, p] = self.margins.unwrap();
                json!({"name": "udm", "form": "paper-like", "delta_n": n, "delta_p": p})
            }
            "corf" => json!({"name": "corf", "update": if self.logits.is_some() { "sgd" } else { "em" }}),
            name => json!({"name": name}),
        };
        serde_json::from_value(config).unwrap()
    }

    fn trainer(&self, golden: &Golden) -> Trainer {
        let (method, device) = (self.config(), Device::flex());
        let pool = self.pool.unwrap_or(method.default_pool());
        let text = method.needs_text().then(|| Arc::new(words(golden, self.columns, &device.clone().autodiff())));
        let setup = Setup { class_counts: COUNTS.into(), pool, diameter: false, seed: golden.seed, text };
        let config = TrainConfig {
            method,
            pool,
            lr: golden.lr,
            momentum: golden.momentum,
            weight_decay: self.decay.unwrap_or(golden.weight_decay),
            seed: golden.seed,
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(config, &setup, &device).unwrap();
        let mut arrays = collect(&trainer.network);
        if let Some(splits) = &self.splits {
            let Readout::Forest(forest) = trainer.network.head.readout().unwrap() else { panic!("no forest") };
            assert_eq!(forest.splits(), splits);
        }
        if let Some(given) = self.leaves.as_ref().or(self.logits.as_ref()) {
            arrays.get_mut("leaves").unwrap().values = flat(given).into_iter().map(|v| v as f32).collect();
        }
        trainer.network = apply(trainer.network, arrays, "golden").unwrap();
        trainer
    }
}

/// The small tower and its prompts; `columns`: of its projection, 512 when `None`.
fn words(golden: &Golden, columns: Option<usize>, device: &Device) -> TextSide {
    let mut arrays = read(include_bytes!("golden/small_clip_openai.safetensors"), "small").unwrap();
    if let Some(columns) = columns {
        let projection = arrays.get_mut("text_projection").unwrap();
        let values = projection.values.chunks(projection.shape[1]).flat_map(|row| row[..columns].to_vec()).collect();
        *projection = Array { shape: vec![projection.shape[0], columns], values };
    }
    let prompts = Prompts {
        classes: golden.class_ids.clone(),
        attributes: golden.attribute_ids.clone(),
        malignancy: golden.attribute_ids[0].clone(),
    };
    let encoder = TextEncoder::clip(&arrays, Some(2), &prompts.ids(), "small", device).unwrap();
    TextSide::new(encoder, &prompts, "small", false).unwrap()
}

/// A tensor by its golden name.
fn find<'a>(arrays: &'a Arrays, name: &str) -> &'a [f32] {
    let own = match name {
        "t" => "raw_tau",
        "t1" => "first",
        "r" => "gaps",
        "projection.weight" => "map.weight",
        other => other,
    };
    let array = arrays.get(own).or_else(|| arrays.get(&format!("prompt.{own}")));
    &array.unwrap_or_else(|| panic!("no {name}")).values
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

fn check(digest: &Digest, found: &[f32], start: &[f32], tolerance: f64, what: &str) {
    let numbers: Vec<f64> = found.iter().map(|v| f64::from(*v)).collect();
    let golden = flat(&digest.values);
    close(&numbers[..golden.len()], &golden, tolerance, what);
    if let Some(golden) = digest.norm {
        close(&[norm(numbers.into_iter())], &[golden], tolerance, what);
    }
    if let Some(golden) = digest.moved {
        let moved = norm(found.iter().zip(start).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        assert!((moved - golden).abs() <= RELATIVE * golden, "{what} moved by {moved}, not {golden}");
    }
}

#[test]
fn three_steps_of_every_method_equal_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("golden/three_steps.json")).unwrap();
    let weights = golden.ratings.iter().flat_map(|r| AttributeWeights::Softmax.of(r)).collect::<Vec<f64>>();
    close(&weights, &flat(&golden.attribute_weights), 1e-8, "attribute weights");
    for case in &golden.cases {
        let mut trainer = case.trainer(&golden);
        let device = trainer.device().clone();
        let truth = Truth::new(golden.labels.clone(), 3, golden.ratings.clone(), vec![3.0; 8], &device);
        let batch = Batch { images: normalised_crops(8, &device), log_diameter: None, truth };
        let start = collect(&trainer.network);
        for (name, digest) in golden.start.iter().chain(&case.start) {
            let found = find(&start, name);
            check(digest, found, found, 1e-6, &format!("{}: {name} at the start", case.name));
        }
        for step in 0..3 {
            let (next, log) = trainer.step(&batch, 0).unwrap();
            trainer = next;
            let what = |of: &str| format!("{}, step {}: {of}", case.name, step + 1);
            let (tolerance, relative) = if step == 0 { (FIRST, FIRST_NORM) } else { (LATER, RELATIVE) };
            close(&[log.loss], &[case.loss[step]], tolerance, &what("loss"));
            for (term, values) in &case.terms {
                close(&[log.terms[term]], &[values[step]], tolerance, &what(term));
            }
            let (found, expected) = (log.gradient_norm, case.gradient_norm[step]);
            // leaves that are all alike give a gradient of rounding alone
            let far = relative * expected + 1e-6;
            assert!((found - expected).abs() < far, "{}: {found} is not {expected}", what("gradient norm"));
        }
        let now = collect(&trainer.network);
        for (name, digest) in &case.after {
            check(digest, find(&now, name), find(&start, name), WEIGHTS, &format!("{}: {name}", case.name));
        }
        if let Some(update) = &case.leaf_update {
            after_the_epoch(&case.name, update, trainer, &batch);
        }
    }
}

/// The leaves' update on the batch in evaluation mode, and the loss of the next step.
fn after_the_epoch(case: &str, update: &LeafUpdate, mut trainer: Trainer, batch: &Batch) {
    let frozen = trainer.network.valid();
    let layer4 = frozen.backbone.fold().forward(batch.images.clone().inner(), &mut Vec::new());
    let values = numbers(frozen.head.trunk().forward(layer4, None).outputs);
    let outputs: Vec<Vec<f32>> =
        values.chunks(values.len() / 8).map(|row| row.iter().map(|v| *v as f32).collect()).collect();
    let labels = batch.truth.labels.clone();
    let Readout::Forest(forest) = trainer.network.head.readout().unwrap() else { panic!("no forest") };
    for (t, (splits, start)) in forest.splits().iter().zip(forest.leaves()).enumerate() {
        let tree = |leaves: &[Vec<f64>]| {
            let row = |u: &Vec<f32>| splits.iter().map(|&s| f64::from(u[s])).collect();
            Leaves::new(outputs.iter().map(row), leaves.to_vec())
        };
        let after = |rounds| tree(start).updated(&labels, rounds, EPSILON);
        let found: Vec<f64> = (0..=ROUNDS).map(|n| tree(&after(n)).negative_log_likelihood(&labels)).collect();
        let golden: Vec<f64> = update.nll.iter().map(|row| row[t]).collect();
        close(&found, &golden, WEIGHTS, &format!("{case}: likelihood of tree {t}"));
    }
    trainer.network.head = trainer.network.head.end_epoch(|| Ok(Outputs { outputs, labels })).unwrap();
    let leaves: Vec<f64> = collect(&trainer.network.head)["leaves"].values.iter().map(|v| f64::from(*v)).collect();
    close(&leaves, &flat(&update.leaves), WEIGHTS, &format!("{case}: leaves after the epoch"));
    let (_, log) = trainer.step(batch, 0).unwrap();
    close(&[log.loss], &[update.next_loss], WEIGHTS, &format!("{case}: loss after the leaves' update"));
}
