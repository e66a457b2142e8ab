//! CT series for the demo page: DICOM files in, voxels in HU out, by the reader that the command line has. A module of its own, fetched
//! only when somebody opens DICOM.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use clip_lung_core::Error;
use clip_lung_core::volume::dicom::{DicomFault, File, Regular, Series, SliceHeader, read_file};
use wasm_bindgen::prelude::*;

/// DICOM files of one or several series.
#[wasm_bindgen]
#[derive(Default)]
pub struct DicomFiles {
    files: Vec<(String, Vec<u8>)>,
    series: BTreeMap<String, Vec<(usize, SliceHeader)>>,
}

#[wasm_bindgen]
impl DicomFiles {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a CT slice in; otherwise says what the file is.
    pub fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<Option<String>, JsError> {
        match read_file(&bytes) {
            Ok(File::Ct(header)) => {
                let series = self.series.entry(header.series_uid.clone()).or_default();
                series.push((self.files.len(), *header));
                self.files.push((name, bytes));
                Ok(None)
            }
            Ok(File::Other(modality)) => Ok(Some(format!("DICOM of modality {modality}"))),
            Err(DicomFault::NotDicom) => Ok(Some("not DICOM".into())),
            Err(fault) => Err(JsError::new(&format!("{name}: {fault}"))),
        }
    }

    /// The series with the most slices as a volume.
    pub fn read(self) -> Result<Scan, JsError> {
        let Some((uid, slices)) = self.series.into_iter().max_by_key(|(_, slices)| slices.len()) else {
            return Err(JsError::new("there is no CT slice among the files"));
        };
        let bad = |fault| Error::Series { series: uid.clone(), fault };
        let series = Series::order(slices).map_err(bad)?;
        if let Some((below, above)) = series.gaps.first() {
            return Err(JsError::new(&format!("series {uid}: slices are missing between z {below} and {above} mm")));
        }
        let mut files: Vec<Option<(String, Vec<u8>)>> = self.files.into_iter().map(Some).collect();
        // each file is fetched once
        let gone = || Error::Unreadable { file: uid.clone(), reason: "a slice was asked for twice".into() };
        let volume = Regular::read(&series, |i| files[i].take().ok_or_else(gone))?;
        Ok(Scan(volume))
    }
}

/// A volume: axes (z, y, x) towards head, back and left.
#[wasm_bindgen]
pub struct Scan(Regular);

#[wasm_bindgen]
impl Scan {
    /// HU, x running fastest; hands the voxels over.
    pub fn hu(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.0.hu)
    }

    /// Voxels (x, y, z).
    pub fn dims(&self) -> Vec<u32> {
        self.0.dims.iter().rev().map(|d| *d as u32).collect()
    }

    /// mm (x, y, z).
    pub fn spacing(&self) -> Vec<f64> {
        self.0.spacing.iter().rev().copied().collect()
    }

    /// Centre of the first voxel (x, y, z), LPS, mm.
    pub fn first(&self) -> Vec<f64> {
        self.0.first.xyz().to_vec()
    }

    /// The way from a voxel to the next along x, along y and along z, three LPS coordinates each, mm.
    pub fn steps(&self) -> Vec<f64> {
        self.0.steps.concat()
    }
}
