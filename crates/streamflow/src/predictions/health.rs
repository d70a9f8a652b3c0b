//! How the log stands on the disk. Nothing is changed.

use std::path::{Path, PathBuf};

use super::read::{Window, entries, fault, files_by_hour, hours, start_us, strayed, unfinished};
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
    /// Folders that are of no hour, and files among the checked ones with a row of another hour than their folder's: each
    /// named with what is wrong.
    pub astray: Vec<String>,
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
    let found: Vec<(i64, PathBuf)> = files_by_hour(folder, Window::ALL)?
        .into_iter()
        .flat_map(|(start_us, files)| files.into_iter().map(move |path| (start_us, path)))
        .collect();
    // A file that is gone by now takes no room, and has no fault.
    let size = |path: &PathBuf| path.metadata().map_or(0, |file| file.len());
    let (mut faults, mut astray) = (Vec::new(), no_hours(folder)?);
    for (start_us, path) in found.iter().rev().take(most) {
        match fault(path) {
            Some(fault) => faults.push(fault),
            None => astray.extend(strayed(path, *start_us)),
        }
    }
    let hours = hours(folder)?;
    let mut lists = 0;
    for (_, hour) in &hours {
        lists += entries(hour)?.iter().filter(|(name, _)| replaced::is_list(name)).count();
    }
    Ok(Health {
        files: found.len(),
        size_bytes: found.iter().map(|(_, path)| size(path)).sum(),
        oldest_us: hours.first().map(|(start_us, _)| *start_us),
        checked: found.len().min(most),
        faults,
        astray,
        unfinished: unfinished(folder),
        lists,
    })
}

/// What is named as a folder of the log is, and is none.
fn no_hours(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for (date, of_date) in entries(folder)?.into_iter().filter(|(name, _)| name.starts_with("date=")) {
        if start_us(&date, "hour=00").is_none() || !of_date.is_dir() {
            found.push(format!("{} is no folder of a day, such as date=2024-03-01", of_date.display()));
            continue;
        }
        for (hour, path) in entries(&of_date)?.into_iter().filter(|(name, _)| name.starts_with("hour=")) {
            // One that was deleted for its age by now is missed by nobody.
            if path.exists() && (start_us(&date, &hour).is_none() || !path.is_dir()) {
                found.push(format!("{} is no folder of an hour, hour=00 to hour=23", path.display()));
            }
        }
    }
    Ok(found)
}
