//! Scans for the demo page: files in, voxels in HU out, by the readers that the command line has, with the same warnings. A module of its
//! own, fetched only when somebody opens a file.

#![forbid(unsafe_code)]

mod dicom;

use clip_lung_core::volume::placed::PlacedVolume;
use clip_lung_core::volume::warning::{Warning, not_hu};
use clip_lung_core::volume::{image, nifti};
use wasm_bindgen::prelude::*;

pub use dicom::DicomFiles;

/// A volume: axes (z, y, x) towards head, back and left.
#[wasm_bindgen]
pub struct Scan {
    hu: Vec<i16>,
    /// (z, y, x).
    dims: [usize; 3],
    spacing: [f64; 3],
    first: [f64; 3],
    steps: [[f64; 3]; 3],
    warnings: Vec<Warning>,
}

#[wasm_bindgen]
impl Scan {
    /// HU, x running fastest; hands the voxels over.
    pub fn hu(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.hu)
    }

    /// Voxels (x, y, z).
    pub fn dims(&self) -> Vec<u32> {
        self.dims.iter().rev().map(|d| *d as u32).collect()
    }

    /// mm (x, y, z).
    pub fn spacing(&self) -> Vec<f64> {
        self.spacing.iter().rev().copied().collect()
    }

    /// Centre of the first voxel (x, y, z), LPS, mm.
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
}

/// A NIfTI-1 file, gzipped or not; `name` stands in errors.
#[wasm_bindgen]
pub fn read_nifti(name: &str, bytes: &[u8]) -> Result<Scan, JsError> {
    Scan::of(&nifti::parse(bytes, name)?)
}

/// An NRRD file or a MetaImage; `data` is the file of its voxels where they are not behind the header.
#[wasm_bindgen]
pub fn read_image(name: &str, bytes: &[u8], data: Option<Vec<u8>>) -> Result<Scan, JsError> {
    Scan::of(&image::parse(bytes, name, |_| data.clone())?)
}

impl Scan {
    fn of(placed: &PlacedVolume) -> Result<Self, JsError> {
        let volume = placed.volume();
        Ok(Self {
            hu: volume.voxels().iter().map(|v| v.round() as i16).collect(),
            dims: volume.dims(),
            spacing: volume.spacing(),
            first: placed.first()?.xyz(),
            steps: placed.steps(),
            warnings: placed.warnings.clone(),
        })
    }
}

/// For voxels that another reader gave: the warning that they are not HU by the look of them, as a JSON list of none or one.
#[wasm_bindgen]
pub fn warnings_of(hu: &[f32]) -> Result<String, JsError> {
    Ok(serde_json::to_string(&not_hu(hu.iter().copied()).into_iter().collect::<Vec<_>>())?)
}
