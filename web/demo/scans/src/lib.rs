//! Scans for the demo page: files in, voxels in HU and their place out, by the readers that the command line has, with the same warnings. A
//! module of its own, fetched only when somebody opens a file.

#![forbid(unsafe_code)]

mod dicom;
mod scan;
mod zip;

use clip_lung_core::volume::file_kind::{self, FileKind};
use clip_lung_core::volume::view::View;
use clip_lung_core::volume::{image, nifti};
use wasm_bindgen::prelude::*;

use scan::Scan;

#[wasm_bindgen]
extern "C" {
    /// The files that were opened together with one.
    pub type Beside;

    /// The bytes of the file of this name.
    #[wasm_bindgen(method)]
    fn bytes(this: &Beside, name: &str) -> Option<Vec<u8>>;
}

/// What a file with this name is that begins with `head`, its first 4096 bytes: `nifti`, `image` (NRRD, MetaImage), `zip`, `npy`, `other`
/// (perhaps DICOM), or `sidecar`, what systems put beside files.
#[wasm_bindgen]
pub fn kind_of(name: &str, head: &[u8]) -> String {
    if name.split('/').any(file_kind::is_sidecar) {
        return "sidecar".into();
    }
    let kind = match FileKind::of(name, head) {
        FileKind::Nifti => "nifti",
        FileKind::Image => "image",
        FileKind::Zip => "zip",
        FileKind::Npy => "npy",
        FileKind::Other => "other",
    };
    kind.into()
}

/// A NIfTI-1 file, gzipped or not; `name` stands in errors.
#[wasm_bindgen]
pub fn read_nifti(name: &str, bytes: &[u8]) -> Result<Scan, JsError> {
    Ok(View::of_volume(&nifti::parse(bytes, name)?)?.into())
}

/// An NRRD file or a MetaImage; `beside` gives the file of its voxels where they are not behind the header.
#[wasm_bindgen]
pub fn read_image(name: &str, bytes: &[u8], beside: &Beside) -> Result<Scan, JsError> {
    Ok(View::of_volume(&image::parse(bytes, name, |other| beside.bytes(other))?)?.into())
}
