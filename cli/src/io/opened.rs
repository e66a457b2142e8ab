//! What a place on disk that is no data set holds: one rule for whatever reads scans.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::volume::file_kind::FileKind;

use super::archive::search::{Archive, search, search_zip};
use super::kind;
use super::scan::Scan;

/// A folder's or a file's content.
pub enum Opened {
    /// DICOM series, of a folder or a ZIP archive.
    Series(Archive),
    /// The volume of a file or of a ZIP archive.
    Volume(Scan<'static>),
    /// A `.npy` file, which is yet to be read.
    Array,
}

impl Opened {
    /// What lies at `path`.
    pub fn at(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Series(search(path, false, &[], |_, _| ())?));
        }
        Ok(match kind::of(path)? {
            FileKind::Npy => Self::Array,
            FileKind::Zip => {
                let archive = search_zip(path)?;
                let volume = if archive.series.is_empty() { Scan::zipped(&archive)? } else { None };
                volume.map_or(Self::Series(archive), Self::Volume)
            }
            FileKind::Nifti => Self::Volume(Scan::nifti(path)?),
            FileKind::Image | FileKind::Other => Self::Volume(Scan::image(path)?),
        })
    }
}
