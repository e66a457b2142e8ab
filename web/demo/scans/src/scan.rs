//! A volume on its way to the page.

use clip_lung_core::Result;
use clip_lung_core::volume::dicom::{Regular, Series};
use clip_lung_core::volume::placed::PlacedVolume;
use clip_lung_core::volume::warning::Warning;
use serde_json::json;
use wasm_bindgen::prelude::*;

/// A volume with axes towards left, back and head. Triples are x, y, z.
#[wasm_bindgen]
pub struct Scan {
    /// HU, x running fastest; whole numbers unless the file has others, which lie in `fractions`.
    whole: Vec<i16>,
    fractions: Vec<f32>,
    dims: [usize; 3],
    spacing: [f64; 3],
    first: [f64; 3],
    steps: [[f64; 3]; 3],
    warnings: Vec<Warning>,
    /// Slices as their files name them, from the feet: patient z (mm) and SOPInstanceUID.
    slices: Vec<(f64, String)>,
    /// Patient z (mm) between which slices are missing.
    gaps: Vec<(f64, f64)>,
}

impl Scan {
    pub fn of_series(volume: Regular, series: &Series, warnings: Vec<Warning>) -> Self {
        let Regular { hu: whole, dims: [nz, ny, nx], spacing: [dz, dy, dx], first, steps } = volume;
        let (dims, spacing) = ([nx, ny, nz], [dx, dy, dz]);
        let slices = series.slices.iter().map(|s| (s.z, s.sop_uid.clone())).collect();
        let gaps = series.gaps.clone();
        Self { whole, fractions: Vec::new(), dims, spacing, first: first.xyz(), steps, warnings, slices, gaps }
    }

    pub fn of_file(placed: &PlacedVolume) -> Result<Self> {
        let volume = placed.volume();
        let ([nz, ny, nx], [dz, dy, dx]) = (volume.dims(), volume.spacing());
        let voxels = volume.voxels();
        let is_whole = |v: &f32| f32::from(*v as i16) == *v;
        let (whole, fractions) = if voxels.iter().all(is_whole) {
            (voxels.iter().map(|v| *v as i16).collect(), Vec::new())
        } else {
            (Vec::new(), voxels.to_vec())
        };
        Ok(Self {
            whole,
            fractions,
            dims: [nx, ny, nz],
            spacing: [dx, dy, dz],
            first: placed.first()?.xyz(),
            steps: placed.steps(),
            warnings: placed.warnings.clone(),
            slices: Vec::new(),
            gaps: Vec::new(),
        })
    }
}

#[wasm_bindgen]
impl Scan {
    /// HU in whole numbers, or none where the file has fractions; hands the voxels over.
    pub fn whole(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.whole)
    }

    /// HU with fractions, or none; hands the voxels over.
    pub fn fractions(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.fractions)
    }

    /// Voxels an axis.
    pub fn dims(&self) -> Vec<u32> {
        self.dims.iter().map(|d| *d as u32).collect()
    }

    /// mm.
    pub fn spacing(&self) -> Vec<f64> {
        self.spacing.to_vec()
    }

    /// Centre of the first voxel, LPS, mm.
    pub fn first(&self) -> Vec<f64> {
        self.first.to_vec()
    }

    /// The way from a voxel to the next along x, along y and along z, three LPS coordinates each, mm.
    pub fn steps(&self) -> Vec<f64> {
        self.steps.concat()
    }

    /// What the reader should know: a JSON list of `{kind, message}`, as in the command line's documents.
    pub fn warnings(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.warnings)?)
    }

    /// Where slices of a DICOM series are missing, and what to say of a crop that reaches into it: a JSON list of
    /// `{below, above, message}`, patient z in mm.
    pub fn gaps(&self) -> Result<String, JsError> {
        let said = |&(below, above): &(f64, f64)| json!({"below": below, "above": above, "message": Warning::MissingWithinCrop { below, above }.to_string()});
        Ok(serde_json::to_string(&self.gaps.iter().map(said).collect::<Vec<_>>())?)
    }

    /// The slices of a DICOM series as its files name them, from the feet: a JSON list of `[z in mm, SOPInstanceUID]`.
    pub fn slices(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.slices)?)
    }
}
