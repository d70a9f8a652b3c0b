//! What keeps readers of the log apart from the merging of its small files.
//!
//! A merged file stands beside the files that it replaces for as long as it takes to delete them. `.merged-NAME.json`
//! lists them from before NAME is there until after they are gone, so that whoever reads sees each row once, also where a
//! process was killed in between. Readers hold `.lock` together, and the merging alone while it puts files in place of
//! others; `.merging` keeps the merging and `forget` apart.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::read::{entries, hours};
use crate::files::write_aside;

const PREFIX: &str = ".merged-";
const READERS: &str = ".lock";
const MERGING: &str = ".merging";

/// Held while files are read: none of them is replaced meanwhile. None where nothing was ever merged.
pub fn reading(folder: &Path) -> anyhow::Result<Option<File>> {
    let path = folder.join(READERS);
    match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => {
            let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
            file.lock_shared().with_context(|| format!("cannot lock {}", path.display()))?;
            Ok(Some(file))
        }
    }
}

/// Held while files are replaced; none while somebody reads.
pub fn replacing(folder: &Path) -> anyhow::Result<Option<File>> {
    tried(&folder.join(READERS))
}

/// Held while an hour is merged; none while another process merges or forgets.
pub fn merging(folder: &Path) -> anyhow::Result<Option<File>> {
    tried(&folder.join(MERGING))
}

/// Held while an entity leaves, after what is being merged was merged or given up.
pub fn forgetting(folder: &Path) -> anyhow::Result<Option<File>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let path = folder.join(MERGING);
    let file = opened(&path)?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(Some(file))
}

fn opened(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    file.with_context(|| format!("cannot open {}", path.display()))
}

fn tried(path: &Path) -> anyhow::Result<Option<File>> {
    let file = opened(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Says that `merged` replaces `sources` of the same hour, from the moment on in which it is there.
pub fn announce(merged: &Path, sources: &[PathBuf]) -> anyhow::Result<()> {
    let names: Vec<String> = sources.iter().filter_map(|source| name_of(source)).collect();
    let list = list_of(merged);
    write_aside(&list, serde_json::to_string(&names)?.as_bytes())
        .with_context(|| format!("cannot write {}", list.display()))
}

/// Deletes what `merged` has replaced, and then the list.
pub fn delete(merged: &Path, sources: &[PathBuf]) -> anyhow::Result<()> {
    if let Some(hour) = merged.parent() {
        File::open(hour)
            .and_then(|hour| hour.sync_all())
            .with_context(|| format!("cannot sync {}", hour.display()))?;
    }
    for path in sources {
        removed(path)?;
    }
    removed(&list_of(merged))
}

/// The files of an hour that others have replaced and that are still there.
///
/// # Errors
/// A damaged list.
pub fn of_hour(entries: &[(String, PathBuf)]) -> anyhow::Result<HashSet<String>> {
    let is_there = |name: &str| entries.iter().any(|(other, _)| other == name);
    let mut replaced = HashSet::new();
    for (_, list) in entries.iter().filter(|(name, _)| merged_name(name).is_some_and(is_there)) {
        replaced.extend(listed(list)?);
    }
    Ok(replaced)
}

/// Ends what a process that was killed had begun: where the merged file is there, what it replaces goes; where it is not,
/// the list does.
pub fn end_cut_off(folder: &Path) -> anyhow::Result<()> {
    for (_, hour) in hours(folder)? {
        for (name, list) in entries(&hour)? {
            let Some(merged) = merged_name(&name) else { continue };
            let merged = hour.join(merged);
            if merged.exists() {
                let sources: Vec<PathBuf> = listed(&list)?.into_iter().map(|name| hour.join(name)).collect();
                delete(&merged, &sources)?;
            } else {
                removed(&list)?;
            }
        }
    }
    Ok(())
}

fn list_of(merged: &Path) -> PathBuf {
    merged.with_file_name(format!("{PREFIX}{}.json", name_of(merged).unwrap_or_default()))
}

/// Whether a file is such a list.
pub fn is_list(name: &str) -> bool {
    merged_name(name).is_some()
}

fn merged_name(list: &str) -> Option<&str> {
    list.strip_prefix(PREFIX)?.strip_suffix(".json")
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

/// The names in a list: nothing of one that is gone, and no path that leads elsewhere.
fn listed(list: &Path) -> anyhow::Result<Vec<String>> {
    let text = match std::fs::read(list) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read {}", list.display()))?,
    };
    let names: Result<Vec<String>, _> = serde_json::from_slice(&text);
    let is_name = |name: &String| super::read::is_part(name) && !name.contains('/');
    names.ok().filter(|names| names.iter().all(is_name)).with_context(|| {
        format!(
            "{} of the log of predictions is damaged, so that rows of its hour could count twice: delete the files of the \
             hour that are older than it, and then the list",
            list.display()
        )
    })
}

fn removed(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", path.display()))
        }
        _ => Ok(()),
    }
}
