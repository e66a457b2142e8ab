//! Finds CT series and annotation files below a folder, whatever its layout: from headers alone, grouped by SeriesInstanceUID.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use clip_lung_core::lidc::xml::{self, Document, Readings};
use clip_lung_core::volume::dicom::{self, DicomFault, SliceHeader};
use clip_lung_core::volume::warning::Warning;
use rayon::prelude::*;

use crate::failure::Failure;
use crate::io::files;

/// Headers fit into this; a file whose header is longer is read whole.
const HEAD: usize = 64 << 10;

/// What systems put beside the files of an archive.
const SIDECARS: [&str; 4] = [".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini"];

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
    pub fn read(&self, root: &Path) -> clip_lung_core::Result<(String, Vec<u8>)> {
        let name = self.path.display().to_string();
        match std::fs::read(root.join(&self.path)) {
            Ok(bytes) => Ok((name, bytes)),
            Err(e) => Err(clip_lung_core::Error::Unreadable { file: name, reason: e.to_string() }),
        }
    }
}

/// What lies below a folder.
#[derive(Default)]
pub struct Archive {
    /// CT slices by SeriesInstanceUID, in the order of their paths.
    pub series: BTreeMap<String, Vec<SliceFile>>,
    /// Annotation files by SeriesInstanceUID.
    pub readings: BTreeMap<String, (PathBuf, Readings)>,
    /// Files that can't be used: path and reason.
    pub unusable: Vec<(PathBuf, String)>,
    /// Files of other kinds, counted: a modality, an XML root, "not DICOM".
    pub others: BTreeMap<String, usize>,
}

impl Archive {
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
    Other(String),
    Unusable(String),
}

/// Whether an entry is no part of an archive: what systems put beside files, and `except`, which this program writes.
fn foreign(entry: &walkdir::DirEntry, except: &[PathBuf]) -> bool {
    let name = entry.file_name().to_string_lossy();
    name.starts_with("._") || SIDECARS.contains(&name.as_ref()) || except.iter().any(|place| entry.path() == place)
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
    let mut archive = Archive::default();
    let mut paths = Vec::new();
    for entry in walk(root, except) {
        match entry {
            Ok(e) => paths.push(e.into_path()),
            Err(e) => {
                let path = e.path().unwrap_or(root);
                archive.unusable.push((relative(root, path), format!("can't be listed ({e})")));
            }
        }
    }
    paths.sort();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let kinds: Vec<Kind> = paths
        .par_iter()
        .map(|path| {
            let kind = look(root, path, with_xml);
            tick(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, paths.len());
            kind
        })
        .collect();
    for (path, kind) in paths.iter().zip(kinds) {
        let path = relative(root, path);
        match kind {
            Kind::Slice(s) => archive.series.entry(s.header.series_uid.clone()).or_default().push(*s),
            Kind::Readings(r) => match archive.readings.entry(r.series_uid.clone()) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert((path, *r));
                }
                std::collections::btree_map::Entry::Occupied(first) => {
                    let reason = format!("{} annotates the same series and was used", first.get().0.display());
                    archive.unusable.push((path, reason));
                }
            },
            Kind::Other(what) => *archive.others.entry(what).or_default() += 1,
            Kind::Unusable(reason) => archive.unusable.push((path, reason)),
        }
    }
    Ok(archive)
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

fn look(root: &Path, path: &Path, with_xml: bool) -> Kind {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xml")) {
        if !with_xml {
            return Kind::Other("XML".into());
        }
        return match files::read(path).map(|bytes| xml::parse(&bytes)) {
            Ok(Ok(Document::Ct(readings))) => Kind::Readings(Box::new(readings)),
            Ok(Ok(Document::Other(root))) => Kind::Other(format!("XML of <{root}>")),
            Ok(Err(fault)) => Kind::Unusable(fault.to_string()),
            Err(e) => Kind::Unusable(e.to_string()),
        };
    }
    match header(path) {
        Ok((file, Ok(dicom::File::Ct(header)))) => {
            let modified = file.modified().ok();
            Kind::Slice(Box::new(SliceFile {
                path: relative(root, path),
                bytes: file.len(),
                modified,
                header: *header,
            }))
        }
        Ok((_, Ok(dicom::File::Other(modality)))) => Kind::Other(format!("DICOM of modality {modality}")),
        Ok((_, Err(DicomFault::NotDicom))) => Kind::Other("not DICOM".into()),
        Ok((_, Err(fault))) => Kind::Unusable(fault.to_string()),
        Err(e) => Kind::Unusable(format!("can't be read ({e})")),
    }
}

/// The header of a file, from its beginning where that suffices.
fn header(path: &Path) -> std::io::Result<(Metadata, Result<dicom::File, DicomFault>)> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    let size = about.len();
    let mut bytes = Vec::with_capacity(HEAD.min(size as usize));
    file.by_ref().take(HEAD as u64).read_to_end(&mut bytes)?;
    let found = dicom::read_file(&bytes);
    // cut short by us, not by its writer; deflated data sets may break anywhere
    let cut = size > bytes.len() as u64 && matches!(found, Err(ref f) if *f != DicomFault::NotDicom);
    if !cut {
        return Ok((about, found));
    }
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok((about, dicom::read_file(&bytes)))
}

/// No single CT slice is larger.
const MAX_FILE: u64 = 256 << 20;
