//! DICOM files: which series are among them, and one series as a volume.

use std::collections::BTreeMap;

use clip_lung_core::Error;
use clip_lung_core::volume::dicom::{DicomFault, File, Series, SliceHeader, read_file, slice_hu};
use clip_lung_core::volume::view::View;
use wasm_bindgen::prelude::*;

use crate::scan::Scan;

#[wasm_bindgen]
extern "C" {
    /// Where the page keeps the files: in its hands, not in this module's memory.
    pub type Files;

    /// The bytes of a file by its number.
    #[wasm_bindgen(method, catch)]
    fn bytes(this: &Files, index: usize) -> Result<Vec<u8>, JsValue>;
}

/// The headers of one or several series.
#[wasm_bindgen]
#[derive(Default)]
pub struct DicomFiles {
    names: Vec<String>,
    series: BTreeMap<String, Vec<(usize, SliceHeader)>>,
}

/// A series that the page offers.
#[wasm_bindgen(getter_with_clone)]
pub struct Offer {
    pub uid: String,
    pub description: String,
    pub slices: usize,
    /// mm; absent where the files don't say.
    pub thickness: Option<f64>,
    pub columns: u16,
    pub rows: u16,
    /// Why it can't be read as an axial volume; absent where it can.
    pub problem: Option<String>,
}

#[wasm_bindgen]
impl DicomFiles {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the header of a CT slice in, from a file's first bytes or all of them; otherwise says what the file is. Slices are numbered in
    /// the order in which they are taken in.
    ///
    /// # Errors
    /// When the file is damaged, of a kind that is not read, or its header longer than the bytes.
    pub fn add(&mut self, name: String, bytes: &[u8]) -> Result<Option<String>, JsError> {
        let index = self.names.len();
        match read_file(bytes) {
            Ok(File::Ct(header)) => {
                self.series.entry(header.series_uid.clone()).or_default().push((index, *header));
                self.names.push(name);
                Ok(None)
            }
            Ok(File::Other(modality)) => Ok(Some(format!("DICOM of modality {modality}"))),
            Err(DicomFault::NotDicom) => Ok(Some("not DICOM".into())),
            Err(fault) => Err(JsError::new(&fault.to_string())),
        }
    }

    /// The series, those with most slices first; those that can't be read last.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers: Vec<Offer> = self.series.iter().map(|(uid, slices)| self.offer(uid, slices)).collect();
        offers.sort_by_key(|offer| (offer.problem.is_some(), std::cmp::Reverse(offer.slices)));
        offers
    }

    /// HU of the slice in the middle of a series, row by row, for a small picture.
    ///
    /// # Errors
    /// When it can't be decoded.
    pub fn middle(&self, uid: &str, files: &Files) -> Result<Vec<f32>, JsError> {
        let slices = self.series.get(uid).ok_or_else(|| JsError::new("there is no such series among the files"))?;
        let Some((index, header)) = middle(slices) else { return Ok(Vec::new()) };
        let bytes = files.bytes(*index).map_err(|e| JsError::new(&format!("{e:?}")))?;
        Ok(slice_hu(&bytes, header)?)
    }

    /// One series as a volume; each of its files is asked for once. Slices that can't be decoded are left aside and named.
    ///
    /// # Errors
    /// When its slices make no axial volume.
    pub fn read(&self, uid: &str, files: &Files) -> Result<Scan, JsError> {
        let slices = self.series.get(uid).ok_or_else(|| JsError::new("there is no such series among the files"))?;
        let name = |i: usize| self.names[i].clone();
        let bytes = |i: usize| {
            files.bytes(i).map_err(|e| Error::Unreadable {
                file: name(i),
                reason: format!("the browser can't read it any more ({e:?})"),
            })
        };
        Ok(View::of_series(uid, slices, &name, bytes)?.into())
    }

    fn offer(&self, uid: &str, slices: &[(usize, SliceHeader)]) -> Offer {
        let header = middle(slices).map(|(_, header)| header);
        let problem = Series::order(slices.to_vec(), &|i| self.names[i].clone()).err();
        Offer {
            uid: uid.into(),
            description: header.map(|h| h.description.clone()).unwrap_or_default(),
            slices: slices.len(),
            thickness: header.and_then(|h| h.slice_thickness),
            columns: header.map_or(0, |h| h.columns),
            rows: header.map_or(0, |h| h.rows),
            problem: problem.map(|fault| fault.to_string()),
        }
    }
}

/// The slice in the middle, from the feet towards the head.
fn middle(slices: &[(usize, SliceHeader)]) -> Option<&(usize, SliceHeader)> {
    let mut slices: Vec<&(usize, SliceHeader)> = slices.iter().collect();
    slices.sort_by(|(_, a), (_, b)| a.position[2].total_cmp(&b.position[2]));
    slices.get(slices.len() / 2).copied()
}
