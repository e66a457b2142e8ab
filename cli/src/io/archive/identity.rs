//! Which archive a data set was made of, so that a finished preparation notices another one.
//!
//! Two looks: the listing of files (a second or so for the quarter of a million of LIDC-IDRI, no file is opened), and, only where that
//! differs, the series themselves, which stay what they are when an archive is copied, moved or laid out otherwise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::base::digest::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::search::{Archive, walk};
use crate::failure::Failure;
use crate::io::files;

/// The file of it within a data set.
pub const FILE: &str = "archive.json";
/// How many series a message names.
const NAMED: usize = 3;

/// What an archive holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// SHA-256 over path, size and time of change of every file.
    pub listing: String,
    /// By SeriesInstanceUID: SHA-256 over SOPInstanceUID and size of its slices, and over its annotations where those are read.
    pub series: BTreeMap<String, String>,
}

impl Identity {
    /// Of what a search found.
    pub fn of(archive: &Archive, listing: String) -> Self {
        let mut parts: BTreeMap<&String, Vec<String>> = BTreeMap::new();
        for (uid, slices) in &archive.series {
            parts.entry(uid).or_default().extend(slices.iter().map(|s| format!("{} {}", s.header.sop_uid, s.bytes)));
        }
        for (uid, (_, readings)) in &archive.readings {
            parts.entry(uid).or_default().push(format!("{readings:?}"));
        }
        let digest = |mut lines: Vec<String>| {
            lines.sort();
            hex(&Sha256::digest(lines.join("\n")))
        };
        Self { listing, series: parts.into_iter().map(|(uid, lines)| (uid.clone(), digest(lines))).collect() }
    }

    /// The one that a data set keeps.
    pub fn read(out: &Path) -> Result<Self> {
        let path = out.join(FILE);
        let unknown = |why: String| {
            let place = out.display();
            Failure::File(format!(
                "{place}: does not say which archive it was made of ({FILE}: {why}); choose another --out, or remove it"
            ))
        };
        if !path.is_file() {
            return Err(unknown("missing".into()).into());
        }
        serde_json::from_slice(&files::read(&path)?).map_err(|e| unknown(e.to_string()).into())
    }

    /// Refuses an archive that is not the one a data set was made of. A data set never grows under the runs that were trained on it: a
    /// grown archive makes another one.
    pub fn refuse_other(&self, made_of: &Self, root: &Path, out: &Path) -> Result<()> {
        let Some(difference) = self.difference(made_of) else { return Ok(()) };
        Err(Failure::File(format!(
            "{} is not the archive that {} was made of ({difference}); choose another --out for it, or remove the data set",
            root.display(),
            out.display()
        ))
        .into())
    }

    /// How this archive differs from the one that a data set was made of, in words; `None` where the series are the same.
    fn difference(&self, made_of: &Self) -> Option<String> {
        let named = |what: &str, uids: Vec<&String>| {
            let more = if uids.len() > NAMED { ", ..." } else { "" };
            let first: Vec<&str> = uids.iter().take(NAMED).map(|u| u.as_str()).collect();
            (!uids.is_empty()).then(|| format!("{} {what} ({}{more})", uids.len(), first.join(", ")))
        };
        let without = |a: &'_ Self, b: &Self| -> Vec<String> {
            a.series.keys().filter(|u| !b.series.contains_key(*u)).cloned().collect()
        };
        let (new, gone) = (without(self, made_of), without(made_of, self));
        let other = |u: &&String| made_of.series.get(*u).is_some_and(|d| *d != self.series[*u]);
        let changed = self.series.keys().filter(other).collect();
        let parts =
            [named("new", new.iter().collect()), named("gone", gone.iter().collect()), named("changed", changed)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("series: {}", parts.join(", ")))
    }
}

/// SHA-256 over path, size and time of change of every file below `root` but in the places `except`.
pub fn listing(root: &Path, except: &[PathBuf]) -> Result<String> {
    if !root.is_dir() {
        return Err(Failure::File(format!("{}: there is no such directory; check the path", root.display())).into());
    }
    let mut hash = Sha256::new();
    // what can't be listed is told by the search
    for entry in walk(root, except).flatten() {
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let about = entry.metadata().ok().map(|m| (m.len(), m.modified().ok()));
        hash.update(format!("{}\0{about:?}\n", path.display()));
    }
    Ok(hex(&hash.finalize()))
}
