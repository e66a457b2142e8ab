//! The files of a ZIP archive, one by one.

use std::io::Cursor;

use clip_lung_core::Error;
use clip_lung_core::volume::packed::Packed;
use wasm_bindgen::prelude::*;

/// An archive in memory.
#[wasm_bindgen]
pub struct ZipFiles {
    file: String,
    packed: Packed<Cursor<Vec<u8>>>,
}

#[wasm_bindgen]
impl ZipFiles {
    /// # Errors
    /// When it can't be read, or has more in it than a scan can have; `file` names it.
    #[wasm_bindgen(constructor)]
    pub fn new(file: String, bytes: Vec<u8>) -> Result<Self, JsError> {
        match Packed::open(Cursor::new(bytes)) {
            Ok(packed) => Ok(Self { file, packed }),
            Err(fault) => Err(Error::Archive { file, fault }.into()),
        }
    }

    /// The paths of its files within the archive.
    pub fn names(&self) -> Vec<String> {
        self.packed.names().map(str::to_owned).collect()
    }

    /// What a file unpacks to.
    ///
    /// # Errors
    /// When it can't be unpacked.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, JsError> {
        let file = self.file.clone();
        Ok(self.packed.read(name, u64::MAX).map_err(|fault| Error::Archive { file, fault })?)
    }
}
