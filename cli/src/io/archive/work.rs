//! The unfinished work beside a data set to be, or in it where its directory is there already (and may be a disk of its own): one writer,
//! a part a series, a settings file that says whose work it is. The data set itself appears whole when everything is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::lidc::part::Part;
use serde_json::Value;

use crate::failure::Failure;
use crate::io::files;
use crate::io::lock::Lock;

/// `OUT.preparing`, or `OUT/.preparing`.
pub struct Work {
    dir: PathBuf,
    _lock: Lock,
}

impl Work {
    /// Whether a directory holds no data set yet: nothing, but for the work of one and what a new disk has.
    pub fn is_blank(out: &Path) -> bool {
        let known = |name: &std::ffi::OsStr| name == WITHIN || name == "lost+found";
        std::fs::read_dir(out).is_ok_and(|entries| entries.flatten().all(|e| known(&e.file_name())))
    }

    /// The places that this program writes to for a data set `out`, as paths that begin with `root`, where they lie below it.
    pub fn places_below(root: &Path, out: &Path) -> Vec<PathBuf> {
        let whole = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
        let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (Ok(base), Ok(parent), Some(name)) = (whole(root), whole(parent), out.file_name()) else {
            return Vec::new();
        };
        let Ok(beside) = parent.strip_prefix(&base) else { return Vec::new() };
        let mut work = name.to_os_string();
        work.push(BESIDE);
        [name.to_os_string(), work].map(|name| root.join(beside).join(name)).into()
    }

    /// Removes what a run left that was killed after its data set was whole.
    pub fn clear(out: &Path) -> Result<()> {
        let dir = place_of(out)?;
        if dir.exists() { Self { _lock: Lock::take(&dir)?, dir }.discard() } else { Ok(()) }
    }

    /// Starts, or continues what the same settings began.
    pub fn open(out: &Path, settings: &Value) -> Result<Self> {
        let dir = place_of(out)?;
        let lock = Lock::take(&dir)?;
        let place = dir.join("settings.json");
        let text = format!("{settings:#}\n");
        if place.exists() {
            if files::read(&place)? != text.as_bytes() {
                return Err(Failure::File(format!(
                    "{} belongs to a preparation with other settings; repeat those, remove it, or choose another --out",
                    dir.display()
                ))
                .into());
            }
        } else {
            files::write(&place, text.as_bytes())?;
        }
        files::create_dir(&dir.join("parts"))?;
        Ok(Self { dir, _lock: lock })
    }

    fn place(&self, series_uid: &str) -> PathBuf {
        // a UID is digits and dots; anything else must not name a path
        let safe: String =
            series_uid.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
        self.dir.join("parts").join(format!("{}.safetensors", &safe[..safe.len().min(128)]))
    }

    /// The part of a series if it is there, whole, and made of the same files.
    pub fn part(&self, series_uid: &str, fingerprint: &str) -> Option<Part> {
        let place = self.place(series_uid);
        let bytes = place.is_file().then(|| files::read(&place).ok()).flatten()?;
        Part::parse(&bytes, &place.display().to_string()).ok().filter(|p| p.fingerprint == fingerprint)
    }

    /// Keeps a finished part.
    pub fn keep(&self, series_uid: &str, part: &Part) -> Result<()> {
        files::write(&self.place(series_uid), &part.to_bytes()?)
    }

    /// Writes the data set and removes the work.
    pub fn finish(self, out: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        files::write_dir(out, files)?;
        self.discard()
    }

    /// Removes the work.
    pub fn discard(self) -> Result<()> {
        std::fs::remove_dir_all(&self.dir).map_err(|e| {
            Failure::File(format!("{}: can't be removed ({e}); remove it by hand", self.dir.display())).into()
        })
    }
}

/// The ending of the work beside a data set, and its name within one.
const BESIDE: &str = ".preparing";
const WITHIN: &str = ".preparing";

/// Where the work of a data set lies, or will.
fn place_of(out: &Path) -> Result<PathBuf> {
    let mut name = out.file_name().map(|n| n.to_os_string()).unwrap_or_default();
    if name.is_empty() {
        return Err(Failure::Usage(format!("--out {}: give the new directory a name", out.display())).into());
    }
    name.push(BESIDE);
    let beside = out.with_file_name(name);
    Ok(if out.is_dir() && !beside.exists() { out.join(WITHIN) } else { beside })
}
