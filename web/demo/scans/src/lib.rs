//! Scans for the demo page: files in, voxels in HU and their place out, by the readers that the command line has, with the same warnings. A
//! module of its own, fetched only when somebody opens a file.

#![forbid(unsafe_code)]

mod dicom;
mod scan;

use clip_lung_core::volume::{image, nifti};
use wasm_bindgen::prelude::*;

use scan::Scan;

/// A NIfTI-1 file, gzipped or not; `name` stands in errors.
#[wasm_bindgen]
pub fn read_nifti(name: &str, bytes: &[u8]) -> Result<Scan, JsError> {
    Ok(Scan::of_file(&nifti::parse(bytes, name)?)?)
}

/// An NRRD file or a MetaImage; `data` is the file of its voxels where they are not behind the header.
#[wasm_bindgen]
pub fn read_image(name: &str, bytes: &[u8], data: Option<Vec<u8>>) -> Result<Scan, JsError> {
    Ok(Scan::of_file(&image::parse(bytes, name, |_| data.clone())?)?)
}
