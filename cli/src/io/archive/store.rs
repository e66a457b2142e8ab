//! Where the files of scans lie: below a folder, or in a ZIP archive, which is never unpacked to the disk.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use clip_lung_core::error::{Error, Result};
use clip_lung_core::volume::packed::Packed;

/// No single file of a series is larger.
const MOST_BYTES: u64 = 256 << 20;

/// A folder, or an archive.
pub enum Store {
    Folder(PathBuf),
    Zip { path: PathBuf, packed: Mutex<Packed<BufReader<File>>> },
}

/// The beginning of a file, and what the disk says of it.
pub struct Head {
    pub bytes: Vec<u8>,
    pub size: u64,
    pub modified: Option<SystemTime>,
}

impl Store {
    /// An archive, with its directory read.
    ///
    /// # Errors
    /// When it can't be read, or has more in it than a scan can have.
    pub fn zip(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let opened = File::open(path).map_err(|e| Error::Unreadable { file: file.clone(), reason: e.to_string() })?;
        let packed = Packed::open(BufReader::new(opened)).map_err(|fault| Error::Archive { file, fault })?;
        Ok(Self::Zip { path: path.into(), packed: Mutex::new(packed) })
    }

    /// The folder or the archive itself.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Zip { path, .. } => path,
        }
    }

    /// The names of an archive's files; none of a folder, which is walked.
    pub fn packed_names(&self) -> Vec<PathBuf> {
        match self {
            Self::Folder(_) => Vec::new(),
            Self::Zip { packed, .. } => locked(packed).names().map(PathBuf::from).collect(),
        }
    }

    /// A whole file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self, name: &Path) -> Result<Vec<u8>> {
        match self {
            Self::Folder(root) => std::fs::read(root.join(name)).map_err(|e| unreadable(name, &e)),
            Self::Zip { .. } => self.unpacked(name, u64::MAX),
        }
    }

    /// The first `most` bytes of a file.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn head(&self, name: &Path, most: u64) -> Result<Head> {
        match self {
            Self::Folder(root) => {
                let read = || -> std::io::Result<Head> {
                    let mut file = File::open(root.join(name))?;
                    let about = file.metadata()?;
                    let mut bytes = Vec::with_capacity(most.min(about.len()) as usize);
                    file.by_ref().take(most).read_to_end(&mut bytes)?;
                    Ok(Head { bytes, size: about.len(), modified: about.modified().ok() })
                };
                read().map_err(|e| unreadable(name, &e))
            }
            Self::Zip { packed, .. } => {
                let bytes = self.unpacked(name, most)?;
                let size = locked(packed).size(&name.to_string_lossy()).unwrap_or(bytes.len() as u64);
                Ok(Head { bytes, size, modified: None })
            }
        }
    }

    /// A slice's whole file: no single one is larger than some hundred megabytes.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn slice(&self, name: &Path) -> Result<Vec<u8>> {
        self.head(name, MOST_BYTES).map(|head| head.bytes)
    }

    fn unpacked(&self, name: &Path, most: u64) -> Result<Vec<u8>> {
        let Self::Zip { path, packed } = self else { return Ok(Vec::new()) };
        let bytes = locked(packed).read(&name.to_string_lossy(), most);
        bytes.map_err(|fault| Error::Archive { file: path.join(name).display().to_string(), fault })
    }
}

fn unreadable(name: &Path, e: &std::io::Error) -> Error {
    Error::Unreadable { file: name.display().to_string(), reason: e.to_string() }
}

/// A reader that panicked left nothing half-done: each file is read anew.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
