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

/// Fingerprints of the keys that rows which are left were hashed by.
fn used(folder: &Path) -> anyhow::Result<Vec<String>> {
    let oldest = hours(folder)?.first().map(|(start_us, _)| *start_us);
    let Some(oldest) = oldest.and_then(|start_us| u64::try_from(start_us).ok()) else {
        return Ok(Vec::new());
    };
    let oldest = SystemTime::UNIX_EPOCH + Duration::from_micros(oldest);
    let is_left =
        |path: &Path| path.metadata().and_then(|file| file.modified()).is_ok_and(|last| last >= oldest);
    let left = entries(folder)?.into_iter().filter(|(_, path)| is_left(path));
    Ok(left.filter_map(|(name, _)| name.strip_prefix(PREFIX).map(str::to_owned)).collect())
}

/// Fingerprints of the keys other than this one that rows were hashed by: nobody is found in those rows.
///
/// # Errors
/// A folder that cannot be listed.
pub fn others(folder: &Path, naming: &Naming) -> anyhow::Result<Vec<String>> {
    let own = naming.fingerprint();
    Ok(used(folder)?.into_iter().filter(|key| Some(key) != own.as_ref()).collect())
}

/// Refuses to look for an entity by another key than that of the rows.
///
/// # Errors
/// Rows that are left were hashed by a key, and none of them by this one.
pub fn check(folder: &Path, naming: &Naming) -> anyhow::Result<()> {
    let used = used(folder)?;
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
        assert_eq!(others(folder.path(), &second).unwrap(), [first.fingerprint().unwrap()]);
        assert_eq!(others(folder.path(), &Naming::Clear).unwrap().len(), 2);
    }
}
