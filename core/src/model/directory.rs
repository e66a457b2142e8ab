//! A model as a directory: weights, `config.json`, a golden pair and a card (README, "Model format").

use std::collections::BTreeMap;

use burn::tensor::{Device, read_sync};
use sha2::{Digest, Sha256};

use super::config::ModelConfig;
use super::explain::gradcam;
use super::network::ImageNet;
use super::predict::{Model, Words};
use super::readout_file::{self, SPLITS};
use crate::base::digest::hex;
use crate::base::tensors::{Array, Arrays, Precision, read, write, write_each};
use crate::error::{Error, Result};
use crate::methods::heads::trunk::Shape;
use crate::methods::pool::Pool;
use crate::nn::backbone::FEATURES;
use crate::nn::layers::Initial;
use crate::nn::parameters::apply;
use crate::volume::crop::{Crop, SIDE, VOXELS};

/// The weights' file.
pub const WEIGHTS: &str = "model.safetensors";
/// The configuration's file.
pub const CONFIG: &str = "config.json";
/// The golden pair's file.
pub const GOLDEN: &str = "golden.safetensors";
/// The card's file.
pub const CARD: &str = "README.md";

/// The optional tensors of the attribute read-out.
const ATTRIBUTES: &str = "attribute_features";
const LOGIT_SCALE: &str = "logit_scale";
/// The diameter that the golden pair's crops are given where the model reads one.
const GOLDEN_DIAMETER_MM: f64 = 8.0;
/// How far a device may be from the golden probabilities.
const GOLDEN_TOLERANCE: f64 = 1e-3;

impl Model {
    /// From a directory's files by name; digests, shapes, finiteness and the golden pair are checked. `dir` names it in errors.
    ///
    /// # Errors
    /// Whatever is wrong, by file.
    pub fn load(files: &BTreeMap<String, Vec<u8>>, dir: &str, device: &Device) -> Result<Self> {
        read_sync(Self::load_async(files, std::future::ready(BTreeMap::new()), dir, device))
    }

    /// [`Model::load`] where blocking is not possible. `digests`: the SHA-256 of those files whose digest is computed elsewhere
    /// meanwhile; nothing is predicted before they agree.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub async fn load_async(
        files: &BTreeMap<String, Vec<u8>>,
        digests: impl Future<Output = BTreeMap<String, String>>,
        dir: &str,
        device: &Device,
    ) -> Result<Self> {
        let path = |name: &str| format!("{dir}/{name}");
        let get = |name: &str| files.get(name).ok_or_else(|| Error::MissingFile { file: path(name) });
        let config = ModelConfig::parse(get(CONFIG)?, &path(CONFIG))?;
        let expected = config.sha256.clone();
        let model = get(WEIGHTS).and_then(|weights| Self::assemble(config, weights, dir, device));
        // damage is told as such, and not as what it made of the weights
        let digests = digests.await;
        for name in [WEIGHTS, GOLDEN].into_iter().filter(|n| files.contains_key(*n)) {
            if !expected.contains_key(name) {
                let reason = format!("`sha256` has no entry for {name}, which is beside it");
                return Err(Error::BadJson { file: path(CONFIG), reason });
            }
        }
        for (name, expected) in expected {
            let bytes = get(&name)?;
            let found = digests.get(&name).cloned().unwrap_or_else(|| hex(&Sha256::digest(bytes)));
            if found != expected {
                return Err(Error::Digest { file: path(&name), expected, found });
            }
        }
        let model = model?;
        if let Some(golden) = files.get(GOLDEN) {
            model.self_test(golden, &path(GOLDEN)).await?;
        }
        Ok(model)
    }

    fn assemble(config: ModelConfig, weights: &[u8], dir: &str, device: &Device) -> Result<Self> {
        let file = format!("{dir}/{WEIGHTS}");
        let mut arrays = read(weights, &file)?;
        let words = take_words(&mut arrays, &file)?;
        let values = |name: &str| arrays.get(name).map(|a| a.values.clone());
        let missing = |name: &str| Error::MissingTensor { file: file.clone(), name: name.into() };
        let fc = arrays.get("fc.weight").ok_or_else(|| missing("fc.weight"))?;
        let inputs = FEATURES + usize::from(config.diameter);
        let expected = vec![fc.values.len() / inputs, inputs];
        if fc.shape != expected {
            return Err(Error::Shape { file, name: "fc.weight".into(), expected, found: fc.shape.clone() });
        }
        let shape =
            Shape { pool: config.pool, units: fc.shape[0], bias: config.readout.has_bias(), diameter: config.diameter };
        let fc = fc.values.clone();
        let reduce = match config.pool {
            Pool::View => Some(values("reduce.weight").ok_or_else(|| missing("reduce.weight"))?),
            Pool::Mean => None,
        };
        let classes = config.classes.len();
        let (readout, temperature) = readout_file::take(config.readout, classes, shape.units, &mut arrays, &file)?;
        let net = apply(ImageNet::new(shape, Initial::Blank, device), arrays, &file)?.fold();
        let output_weights = gradcam::output_weights(reduce.as_deref(), &fc, shape.units);
        let norm = config.input.normalisation();
        Ok(Self {
            config,
            net,
            norm,
            readout,
            temperature,
            words,
            output_weights,
            device: device.clone(),
            others: Vec::new(),
        })
    }

    /// Predicts the golden pair of `golden.safetensors` again; the largest difference of a probability.
    ///
    /// # Errors
    /// When it exceeds what rounding explains: this device computes wrongly, or the weights are others.
    pub async fn self_test(&self, golden: &[u8], file: &str) -> Result<f64> {
        let golden = read(golden, file)?;
        let get = |name: &str, shape: &[usize]| -> Result<&Array> {
            let a = golden.get(name).ok_or_else(|| Error::MissingTensor { file: file.into(), name: name.into() })?;
            if a.shape[..] != *shape {
                return Err(Error::Shape {
                    file: file.into(),
                    name: name.into(),
                    expected: shape.to_vec(),
                    found: a.shape.clone(),
                });
            }
            Ok(a)
        };
        let input = get("input", &[2, SIDE, SIDE, SIDE])?;
        let expected = get("probabilities", &[2, self.config.classes.len()])?;
        let crops: Vec<Crop> =
            input.values.chunks_exact(VOXELS).map(|c| Crop::new(c.to_vec(), file)).collect::<Result<_>>()?;
        let found = self.predict_async(&crops, &[GOLDEN_DIAMETER_MM; 2]).await?;
        let difference = found
            .iter()
            .flat_map(|p| &p.probabilities)
            .zip(&expected.values)
            .map(|(a, b)| (a - f64::from(*b)).abs())
            .fold(0.0, |a, b| if b.is_nan() { f64::INFINITY } else { b.max(a) });
        if difference > GOLDEN_TOLERANCE {
            return Err(Error::SelfTest { difference, allowed: GOLDEN_TOLERANCE });
        }
        Ok(difference)
    }
}

