//! What size and ratings alone tell, as files of a study: `anchors/TASK.ANCHOR.csv`, and their digests in `anchors/sha256.json`.
//! Every method is compared with them, so they are refused like a cell's predictions where they are not as they were written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::task::Task;
use clip_lung_core::study::anchors::Anchor;
use clip_lung_core::study::pooled::Predictions;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::io::files;
use crate::show::command::typed;

const DIGESTS: &str = "sha256.json";

/// SHA-256 by the file's name.
type Digests = BTreeMap<String, String>;

/// Where the anchors of a study lie.
pub struct AnchorFiles {
    study: PathBuf,
    digests: Digests,
}

impl AnchorFiles {
    /// Of the study in this directory, which need not have any.
    pub fn open(study: &Path) -> Result<Self> {
        let digests = files::read_json(&directory(study).join(DIGESTS)).map_err(|e| mended(study, &e))?;
        Ok(Self { study: study.into(), digests: digests.unwrap_or_default() })
    }

    /// As [`Self::open`], to be written anew where it can't be read.
    pub fn open_or_new(study: &Path) -> Self {
        Self::open(study).unwrap_or_else(|_| Self { study: study.into(), digests: Digests::new() })
    }

    /// All that are there.
    ///
    /// Names a file that was changed or removed, or of which no digest was kept.
    pub fn read(&self) -> Result<Vec<(Anchor, Predictions)>> {
        let mut all = Vec::new();
        for (task, anchor) in Task::ALL.into_iter().flat_map(|t| Anchor::ALL.map(|a| (t, a))) {
            let path = self.path(task, anchor);
            match self.digests.get(&name(task, anchor)) {
                Some(digest) => {
                    let bytes = files::read_unchanged(&path, digest).map_err(|e| mended(&self.study, &e))?;
                    all.push((anchor, Predictions::read(&path.display().to_string(), &bytes, task)?));
                }
                None if path.is_file() => return Err(self.undeclared(&path).into()),
                None => {}
            }
        }
        Ok(all)
    }

    /// Whether all of a task are as they were written.
    pub fn are_whole(&self, task: Task) -> bool {
        Anchor::ALL.into_iter().all(|anchor| {
            let digest = self.digests.get(&name(task, anchor));
            digest.is_some_and(|d| files::read_unchanged(&self.path(task, anchor), d).is_ok())
        })
    }

    /// Writes one; its digest counts from [`Self::declare`] on.
    pub fn write(&mut self, task: Task, anchor: Anchor, predictions: &Predictions) -> Result<()> {
        let bytes = predictions.write()?;
        files::create_dir(&directory(&self.study))?;
        files::write(&self.path(task, anchor), &bytes)?;
        self.digests.insert(name(task, anchor), hex(&Sha256::digest(&bytes)));
        Ok(())
    }

    /// Keeps the digests of all that were written.
    pub fn declare(&self) -> Result<()> {
        let mut json = serde_json::to_vec_pretty(&self.digests)?;
        json.push(b'\n');
        files::write(&directory(&self.study).join(DIGESTS), &json)
    }

    fn path(&self, task: Task, anchor: Anchor) -> PathBuf {
        directory(&self.study).join(name(task, anchor))
    }

    fn undeclared(&self, path: &Path) -> Failure {
        let (path, study) = (path.display(), typed(&self.study));
        Failure::File(format!(
            "{path}: {DIGESTS} beside it has no SHA-256 of it, so nothing says that it is as it was written; remove the directory, and \
             `clip-lung sweep run {study}` writes all anew"
        ))
    }
}

/// What is wrong with a file of them, and what writes it anew.
fn mended(study: &Path, e: &anyhow::Error) -> Failure {
    Failure::File(format!("{e:#}; `clip-lung sweep run {}` writes it anew", typed(study)))
}

fn directory(study: &Path) -> PathBuf {
    study.join("anchors")
}

fn name(task: Task, anchor: Anchor) -> String {
    format!("{}.{}.csv", task.name(), anchor.name())
}
