//! A scan on its way to the page.

use clip_lung_core::volume::view::{Values, View};
use clip_lung_core::volume::warning::Warning;
use serde_json::json;
use wasm_bindgen::prelude::*;

/// A volume with axes towards left, back and head. Triples are x, y, z.
#[wasm_bindgen]
pub struct Scan(View);

impl From<View> for Scan {
    fn from(view: View) -> Self {
        Self(view)
    }
}

#[wasm_bindgen]
impl Scan {
    /// HU in whole numbers, or none where the file has fractions; hands the voxels over.
    pub fn whole(&mut self) -> Vec<i16> {
        if let Values::Whole(hu) = &mut self.0.values { std::mem::take(hu) } else { Vec::new() }
    }

    /// HU with fractions, or none; hands the voxels over.
    pub fn fractions(&mut self) -> Vec<f32> {
        if let Values::Fractions(hu) = &mut self.0.values { std::mem::take(hu) } else { Vec::new() }
    }

    /// Voxels an axis.
    pub fn dims(&self) -> Vec<u32> {
        self.0.dims.iter().map(|d| *d as u32).collect()
    }

    /// mm.
    pub fn spacing(&self) -> Vec<f64> {
        self.0.spacing.to_vec()
    }

    /// Centre of the first voxel, LPS, mm.
    pub fn first(&self) -> Vec<f64> {
        self.0.first.xyz().to_vec()
    }

    /// The way from a voxel to the next along x, along y and along z, three LPS coordinates each, mm.
    pub fn steps(&self) -> Vec<f64> {
        self.0.steps.concat()
    }

    /// What the reader should know: a JSON list of `{kind, message}`, as in the command line's documents.
    pub fn warnings(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.0.warnings)?)
    }

    /// Where slices of a DICOM series are missing, and what to say of a crop that reaches into it: a JSON list of
    /// `{below, above, message}`, patient z in mm.
    pub fn gaps(&self) -> Result<String, JsError> {
        let said = |&(below, above): &(f64, f64)| json!({"below": below, "above": above, "message": Warning::MissingWithinCrop { below, above }.to_string()});
        Ok(serde_json::to_string(&self.0.gaps.iter().map(said).collect::<Vec<_>>())?)
    }

    /// The slices of a DICOM series as its files name them, from the feet: a JSON list of `[z in mm, SOPInstanceUID]`.
    pub fn slices(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.0.slices)?)
    }
}
