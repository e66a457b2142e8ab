//! Scans of one's own below a folder: DICOM series, NIfTI, NRRD and MetaImage volumes, and blocks, found by the names that a list has for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::list::{Listed, file_stem, same_scan};
use clip_lung_core::volume::file_kind::FileKind;
use sha2::{Digest, Sha256};

use crate::io::archive::identity::Identity;
use crate::io::archive::search::{Archive, SliceFile, walk};
use crate::io::files;
use crate::io::scan::Scan;

/// What a scan is, and where.
pub enum Place<'a> {
    Series(&'a str, &'a [SliceFile]),
    Nifti(PathBuf),
    /// NRRD or MetaImage.
    Image(PathBuf),
    /// An array and the document that says where it lies.
    Block(PathBuf, PathBuf),
}

/// A scan by its name: a SeriesInstanceUID, or the path of its file below the folder.
pub struct OwnScan<'a> {
    pub name: String,
    pub place: Place<'a>,
}

/// All scans of a folder, those of DICOM from `archive`, the search of the same folder.
pub fn scans<'a>(root: &Path, archive: &'a Archive, except: &[PathBuf]) -> Vec<OwnScan<'a>> {
    let series =
        archive.series.iter().map(|(uid, slices)| OwnScan { name: uid.clone(), place: Place::Series(uid, slices) });
    let files = walk(root, except).flatten().filter_map(|entry| {
        let path = entry.into_path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let place = match FileKind::of(&name, &[]) {
            FileKind::Nifti => Place::Nifti(path),
            FileKind::Image => Place::Image(path),
            FileKind::Npy => {
                let beside = document_of(&path)?;
                Place::Block(path, beside)
            }
            FileKind::Zip | FileKind::Other => return None,
        };
        Some(OwnScan { name, place })
    });
    series.chain(files).collect()
}

/// `NAME.json` beside `NAME.npy`, or in a folder `metadata` beside its folder.
fn document_of(array: &Path) -> Option<PathBuf> {
    let beside = array.with_extension("json");
    let folder = array.parent()?.parent()?.join("metadata");
    [beside.clone(), folder.join(beside.file_name()?)].into_iter().find(|path| path.is_file())
}

impl<'a> OwnScan<'a> {
    /// Reads it, ready to be cut.
    pub fn open(&self, archive: &'a Archive) -> Result<Scan<'a>> {
        Ok(match &self.place {
            Place::Series(uid, slices) => Scan::Dicom { store: &archive.store, uid, slices },
            Place::Nifti(path) => Scan::nifti(path)?,
            Place::Image(path) => Scan::image(path)?,
            Place::Block(array, document) => Scan::block(array, document)?,
        })
    }

    /// What a data set calls it: its UID, or its file's name without endings.
    pub fn uid(&self) -> &str {
        if let Place::Series(uid, _) = self.place { uid } else { file_stem(&self.name) }
    }

    /// Whether the list puts a nodule here: by the scan it names, or, a block, by the nodule's own name.
    pub fn holds(&self, nodule: &Listed) -> bool {
        let named = nodule.lies_in(&self.name);
        let block = matches!(self.place, Place::Block(..));
        named || (block && nodule.id.as_ref().is_some_and(|id| same_scan(id, &self.name)))
    }
}

/// Of which scans a data set is made.
pub fn identity(scans: &[OwnScan], archive: &Archive, listing: String) -> Result<Identity> {
    let mut all = Identity::of(archive, listing);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for scan in scans {
        let digest = match &scan.place {
            Place::Series(..) => continue,
            Place::Nifti(path) | Place::Image(path) => hex(&Sha256::digest(files::read(path)?)),
            Place::Block(array, document) => {
                hex(&Sha256::digest([files::read(array)?, files::read(document)?].concat()))
            }
        };
        files.insert(scan.uid().to_owned(), digest);
    }
    all.series.extend(files);
    Ok(all)
}
