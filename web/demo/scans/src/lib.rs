//! Scans for the demo page, by the readers that the command line has: DICOM series and NIfTI volumes in, voxels in HU and their place
//! out. A module of its own, fetched only when somebody opens a scan.

#![forbid(unsafe_code)]

mod dicom;
mod scan;

use clip_lung_core::volume::nifti::NiftiScan;
use wasm_bindgen::prelude::*;

use scan::Scan;

/// A NIfTI-1 file, gzipped or not; `name` stands in errors.
#[wasm_bindgen]
pub fn read_nifti(name: &str, bytes: &[u8]) -> Result<Scan, JsError> {
    Ok(Scan::of_nifti(&NiftiScan::parse(bytes, name)?)?)
}
