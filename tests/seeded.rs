//! Model directories of seeded weights, those of `golden/readouts.py`, for every readout.

#![allow(dead_code)]

use std::collections::BTreeMap;

use burn::tensor::Device;
use clip_lung_core::base::random::Stream;
use clip_lung_core::base::tensors::{Array, Arrays, Precision};
use clip_lung_core::dataset::task::Task;
use clip_lung_core::methods::Method;
use clip_lung_core::methods::heads::trunk::Shape;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::methods::readout::{Decision, ReadoutKind};
use clip_lung_core::model::config::{Input, Metadata, ModelConfig, SCHEMA};
use clip_lung_core::model::directory::{Parts, build};
use clip_lung_core::model::network::ImageNet;
use clip_lung_core::nn::layers::Initial;
use clip_lung_core::nn::parameters::collect;
use clip_lung_core::volume::crop::{Crop, Normalisation};
use clip_lung_core::volume::geometry::{CropGeometry, Extent};
use serde::Deserialize;
use serde_json::Value;

use crate::reference::{flat, phantom_crops};

/// Outputs of the forest's classifier.
const FOREST_UNITS: usize = 128;

/// A case of `golden/readouts.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub readout: ReadoutKind,
    pub pool: Pool,
    pub classes: usize,
    /// The readout's own tensors.
    pub head: BTreeMap<String, Value>,
    #[serde(default)]
    pub diameter_mm: Vec<f64>,
    /// The first outputs of the classifier.
    pub u: Vec<Vec<f64>>,
    pub log_probs: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    hu_window: [f32; 2],
    mean: f32,
    std: f32,
    cases: Vec<Case>,
}

/// The cases, and how crops are normalised.
pub fn cases() -> (Vec<Case>, Normalisation) {
    let File { hu_window, mean, std, cases } = serde_json::from_str(include_str!("golden/readouts.json")).unwrap();
    (cases, Normalisation { hu_window, mean, std })
}

/// The crops of the generator.
pub fn crops(n: u64) -> Vec<Crop> {
    phantom_crops(n).into_iter().map(|hu| Crop::new(hu, "phantom").unwrap()).collect()
}

/// FNV-1a of 64 bits: the random stream of a tensor by its name.
fn fnv(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The values of the tensor of this name.
fn drawn(name: &str, shape: &[usize]) -> Vec<f32> {
    let (low, high) = if name.ends_with("running_var") {
        (0.5, 1.5)
    } else if name.contains("bn") || name.contains("downsample.1") {
        if name.ends_with("weight") { (0.6, 1.4) } else { (-0.3, 0.3) }
    } else {
        let fan_in: usize = shape[1..].iter().product();
        let bound = if shape.len() > 1 { 1.5 / (fan_in as f64).sqrt() } else { 0.1 };
        (-bound, bound)
    };
    let mut random = Stream::new(77, fnv(name));
    (0..shape.iter().product()).map(|_| random.between(low, high) as f32).collect()
}

fn shape_of(list: &Value) -> Vec<usize> {
    std::iter::successors(Some(list), |inner| inner.get(0)).map_while(|l| l.as_array().map(Vec::len)).collect()
}

/// The files of a case's model directory.
pub fn directory(case: &Case, norm: &Normalisation) -> BTreeMap<String, Vec<u8>> {
    let device = Device::flex();
    let kind = case.readout;
    let shape = Shape {
        pool: case.pool,
        units: kind.units(case.classes).unwrap_or(FOREST_UNITS),
        bias: kind.has_bias(),
        diameter: !case.diameter_mm.is_empty(),
    };
    let mut arrays: Arrays = collect(&ImageNet::new(shape, Initial::Blank, &device));
    arrays.iter_mut().for_each(|(name, array)| array.values = drawn(name, &array.shape));
    for (name, list) in &case.head {
        let values = flat(list).into_iter().map(|v| v as f32).collect();
        arrays.insert(name.clone(), Array { shape: shape_of(list), values });
    }
    let method = Method::ALL.into_iter().find(|m| m.readouts().contains(&kind)).unwrap();
    let config = ModelConfig {
        schema: SCHEMA,
        method,
        task: Task::LidcA,
        classes: Task::LidcA.classes().to_vec(),
        pool: case.pool,
        readout: kind,
        decision: Decision::Argmax,
        diameter: shape.diameter,
        input: Input::new(norm, CropGeometry::cube(Extent::diameters(2.0).unwrap())),
        metadata: Metadata::default(),
        guard: None,
        answer_set: None,
        sha256: BTreeMap::new(),
    };
    let golden: [Crop; 2] = crops(2).try_into().unwrap();
    build(Parts { config, arrays, golden, precision: Precision::F32, card: "seeded" }, &device).unwrap()
}
