//! Files in and out: errors that name the path, writes that are whole or absent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clip_lung_core::Error;
use clip_lung_core::base::digest::hex;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

fn failed(path: &Path, doing: &str, hint: &str, e: &std::io::Error) -> anyhow::Error {
    Failure::File(format!("{}: can't be {doing} ({e}); {hint}", path.display())).into()
}

/// A file's bytes.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| failed(path, "read", "check the path and its permissions", &e))
}

/// A file's bytes, which must have this digest.
pub fn read_unchanged(path: &Path, sha256: &str) -> Result<Vec<u8>> {
    let bytes = read(path)?;
    let found = hex(&Sha256::digest(&bytes));
    if found != sha256 {
        let (file, expected) = (path.display().to_string(), sha256.to_owned());
        return Err(Error::Digest { file, expected, found }.into());
    }
    Ok(bytes)
}

/// The path from the root, where there is such a file or directory.
pub fn whole(place: &str) -> String {
    fs::canonicalize(place).map_or_else(|_| place.to_owned(), |path| path.display().to_string())
}

/// A JSON file, where it is there.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bad = |e: serde_json::Error| Error::BadJson { file: path.display().to_string(), reason: e.to_string() };
    Ok(Some(serde_json::from_slice(&read(path)?).map_err(bad)?))
}

/// Creates a directory and its parents.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| failed(path, "created", "choose a place you may write to", &e))
}

/// What the names of files and directories begin with that are not complete yet.
const UNFINISHED: &str = ".clip-lung-writing-";
/// Nothing takes as long as this to be written: what is older was left by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Removes from a directory what processes left there that were killed while they wrote; of a directory that this process alone writes to
/// (`own`), whatever its age.
pub fn remove_unfinished(dir: &Path, own: bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
        if unfinished && (own || age().is_some_and(|age| age > ABANDONED)) {
            // it is in nobody's way: what can't be removed stays
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// Replaces a file in one rename: after a crash or on a full disk, the old one is still whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let full = |e: &std::io::Error| {
        failed(path, "written", "free some space or choose another place; what was there before is untouched", e)
    };
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir).map_err(|e| full(&e))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| full(&e))?;
    let file = file.persist(path).map_err(|e| full(&e.error))?;
    readable_by_all(&file);
    sync_dir(dir).map_err(|e| full(&e))
}

/// Makes a rename within a directory last. File systems that know no such thing (SMB, FUSE, some Lustre) refuse it: EINVAL, ENOTSUP,
/// ENOSYS, EBADF.
fn sync_dir(dir: &Path) -> std::io::Result<()> {
    let unknown = |e: &std::io::Error| {
        matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) || e.raw_os_error() == Some(9)
    };
    match File::open(dir).and_then(|d| d.sync_all()) {
        Err(e) if !unknown(&e) => Err(e),
        _ => Ok(()),
    }
}

/// Temporary files are private; results are not.
fn readable_by_all(file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = file.set_permissions(fs::Permissions::from_mode(0o644));
    }
}

/// Writes a set of files as one directory that appears whole: it is prepared beside its place and renamed into it. In a directory
/// that is there already (which may be a disk of its own), files are replaced when all of the new ones lie ready in it.
pub fn write_dir(dir: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let exists = dir.exists();
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let near = if exists { dir } else { parent };
    create_dir(near)?;
    remove_unfinished(near, false);
    let full = |e: &std::io::Error| {
        failed(dir, "written", "free some space or choose another place; what was there before is untouched", e)
    };
    let ready = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(near).map_err(|e| full(&e))?;
    for (name, bytes) in files {
        let path = ready.path().join(name);
        create_dir(path.parent().unwrap_or(ready.path()))?;
        write(&path, bytes)?;
    }
    if exists {
        if let Some(path) = files.keys().map(|name| dir.join(name)).find(|path| path.is_dir()) {
            let message = format!("{}: a directory is where a file is to be written; move it away", path.display());
            return Err(Failure::File(message).into());
        }
        let half = |e: &std::io::Error| failed(dir, "replaced", "check its permissions and run the command again", e);
        for name in files.keys() {
            let path = dir.join(name);
            create_dir(path.parent().unwrap_or(dir))?;
            fs::rename(ready.path().join(name), &path).map_err(|e| half(&e))?;
        }
        return sync_dir(dir).map_err(|e| half(&e));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(ready.path(), fs::Permissions::from_mode(0o755));
    }
    fs::rename(ready.path(), dir).map_err(|e| match e.kind() {
        ErrorKind::DirectoryNotEmpty => {
            failed(dir, "written", "another process wrote it meanwhile; look at it first", &e)
        }
        _ => full(&e),
    })?;
    let _ = ready.keep();
    Ok(())
}

/// The regular files of a directory by name, those named in `names`.
pub fn read_some(dir: &Path, names: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    if !dir.is_dir() {
        return Err(Failure::File(format!("{}: there is no such directory; check the path", dir.display())).into());
    }
    let present = names.iter().filter(|n| dir.join(n).is_file());
    present.map(|n| Ok(((*n).to_owned(), read(&dir.join(n))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux answers EINVAL for directories of /proc, as network disks do for theirs.
    #[test]
    fn a_directory_that_can_t_be_synced_is_no_failure() {
        let odd = Path::new("/proc/self");
        if odd.is_dir() {
            assert!(File::open(odd).and_then(|d| d.sync_all()).is_err());
        }
        sync_dir(odd).unwrap();
        assert!(sync_dir(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_directory_in_the_way_leaves_all_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let files = |text: &str| ["a", "b"].map(|name| (name.to_owned(), text.as_bytes().to_vec())).into();
        fs::write(dir.path().join("a"), "old").unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        let message = write_dir(dir.path(), &files("new")).unwrap_err().to_string();
        assert!(message.contains("b: a directory"), "{message}");
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"old");
        fs::remove_dir(dir.path().join("b")).unwrap();
        write_dir(dir.path(), &files("new")).unwrap();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"new");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_another_writes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (old, now) = (format!("{UNFINISHED}old"), format!("{UNFINISHED}now"));
        fs::create_dir(at(&old)).unwrap();
        for name in [&format!("{old}/model"), &now, "kept", ".writing-mine"] {
            fs::write(at(name), "").unwrap();
        }
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        File::open(at(&old)).unwrap().set_modified(long_ago).unwrap();
        for name in ["kept", ".writing-mine"] {
            File::options().write(true).open(at(name)).unwrap().set_modified(long_ago).unwrap();
        }
        let found = || [&old, &now, "kept", ".writing-mine"].map(|name| at(name).exists());
        write_dir(&at("new"), &BTreeMap::new()).unwrap();
        assert_eq!(found(), [false, true, true, true]);
        remove_unfinished(dir.path(), true);
        assert_eq!(found(), [false, false, true, true]);
    }
}
