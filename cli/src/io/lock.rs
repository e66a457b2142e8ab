//! One writer a directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::failure::Failure;
use crate::io::files;

/// ENOLCK: the file system has no locks.
const NO_LOCKS: i32 = 37;
/// The file that stands for a lock there.
const MADE: &str = "lock.held";

/// Whether an error says that there are no locks.
fn has_none(e: &std::io::Error) -> bool {
    e.kind() == ErrorKind::Unsupported || e.raw_os_error() == Some(NO_LOCKS)
}

/// A directory that this process alone writes to.
pub enum Lock {
    /// Held by the system, which frees it when the process ends.
    System { _file: File },
    /// Where the file system has no locks: a file that is there while the process is.
    Made(PathBuf),
}

impl Lock {
    const FILE: &str = "lock";

    /// Creates the directory where needed and locks it.
    pub fn take(path: &Path) -> Result<Self> {
        let busy = || {
            let lock = path.join(Self::FILE);
            let reason = "another process is writing there, or saving after it was told to stop; wait for it or choose another --out";
            Failure::File(format!("{}: can't be locked ({reason})", lock.display()))
        };
        Ok(Self::try_take(path)?.ok_or_else(busy)?)
    }

    /// As [`Self::take`]; `None` where another process has it.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        files::create_dir(path)?;
        let place = path.join(Self::FILE);
        let failed = |e: &std::io::Error| Failure::File(format!("{}: can't be locked ({e})", place.display()));
        let file = OpenOptions::new().create(true).append(true).open(&place).map_err(|e| failed(&e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self::System { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) if has_none(&e) => Self::made(path.join(MADE), &e).map(Some),
            Err(TryLockError::Error(e)) => Err(failed(&e).into()),
        }
    }

    /// Whether a process has the directory.
    pub fn is_held(path: &Path) -> bool {
        let lock = File::open(path.join(Self::FILE));
        let held = lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
        held || path.join(MADE).exists()
    }

    /// A lock that consists in having created a file.
    fn made(place: PathBuf, why: &std::io::Error) -> Result<Self> {
        let shown = place.display();
        match OpenOptions::new().create_new(true).write(true).open(&place) {
            Ok(mut file) => {
                eprintln!("warning: this disk has no locks ({why}); {shown} stands for one");
                let _ = writeln!(file, "process {}", std::process::id());
                Ok(Self::Made(place))
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(Failure::File(format!(
                "{shown} is there: another process is writing there, or one was killed; remove the file if there is none"
            ))
            .into()),
            Err(e) => Err(Failure::File(format!("{shown}: can't be created ({e})")).into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::Made(place) = self {
            let _ = std::fs::remove_file(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a disk without locks the file of the first writer keeps the second out, and goes with the first.
    #[test]
    fn a_made_lock_is_held_once() {
        let place = tempfile::tempdir().unwrap();
        let no_locks = std::io::Error::from_raw_os_error(NO_LOCKS);
        let take = || Lock::made(place.path().join(MADE), &no_locks);
        let first = take().unwrap();
        assert!(take().is_err_and(|e| e.to_string().contains("remove the file if there is none")));
        drop(first);
        take().unwrap();
    }
}