fn take_words(arrays: &mut Arrays, file: &str) -> Result<Option<Words>> {
    let (features, scale) = (arrays.remove(ATTRIBUTES), arrays.remove(LOGIT_SCALE));
    let (Some(features), Some(scale)) = (features, scale) else { return Ok(None) };
    for (name, array, expected) in [(ATTRIBUTES, &features, vec![8, 512]), (LOGIT_SCALE, &scale, vec![1])] {
        if array.shape != expected && !(name == LOGIT_SCALE && array.values.len() == 1) {
            return Err(Error::Shape { file: file.into(), name: name.into(), expected, found: array.shape.clone() });
        }
    }
    Ok(Some(Words { features: features.values, scale: scale.values[0].exp() }))
}

/// What [`build`] puts into a directory.
pub struct Parts<'a> {
    pub config: ModelConfig,
    /// The weights by PyTorch's names; attribute features and logit scale may be among them.
    pub arrays: Arrays,
    /// The two crops of the golden pair.
    pub golden: [Crop; 2],
    pub precision: Precision,
    pub card: &'a str,
}

/// The files of a model directory; digests and golden pair are made from the weights as stored.
///
/// # Errors
/// When the weights don't fit the configuration or the device fails.
pub fn build(parts: Parts<'_>, device: &Device) -> Result<BTreeMap<String, Vec<u8>>> {
    let Parts { mut config, arrays, golden, precision, card } = parts;
    let mut files = BTreeMap::new();
    let each = |name: &str| match name {
        // a readout's few numbers keep their precision
        SPLITS => Precision::I32,
        name if name.starts_with("head.") => Precision::F32,
        _ => precision,
    };
    files.insert(WEIGHTS.to_owned(), write_each(&arrays, each, &[("format".into(), "pt".into())])?);
    let json = |config: &ModelConfig| {
        serde_json::to_vec_pretty(config).map_err(|e| Error::BadJson { file: CONFIG.into(), reason: e.to_string() })
    };
    config.sha256.clear();
    config.check(CONFIG)?;
    let predictions = Model::assemble(config.clone(), &files[WEIGHTS], "model", device)?
        .predict(&golden, &[GOLDEN_DIAMETER_MM; 2])?;
    let array = |shape: Vec<usize>, values: Vec<f32>| Array { shape, values };
    let probabilities = predictions.iter().flat_map(|p| p.probabilities.iter().map(|v| *v as f32)).collect();
    let pair: Arrays = [
        (
            "input".to_owned(),
            array(vec![2, SIDE, SIDE, SIDE], golden.iter().flat_map(|c| c.hu().iter().copied()).collect()),
        ),
        ("probabilities".to_owned(), array(vec![2, config.classes.len()], probabilities)),
    ]
    .into();
    files.insert(GOLDEN.into(), write(&pair, Precision::F32, &[])?);
    for name in [WEIGHTS, GOLDEN] {
        config.sha256.insert(name.into(), hex(&Sha256::digest(&files[name])));
    }
    files.insert(CONFIG.into(), json(&config)?);
    files.insert(CARD.into(), card.as_bytes().to_vec());
    Ok(files)
}
