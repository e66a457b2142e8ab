//! DICOM files of one or several series.

use std::collections::BTreeMap;

use clip_lung_core::Error;
use clip_lung_core::volume::dicom::{DicomFault, File, Regular, Series, SliceHeader, read_file, slice_hu};
use clip_lung_core::volume::warning::{Warning, not_hu};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use crate::Scan;

/// A CT slice as it came.
struct Slice {
    name: String,
    bytes: Vec<u8>,
    header: SliceHeader,
}

/// DICOM files of one or several series.
#[wasm_bindgen]
#[derive(Default)]
pub struct DicomFiles {
    series: BTreeMap<String, Vec<Slice>>,
}

#[wasm_bindgen]
impl DicomFiles {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a CT slice in; any other file is left aside, for the reason it gives.
    pub fn add(&mut self, name: String, bytes: Vec<u8>) -> Option<String> {
        match read_file(&bytes) {
            Ok(File::Ct(header)) => {
                let slices = self.series.entry(header.series_uid.clone()).or_default();
                slices.push(Slice { name, bytes, header: *header });
                None
            }
            Ok(File::Other(modality)) => Some(format!("DICOM of modality {modality}")),
            Err(DicomFault::NotDicom) => Some("not DICOM".into()),
            Err(fault) => Some(fault.to_string()),
        }
    }

    /// The series to choose from, those of most slices first: a JSON list of `{uid, description, slices, thickness_mm, size}`.
    pub fn series(&self) -> String {
        let mut all: Vec<_> = self.series.iter().collect();
        all.sort_by_key(|(_, slices)| std::cmp::Reverse(slices.len()));
        let about = |(uid, slices): (&String, &Vec<Slice>)| -> Value {
            let h = &slices[0].header;
            json!({
                "uid": uid, "description": h.description, "slices": slices.len(), "thickness_mm": h.slice_thickness,
                "size": [h.columns, h.rows],
            })
        };
        Value::from_iter(all.into_iter().map(about)).to_string()
    }

    /// A series as a volume, that of most slices where none is named. Slices that can't be decoded are left aside and named.
    pub fn read(mut self, uid: Option<String>) -> Result<Scan, JsError> {
        let most = || self.series.iter().rev().max_by_key(|(_, slices)| slices.len()).map(|(uid, _)| uid.clone());
        let uid = uid.or_else(most).unwrap_or_default();
        let slices =
            self.series.remove(&uid).ok_or_else(|| JsError::new("there is no such CT series among the files"))?;
        drop(self);
        let (mut headers, mut names, mut decoded, mut damaged) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for Slice { name, bytes, header } in slices {
            match slice_hu(&bytes, &header) {
                // half the memory
                Ok(hu) => {
                    headers.push((decoded.len(), header));
                    decoded.push(hu.iter().map(|v| v.round() as i16).collect::<Vec<i16>>());
                    names.push(name);
                }
                Err(fault) => damaged.push(format!("{name} ({fault})")),
            }
        }
        let bad = |fault| Error::Series { series: uid.clone(), fault };
        let series = Series::order(headers, &|i| names[i].clone()).map_err(bad)?;
        let Regular { hu, dims, spacing, first, steps } =
            Regular::read(&series, |i| Ok(decoded[i].iter().map(|v| f32::from(*v)).collect()))?;
        let count = damaged.len();
        let damaged = damaged.into_iter().next().map(|first| Warning::LeftAside { first, count });
        let unlike = not_hu(hu.iter().map(|v| f32::from(*v)));
        let warnings = damaged.into_iter().chain(series.warnings.iter().cloned()).chain(unlike).collect();
        Ok(Scan { hu, dims, spacing, first: first.xyz(), steps, warnings })
    }
}
