//! By which keys entities were hashed, so that whoever looks for an entity with another key is told.
//!
//! Each key has a file `.key-FINGERPRINT` in the folder of the log, whose time is that of the last rows it hashed: one that is
//! older than every hour that is left says nothing any more.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};

use super::entity::Naming;
use super::read::{entries, hours};

const PREFIX: &str = ".key-";

/// Remembers that rows are hashed by a key now.
///
/// # Errors
/// A file that cannot be written.
pub fn note(folder: &Path, fingerprint: Option<&str>) -> anyhow::Result<()> {
    let Some(fingerprint) = fingerprint else { return Ok(()) };
    let path = folder.join(format!("{PREFIX}{fingerprint}"));
    let touched = File::create(&path).and_then(|file| file.set_modified(SystemTime::now()));
    touched.with_context(|| format!("cannot write {}", path.display()))
}

/// Refuses to look for an entity by another key than that of the rows.
///
/// # Errors
/// Rows that are left were hashed by a key, and none of them by this one.
pub fn check(folder: &Path, naming: &Naming) -> anyhow::Result<()> {
    let oldest = hours(folder)?.first().map(|(start_us, _)| *start_us);
    let Some(oldest) = oldest.and_then(|start_us| u64::try_from(start_us).ok()) else { return Ok(()) };
    let oldest = SystemTime::UNIX_EPOCH + Duration::from_micros(oldest);
    let is_left =
        |path: &Path| path.metadata().and_then(|file| file.modified()).is_ok_and(|last| last >= oldest);
    let used: Vec<String> = entries(folder)?
        .into_iter()
        .filter(|(_, path)| is_left(path))
        .filter_map(|(name, _)| name.strip_prefix(PREFIX).map(str::to_owned))
        .collect();
    if used.is_empty() || naming.fingerprint().is_some_and(|own| used.contains(&own)) {
        return Ok(());
    }
    bail!(
        "the log of predictions in {} has entities hashed by another key, so that nobody can be found in it: set log.entity = \
         \"hashed\" and STREAMFLOW_LOG_KEY to the key that was used (its fingerprint is {}), or delete the log",
        folder.display(),
        used.join(" or ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_than_that_of_the_rows_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] =
            ["first key of sixteen", "second key of sixteen"].map(|key| Naming::Hashed(key.into()));
        check(folder.path(), &first).unwrap();
        note(folder.path(), first.fingerprint().as_deref()).unwrap();
        check(folder.path(), &second).unwrap();
        let hour = folder.path().join("date=2024-03-01/hour=07");
        std::fs::create_dir_all(hour).unwrap();
        check(folder.path(), &first).unwrap();
        for other in [&second, &Naming::Clear] {
            let error = check(folder.path(), other).unwrap_err().to_string();
            assert!(error.contains(&first.fingerprint().unwrap()), "{error}");
        }
        note(folder.path(), second.fingerprint().as_deref()).unwrap();
        check(folder.path(), &second).unwrap();
    }
}
