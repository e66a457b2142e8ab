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
    ["ObjectType", "NDims", "Comment"].iter().any(|key| bytes.starts_with(key.as_bytes()))
}

/// Reads an NRRD file or a MetaImage, by how it begins; `file` names it in errors, `fetch` gives the file of its voxels by the name in
/// the header, where they are not behind it.
///
/// Where an NRRD file does not say how its axes lie, they are taken for the patient's (left, back, head), and a warning says so.
///
/// # Errors
/// When the header or the data can't be used, or the volume is not axial within a degree.
pub fn parse(bytes: &[u8], file: &str, fetch: impl Fn(&str) -> Option<Vec<u8>>) -> Result<PlacedVolume> {
    if is_nrrd(bytes) { nrrd::parse(bytes, file, &fetch) } else { meta_image::parse(bytes, file, &fetch) }
}

#[cfg(test)]
mod tests;
