//! The files of a ZIP archive, one by one.

use std::io::Cursor;

use clip_lung_core::Error;
use clip_lung_core::volume::packed::Packed;
use wasm_bindgen::prelude::*;

/// An archive in memory.
#[wasm_bindgen]
pub struct ZipFiles(Packed<Cursor<Vec<u8>>>);

#[wasm_bindgen]
impl ZipFiles {
    /// # Errors
    /// When it can't be read, or has more in it than a scan can have; `file` names it.
    #[wasm_bindgen(constructor)]
    pub fn new(file: String, bytes: Vec<u8>) -> Result<Self, JsError> {
        Ok(Self(Packed::open(Cursor::new(bytes)).map_err(|fault| Error::Archive { file, fault })?))
    }

    /// The paths of its files within the archive.
    pub fn names(&self) -> Vec<String> {
        self.0.names().map(str::to_owned).collect()
    }

    /// What a file unpacks to.
    ///
    /// # Errors
    /// When it can't be unpacked.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, JsError> {
        Ok(self.0.read(name, u64::MAX)?)
    }
}
