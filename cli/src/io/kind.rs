//! What a file given on the command line is; what can't be predicted says what to do.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use clip_lung_core::volume::file_kind::{FileKind, HEAD};

use crate::failure::Failure;

/// The kinds that are read, for messages.
pub const READ: &str = "give a data set directory, a .npy file in HU, a NIfTI, NRRD or MetaImage file, or the folder of a DICOM series (a ZIP archive of them will do)";

/// What a file is.
pub fn of(path: &Path) -> Result<FileKind> {
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
    let read = File::open(path).and_then(|file| file.take(HEAD as u64).read_to_end(&mut head));
    read.map_err(|e| Failure::File(format!("{shown}: can't be read ({e}); check the path and its permissions")))?;
    let kind = FileKind::of(&name, &head);
    if kind != FileKind::Other {
        return Ok(kind);
    }
    let what = if name.ends_with(".npz") {
        "an .npz archive; save its array with numpy.save as .npy".into()
    } else if head.starts_with(&[0x1f, 0x8b]) {
        "gzipped, but no NIfTI file; unpack it and give what is in it".into()
    } else if head.get(128..132) == Some(b"DICM") {
        "a single DICOM file; give the folder of its series".into()
    } else {
        format!("not a kind of file that can be predicted; {READ}")
    };
    Err(Failure::File(format!("{shown}: {what}")).into())
}
