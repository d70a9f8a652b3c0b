//! What is broken on the disk: a list, so that the rest can be served without hiding it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Entries kept; more are the same disaster.
const LIMIT: usize = 1000;

/// A file with something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file or directory.
    pub file: PathBuf,
    /// What is wrong and what became of it.
    pub what: String,
    /// The times that lost samples lie in, as far as known, milliseconds.
    pub lost_ms: Option<(i64, i64)>,
}

/// Damage found so far; each finding once.
#[derive(Debug, Default)]
pub(crate) struct DamageLog(Mutex<Vec<Damage>>);

impl DamageLog {
    pub(crate) fn add(&self, file: &Path, what: impl Into<String>, lost_ms: Option<(i64, i64)>) {
        let found = Damage { file: file.to_owned(), what: what.into(), lost_ms };
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < LIMIT && !log.contains(&found) {
            log.push(found);
        }
    }

    /// Tells whether something below this directory is damaged.
    pub(crate) fn concerns(&self, dir: &Path) -> bool {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().any(|damage| damage.file.starts_with(dir))
    }

    pub(crate) fn list(&self) -> Vec<Damage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
