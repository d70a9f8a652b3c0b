//! How the log stands on the disk. Nothing is changed.

use std::path::{Path, PathBuf};

use super::read::{Window, entries, fault, files, hours, unfinished};
use super::replaced;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub struct Health {
    /// Files that have answers.
    pub files: usize,
    /// Bytes of all of them.
    pub size_bytes: u64,
    /// When the oldest hour starts, in microseconds since 1970.
    pub oldest_us: Option<i64>,
    /// How many files were held against their checksums, the newest first.
    pub checked: usize,
    /// What is wrong with some of them, each by its name.
    pub faults: Vec<String>,
    /// What processes that are gone were writing.
    pub unfinished: Vec<PathBuf>,
    /// Lists of files that are being replaced, or were when a process was killed.
    pub lists: usize,
}

/// Looks at the log, and reads all bytes of the newest `most` files.
///
/// # Errors
/// A folder that cannot be read; a damaged list of replaced files.
pub fn look(folder: &Path, most: usize) -> anyhow::Result<Health> {
    let _reading = replaced::reading(folder)?;
    let found = files(folder, Window::ALL)?;
    // A file that is gone by now takes no room, and has no fault.
    let size = |path: &PathBuf| path.metadata().map_or(0, |file| file.len());
    let newest = found.iter().rev().take(most);
    let hours = hours(folder)?;
    let mut lists = 0;
    for (_, hour) in &hours {
        lists += entries(hour)?.iter().filter(|(name, _)| replaced::is_list(name)).count();
    }
    Ok(Health {
        files: found.len(),
        size_bytes: found.iter().map(size).sum(),
        oldest_us: hours.first().map(|(start_us, _)| *start_us),
        checked: newest.len(),
        faults: newest.filter_map(|path| fault(path)).collect(),
        unfinished: unfinished(folder),
        lists,
    })
}
