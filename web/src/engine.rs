//! A model from its directory's bytes, its answers, and the crops of volumes that it needs.

use std::collections::BTreeMap;

use clip_lung_core::dataset::class::Class;
use clip_lung_core::model::answer::Explanation;
use clip_lung_core::model::directory::GOLDEN;
use clip_lung_core::model::guard::OutOfPlace;
use clip_lung_core::model::predict::Model;
use clip_lung_core::volume::crop::{Crop, VOXELS};
use clip_lung_core::volume::frame::Point;
use clip_lung_core::volume::voxels::Volume;
use clip_lung_core::volume::warning::not_a_nodules;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, js_sys::Promise};

use crate::device;

type Result<T> = std::result::Result<T, JsError>;

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
    /// Opens the device, checks digests, shapes, finiteness and the golden pair, folds the normalisations, and is ready. `digests`: a
    /// promise of the SHA-256 of the files, a JSON object by name; those not in it are computed here.
    pub async fn load(Files(mut files): Files, digests: Promise) -> Result<Self> {
        // the memory that a load takes, f16 to f32 and those in the kernels' order: asked for at once it comes ten times sooner
        let bytes: usize = files.values().map(Vec::len).sum();
        drop(Vec::<u8>::with_capacity(5 * bytes));
        let device = device::open().await?;
        let digests = async {
            let found = JsFuture::from(digests).await.ok().and_then(|found| found.as_string());
            found.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
        };
        let model = Model::load_async(&files, digests, "model", &device).await?;
        device::alive()?;
        Ok(Self { model, golden: files.remove(GOLDEN) })
    }

    /// Predicts the golden pair again: the largest difference of a probability, none without a golden pair.
    pub async fn self_test(&self) -> Result<Option<f64>> {
        let Some(golden) = &self.golden else { return Ok(None) };
        let difference = self.model.self_test(golden, GOLDEN).await?;
        device::alive()?;
        Ok(Some(difference))
    }

    /// `config.json`.
    pub fn info(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.model.config)?)
    }

    /// Crops in HU, `n * 32768` samples (z, y, x), in one pass, with their nodules' diameters in mm where the model reads them (or none).
    /// A row each: the logits, the probabilities, the index of the class decided on, the classes left open (a bit each; 0 without a rule for
    /// it), why the crop is no nodule (0: it may be one; [`Engine::reasons`] from 1), the Grad-CAM of a class (the predicted one if none;
    /// 32 x 32 in 0..1), the eight attributes' scores where the model has the words.
    pub async fn read(&self, hu: Vec<f32>, diameters: Vec<f64>, class: Option<String>) -> Result<Vec<f32>> {
        let class = match class {
            Some(name) => {
                Some(Class::parse(&name).ok_or_else(|| JsError::new(&format!("there is no class `{name}`")))?)
            }
            None => None,
        };
        let crops = hu.chunks(VOXELS).map(|c| Crop::new(c.to_vec(), "crop"));
        let crops = crops.collect::<clip_lung_core::Result<Vec<_>>>()?;
        let found = self.model.explain_async(&crops, &diameters, class).await?;
        device::alive()?;
        let classes = &self.model.config.classes;
        let row = |e: Explanation| {
            let decided = classes.iter().position(|c| *c == e.prediction.class).unwrap_or(0) as f32;
            let numbers = e.prediction.logits.into_iter().chain(e.prediction.probabilities).map(|v| v as f32);
            let rest = e.heat.into_iter().chain(e.attributes.into_iter().flatten());
            let of = |class: &Class| classes.iter().position(|c| c == class).map_or(0, |k| 1 << k);
            let open = e.prediction.set.iter().flatten().map(of).sum::<u32>() as f32;
            let reason = e.prediction.out_of_place.and_then(|r| OutOfPlace::ALL.iter().position(|known| *known == r));
            let reason = reason.map_or(0.0, |k| k as f32 + 1.0);
            numbers.chain([decided, open, reason]).chain(rest).collect::<Vec<_>>()
        };
        Ok(found.into_iter().flat_map(row).collect())
    }

    /// The sentences of [`Engine::read`]'s reasons, from number 1 on.
    pub fn reasons() -> Vec<String> {
        OutOfPlace::ALL.iter().map(|reason| reason.words().to_owned()).collect()
    }

    /// What a reader should know of a diameter in mm that no nodule has; nothing of any other.
    pub fn odd_diameter(diameter_mm: f64) -> Option<String> {
        not_a_nodules(diameter_mm).map(|warning| warning.to_string())
    }

    /// The crop around a voxel `centre` (x, y, z) of a volume in HU with the model's geometry: `dims` in voxels and `spacing` in mm,
    /// (z, y, x), x running fastest; axes towards left, back and head.
    pub fn crop(
        &self,
        hu: Vec<f32>,
        dims: &[u32],
        spacing: &[f64],
        centre: &[f64],
        diameter_mm: f64,
    ) -> Result<Vec<f32>> {
        let three = || JsError::new("dims, spacing and centre have three numbers each");
        let dims: [u32; 3] = dims.try_into().map_err(|_| three())?;
        let spacing: [f64; 3] = spacing.try_into().map_err(|_| three())?;
        let centre = Point::new(centre.try_into().map_err(|_| three())?)?;
        let volume = Volume::new(hu, dims.map(|d| d as usize), spacing)?;
        let size = self.model.config.input.crop.size(diameter_mm)?;
        Ok(Crop::take(&volume, centre, size)?.hu().to_vec())
    }
}
