//! The browser facade: a model from its directory's bytes, predictions, explanations, crops of volumes. Typed arrays cross the
//! boundary; every error is one of [`clip_lung_core::Error`], in words. Research software, not a medical device.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use burn::tensor::Device;
use clip_lung_core::Result;
use clip_lung_core::data::class::Class;
use clip_lung_core::data::crop::{Crop, VOXELS};
use clip_lung_core::data::volume::Volume;
use clip_lung_core::model::directory::{GOLDEN, Model};
use wasm_bindgen::prelude::*;

/// A model directory's files on their way in.
#[wasm_bindgen]
#[derive(Default)]
pub struct Files(BTreeMap<String, Vec<u8>>);

#[wasm_bindgen]
impl Files {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file by its name in the directory.
    pub fn add(&mut self, name: String, bytes: Vec<u8>) {
        self.0.insert(name, bytes);
    }
}

/// A loaded model, with the golden pair it is tested with.
#[wasm_bindgen]
pub struct Engine {
    model: Model,
    golden: Option<Vec<u8>>,
}

#[wasm_bindgen]
impl Engine {
    /// Checks digests, shapes, finiteness and the golden pair, folds the normalisations, and is ready.
    #[wasm_bindgen(constructor)]
    pub fn new(mut files: Files) -> std::result::Result<Self, JsError> {
        let model = Model::load(&files.0, "model", &Device::flex())?;
        Ok(Self { model, golden: files.0.remove(GOLDEN) })
    }

    /// Predicts the golden pair again: the largest difference of a probability, none without a golden pair.
    pub fn self_test(&self) -> std::result::Result<Option<f64>, JsError> {
        Ok(self.golden.as_deref().map(|bytes| self.model.self_test(bytes, GOLDEN)).transpose()?)
    }

    /// `config.json`.
    pub fn info(&self) -> std::result::Result<String, JsError> {
        Ok(serde_json::to_string(&self.model.config)?)
    }

    /// Logits of crops in HU, `n * 32768` samples (z, y, x) -> `n * classes`.
    pub fn logits(&self, hu: &[f32]) -> std::result::Result<Vec<f32>, JsError> {
        let crops = hu.chunks(VOXELS).map(|c| Crop::new(c.to_vec(), "crop")).collect::<Result<Vec<_>>>()?;
        Ok(self.model.predict(&crops)?.into_iter().flat_map(|p| p.logits).collect())
    }

    /// One crop in one pass: its logits, then the Grad-CAM of a class (the predicted one if none; 32 x 32 in 0..1), then the eight
    /// attributes' scores where the model has the words.
    pub fn read(&self, hu: Vec<f32>, class: Option<String>) -> std::result::Result<Vec<f32>, JsError> {
        let class = match class {
            Some(name) => {
                Some(Class::parse(&name).ok_or_else(|| JsError::new(&format!("there is no class `{name}`")))?)
            }
            None => None,
        };
        let found = self.model.explain(&Crop::new(hu, "crop")?, class)?;
        let attributes = found.attributes.into_iter().flatten();
        Ok(found.prediction.logits.into_iter().chain(found.heat).chain(attributes).collect())
    }
}

/// The crop of side 2 x `diameter_mm` around a voxel: axes (z, y, x), HU, `spacing` in mm.
#[wasm_bindgen]
pub fn crop(
    hu: Vec<f32>,
    dims: &[u32],
    spacing: &[f64],
    centre: &[f64],
    diameter_mm: f64,
) -> std::result::Result<Vec<f32>, JsError> {
    let three = || JsError::new("dims, spacing and centre have three numbers each: z, y, x");
    let dims: [u32; 3] = dims.try_into().map_err(|_| three())?;
    let spacing: [f64; 3] = spacing.try_into().map_err(|_| three())?;
    let centre: [f64; 3] = centre.try_into().map_err(|_| three())?;
    let volume = Volume::new(hu, dims.map(|d| d as usize), spacing)?;
    Ok(Crop::take(&volume, centre, diameter_mm)?.hu().to_vec())
}
