//! Images of research programs: NRRD (Slicer) and MetaImage (ITK; LUNA16's scans).
//!
//! Both have a header of words and the voxels behind it or in a file of their own, which `fetch` gives by its name.

mod header;
mod meta_image;
mod nrrd;

use super::placed::PlacedVolume;
use crate::error::Result;

/// Whether bytes begin as an NRRD file.
pub fn is_nrrd(bytes: &[u8]) -> bool {
    bytes.starts_with(b"NRRD000")
}

/// Whether bytes begin as a MetaImage's header.
pub fn is_meta_image(bytes: &[u8]) -> bool {
    let keys = ["ObjectType", "NDims", "Comment"].iter();
    let rest = keys.filter_map(|key| bytes.strip_prefix(key.as_bytes())).next();
    rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
}

/// Reads an NRRD file or a MetaImage, by how it begins; `file` names it in errors, `fetch` gives the file of its voxels where they are not
/// behind the header: by the name in it without folders, for it lies beside.
///
/// Where an NRRD file does not say how its axes lie, they are taken for the patient's (left, back, head), and a warning says so.
///
/// # Errors
/// When the header or the data can't be used, or the volume is not axial within a degree.
pub fn parse(bytes: &[u8], file: &str, fetch: impl Fn(&str) -> Option<Vec<u8>>) -> Result<PlacedVolume> {
    // the header may name it by the path that it had where it was written, on any system
    let beside = |path: &str| fetch(path.rsplit(['/', '\\']).next().unwrap_or(path));
    if is_nrrd(bytes) { nrrd::parse(bytes, file, &beside) } else { meta_image::parse(bytes, file, &beside) }
}

#[cfg(test)]
mod tests;
