//! Finds CT series and annotation files below a folder, whatever its layout: from headers alone, grouped by SeriesInstanceUID.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::lidc::xml::{self, Document, Readings};
use clip_lung_core::volume::dicom::{self, DicomFault, SliceHeader};
use clip_lung_core::volume::file_kind::{self, FileKind, is_sidecar};
use clip_lung_core::volume::warning::Warning;
use rayon::prelude::*;

use super::store::{Head, Store};
use crate::failure::Failure;

/// Headers fit into this; a file whose header is longer is read whole.
const HEAD: u64 = 64 << 10;

/// A slice's file.
#[derive(Clone, Debug)]
pub struct SliceFile {
    /// Relative to the folder searched.
    pub path: PathBuf,
    pub bytes: u64,
    pub modified: Option<SystemTime>,
    pub header: SliceHeader,
}

impl SliceFile {
    /// The file's name and bytes.
    pub fn read(&self, store: &Store) -> clip_lung_core::Result<(String, Vec<u8>)> {
        Ok((self.path.display().to_string(), store.read(&self.path)?))
    }
}

/// What lies below a folder, or in a ZIP archive.
pub struct Archive {
    pub store: Arc<Store>,
    /// CT slices by SeriesInstanceUID, in the order of their paths.
    pub series: BTreeMap<String, Vec<SliceFile>>,
    /// Annotation files by SeriesInstanceUID.
    pub readings: BTreeMap<String, (PathBuf, Readings)>,
    /// Files that can't be used: path and reason.
    pub unusable: Vec<(PathBuf, String)>,
    /// Files of other kinds, counted: a modality, an XML root, "not DICOM".
    pub others: BTreeMap<String, usize>,
    /// NIfTI, NRRD and MetaImage files in a ZIP archive.
    pub volumes: Vec<(PathBuf, FileKind)>,
}

impl Archive {
    fn of(store: Store) -> Self {
        Self {
            store: Arc::new(store),
            series: BTreeMap::new(),
            readings: BTreeMap::new(),
            unusable: Vec::new(),
            others: BTreeMap::new(),
            volumes: Vec::new(),
        }
    }

    /// The series of a UID.
    pub fn named(&self, uid: &str) -> Result<&String> {
        let known = self.series.get_key_value(uid).map(|(uid, _)| uid);
        Ok(known.ok_or_else(|| {
            let (shown, choices) = (self.store.path().display(), self.choices());
            Failure::File(format!("{shown}: no series {uid} in it; there are: {choices}"))
        })?)
    }

    /// That there is a series.
    pub fn check(&self) -> Result<()> {
        let (shown, contents) = (self.store.path().display(), self.contents());
        let hint = "give a data set directory or the folder of a DICOM series";
        let none = || Failure::File(format!("{shown}: no CT slice in it ({contents}); {hint}"));
        if self.series.is_empty() { Err(none().into()) } else { Ok(()) }
    }

    /// The series, to choose from.
    pub fn choices(&self) -> String {
        let about = |(uid, slices): (&String, &Vec<SliceFile>)| {
            let h = &slices[0].header;
            let thick = h.slice_thickness.map_or(String::new(), |t| format!(", {t} mm"));
            let words = if h.description.is_empty() { String::new() } else { format!("{}, ", h.description) };
            format!("{uid} ({words}{} slices{thick})", slices.len())
        };
        self.series.iter().take(20).map(about).collect::<Vec<_>>().join(", ")
    }

    fn take(&mut self, path: PathBuf, kind: Kind) {
        match kind {
            Kind::Slice(s) => self.series.entry(s.header.series_uid.clone()).or_default().push(*s),
            Kind::Readings(r) => match self.readings.entry(r.series_uid.clone()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert((path, *r));
                }
                std::collections::btree_map::Entry::Occupied(first) => {
                    let reason = format!("{} annotates the same series and was used", first.get().0.display());
                    self.unusable.push((path, reason));
                }
            },
            Kind::Volume(kind) => self.volumes.push((path, kind)),
            Kind::Other(what) => *self.others.entry(what).or_default() += 1,
            Kind::Unusable(reason) => self.unusable.push((path, reason)),
        }
    }

    /// What it holds but CT slices, in words.
    pub fn contents(&self) -> String {
        let others = self.others.iter().map(|(what, n)| format!("{n} {what}"));
        let broken = self.unusable.iter().take(3).map(|(path, why)| format!("{}: {why}", path.display()));
        others.chain(broken).collect::<Vec<_>>().join("; ")
    }

    /// The files that should be part of it and can't be used.
    pub fn left_aside(&self) -> Option<Warning> {
        let (path, why) = self.unusable.first()?;
        Some(Warning::LeftAside { first: format!("{} ({why})", path.display()), count: self.unusable.len() })
    }
}

