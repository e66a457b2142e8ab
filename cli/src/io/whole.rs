//! A whole scan as viewers have it, from its files.

use std::path::Path;

use anyhow::Result;
use clip_lung_core::volume::view::View;

use super::archive::search::Archive;
use super::opened::Opened;
use super::scan::Scan;
use crate::failure::Failure;

/// A scan and what it was read from.
pub struct Whole {
    pub view: View,
    /// The kind of file.
    pub format: &'static str,
    /// Of a DICOM series.
    pub series_uid: Option<String>,
}

impl Whole {
    /// A volume's file, the folder of a DICOM series, or a ZIP archive of one; `series` chooses one of several.
    pub fn read(path: &Path, series: Option<&str>) -> Result<Self> {
        match Opened::at(path)? {
            Opened::Array => {
                let message = format!("{}: an array does not say where it lies; give a scan", path.display());
                Err(Failure::File(message).into())
            }
            Opened::Series(archive) => Self::of_series(&archive, series),
            Opened::Volume(scan) => Self::of(&scan, None),
        }
    }

    fn of(scan: &Scan, series_uid: Option<String>) -> Result<Self> {
        Ok(Self { view: scan.view()?, format: scan.format(), series_uid })
    }

    fn of_series(archive: &Archive, series: Option<&str>) -> Result<Self> {
        archive.check()?;
        let uid = match series {
            Some(uid) => archive.named(uid)?,
            None => {
                let mut all = archive.series.keys();
                let (Some(one), None) = (all.next(), all.next()) else {
                    let (shown, n) = (archive.store.path().display(), archive.series.len());
                    let message = format!("{shown}: {n} CT series; choose one with --series: {}", archive.choices());
                    return Err(Failure::File(message).into());
                };
                one
            }
        };
        let scan = Scan::Dicom { store: &archive.store, uid, slices: &archive.series[uid] };
        let mut whole = Self::of(&scan, Some(uid.clone()))?;
        whole.view.warnings.splice(..0, archive.left_aside());
        Ok(whole)
    }
}
