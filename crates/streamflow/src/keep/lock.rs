//! Who copies, removes or rewrites what is kept: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Held as long as it lives; it ends with the process, however that ends.
#[derive(Debug)]
pub struct Upkeep(#[expect(dead_code, reason = "open for as long as the lock is held")] File);

/// Another process holds it.
#[derive(Debug, thiserror::Error)]
#[error("{} is locked by another backup, clean-up or `forget`; wait until it has finished", .0.display())]
pub struct Busy(PathBuf);

impl Upkeep {
    /// Takes the lock of a data directory.
    ///
    /// # Errors
    /// [`Busy`], or a folder that cannot be written to.
    pub fn begin(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(".upkeep.lock");
        match locked(&path)? {
            Some(file) => Ok(Self(file)),
            None => Err(Busy(path).into()),
        }
    }
}

/// A lock file that is made where it is missing, locked until it is closed; none while another process has locked it.
pub(super) fn locked(path: &Path) -> anyhow::Result<Option<File>> {
    let mut options = OpenOptions::new();
    let opened = options.create(true).truncate(false).write(true).open(path);
    let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