/// What one file is.
enum Kind {
    Slice(Box<SliceFile>),
    Readings(Box<Readings>),
    Volume(FileKind),
    Other(String),
    Unusable(String),
}

/// Whether an entry is no part of an archive: what systems put beside files, and `except`, which this program writes.
fn foreign(entry: &walkdir::DirEntry, except: &[PathBuf]) -> bool {
    let name = entry.file_name().to_string_lossy();
    is_sidecar(&name) || except.iter().any(|place| entry.path() == place)
}

/// The files below `root` that may be part of an archive, and what can't be listed, in the order of their names.
pub fn walk<'a>(root: &Path, except: &'a [PathBuf]) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> + 'a {
    let entries = walkdir::WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    entries.filter_entry(|e| !foreign(e, except)).filter(|e| e.as_ref().map_or(true, |e| e.file_type().is_file()))
}

/// Searches `root` but for the places `except`; `with_xml` reads annotation files too. `tick` is called once a file.
pub fn search(root: &Path, with_xml: bool, except: &[PathBuf], tick: impl Fn(usize, usize) + Sync) -> Result<Archive> {
    if !root.is_dir() {
        return Err(Failure::File(format!("{}: there is no such directory; check the path", root.display())).into());
    }
    let mut archive = Archive::of(Store::Folder(root.into()));
    let mut paths = Vec::new();
    for entry in walk(root, except) {
        match entry {
            Ok(e) => paths.push(relative(root, e.path())),
            Err(e) => {
                let path = e.path().unwrap_or(root);
                archive.unusable.push((relative(root, path), format!("can't be listed ({e})")));
            }
        }
    }
    paths.sort();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let store = archive.store.clone();
    let kinds: Vec<Kind> = paths
        .par_iter()
        .map(|path| {
            let kind = look(&store, path, with_xml);
            tick(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, paths.len());
            kind
        })
        .collect();
    paths.into_iter().zip(kinds).for_each(|(path, kind)| archive.take(path, kind));
    Ok(archive)
}

/// Searches a ZIP archive: for CT slices, and for volumes.
pub fn search_zip(path: &Path) -> Result<Archive> {
    let mut archive = Archive::of(Store::zip(path)?);
    for name in archive.store.packed_names() {
        let head = archive.store.head(&name, file_kind::HEAD as u64);
        let kind = head.map_or(FileKind::Other, |head| FileKind::of(&name.to_string_lossy(), &head.bytes));
        let kind = match kind {
            FileKind::Nifti | FileKind::Image => Kind::Volume(kind),
            _ => look(&archive.store, &name, false),
        };
        archive.take(name, kind);
    }
    Ok(archive)
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

fn look(store: &Store, path: &Path, with_xml: bool) -> Kind {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml")) {
        if !with_xml {
            return Kind::Other("XML".into());
        }
        return match store.read(path).map(|bytes| xml::parse(&bytes)) {
            Ok(Ok(Document::Ct(readings))) => Kind::Readings(Box::new(readings)),
            Ok(Ok(Document::Other(root))) => Kind::Other(format!("XML of <{root}>")),
            Ok(Err(fault)) => Kind::Unusable(fault.to_string()),
            Err(e) => Kind::Unusable(bare(&e)),
        };
    }
    match header(store, path) {
        Ok((head, Ok(dicom::File::Ct(header)))) => Kind::Slice(Box::new(SliceFile {
            path: path.into(),
            bytes: head.size,
            modified: head.modified,
            header: *header,
        })),
        Ok((_, Ok(dicom::File::Other(modality)))) => Kind::Other(format!("DICOM of modality {modality}")),
        Ok((_, Err(DicomFault::NotDicom))) => Kind::Other("not DICOM".into()),
        Ok((_, Err(fault))) => Kind::Unusable(fault.to_string()),
        Err(e) => Kind::Unusable(bare(&e)),
    }
}

/// Why a file can't be read, without its name.
fn bare(error: &Error) -> String {
    match error {
        Error::Unreadable { reason, .. } => format!("can't be read ({reason})"),
        Error::Archive { fault, .. } => fault.to_string(),
        other => other.to_string(),
    }
}

/// The header of a file, from its beginning where that suffices.
fn header(store: &Store, path: &Path) -> clip_lung_core::Result<(Head, Result<dicom::File, DicomFault>)> {
    let head = store.head(path, HEAD)?;
    let found = dicom::read_file(&head.bytes);
    // cut short by us, not by its writer; deflated data sets may break anywhere
    let cut = head.size > head.bytes.len() as u64 && matches!(found, Err(ref f) if *f != DicomFault::NotDicom);
    if !cut {
        return Ok((head, found));
    }
    let whole = store.slice(path)?;
    Ok((head, dicom::read_file(&whole)))
}
