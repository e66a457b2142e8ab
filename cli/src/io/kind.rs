//! What a file is, by how it begins: names lie.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use clip_lung_core::volume::{image, npy};

use crate::failure::Failure;

/// A file that can be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Npy,
    Nifti,
    /// NRRD or MetaImage.
    Image,
}

/// The kinds that are read, for messages.
pub const READ: &str =
    "give a data set directory, a .npy file in HU, a NIfTI, NRRD or MetaImage file, or the folder of a DICOM series";
/// Endings of NRRD and MetaImage.
pub const IMAGES: [&str; 4] = [".nrrd", ".nhdr", ".mha", ".mhd"];

/// What a file is.
pub fn of(path: &Path) -> Result<Kind> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let shown = path.display();
    if !path.exists() {
        let by_name = if name.ends_with(".npy") {
            "can't be read (there is no such file)"
        } else {
            "there is no such file or directory"
        };
        return Err(Failure::File(format!("{shown}: {by_name}; {READ}")).into());
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    read.map_err(|e| Failure::File(format!("{shown}: can't be read ({e}); check the path and its permissions")))?;
    if name.ends_with(".npy") || head.starts_with(npy::MAGIC) {
        return Ok(Kind::Npy);
    }
    // the header's own size, in either byte order, or a gzip stream
    let sized = [348i32.to_le_bytes(), 348i32.to_be_bytes()].iter().any(|size| head.starts_with(size));
    if name.ends_with(".nii") || name.ends_with(".nii.gz") || head.starts_with(&[0x1f, 0x8b]) || sized {
        return Ok(Kind::Nifti);
    }
    let named = IMAGES.iter().any(|end| name.ends_with(end));
    if named || image::is_nrrd(&head) || image::is_meta_image(&head) {
        return Ok(Kind::Image);
    }
    let what = if name.ends_with(".npz") {
        "an .npz archive; save its array with numpy.save as .npy".into()
    } else if head.starts_with(b"PK\x03\x04") {
        "a ZIP archive; unpack it and give its folder".into()
    } else if head.get(128..132) == Some(b"DICM") {
        "a single DICOM file; give the folder of its series".into()
    } else {
        format!("not a kind of file that can be predicted; {READ}")
    };
    Err(Failure::File(format!("{shown}: {what}")).into())
}
