//! Makes an ingest visible all at once and keeps it over a crash.
//!
//! The order on disk, every step synced before the next:
//! 1. all files of the new date under `.ingest-DATE-rREVISION/`, which no reader looks into unasked;
//! 2. where somebody elsewhere decides about commits, the files and the manifest are shown to them (`commit_point.rs`);
//! 3. its `manifest.json` is renamed into the ledger: **the commit point**;
//! 4. the tables and the validation result are renamed to their places, and the directory removed.
//!
//! A crash before 3 leaves the old state and a directory to remove; one after 3 leaves the new state,
//! with files that [`recover`] moves on. Until then readers find them by [`locate`].

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::period::Period;
use crate::snapshot::commit_point::{Publication, files_of};
use crate::snapshot::ledger::{self, LEDGER, Snapshot};
use crate::snapshot::snapshots::Snapshots;

const PREFIX: &str = ".ingest-";
/// What marks a date that is being removed.
const REMOVED: &str = ".remove-";
const MANIFEST: &str = "manifest.json";
const VALIDATION: &str = "validation.json";

/// What was tried when a test had the process stop.
#[cfg(test)]
pub(crate) const STOPPED: &str = "go on to";

/// The changing operations on the file system. A test can have them stop before any step.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) steps: std::sync::atomic::AtomicU64,
    /// The step before which to stop; 0 is never.
    #[cfg(test)]
    pub(crate) stop_before: std::sync::atomic::AtomicU64,
}

impl Disk {
    #[cfg(test)]
    pub(crate) fn step(&self) -> Result<(), Error> {
        use std::sync::atomic::Ordering::SeqCst;
        let step = self.steps.fetch_add(1, SeqCst) + 1;
        let stop = self.stop_before.load(SeqCst);
        // A stopped process takes no later step either.
        if stop == 0 || step < stop {
            return Ok(());
        }
        Err(Error::io(STOPPED, format!("step {step}"))(std::io::Error::other("the test has asked for it")))
    }

    #[cfg(not(test))]
    pub(crate) fn step(&self) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) fn create_dir(&self, path: &Path) -> Result<(), Error> {
        self.step()?;
        fs::create_dir_all(path).map_err(Error::io("create", path))
    }

    pub(crate) fn create_file(&self, path: &Path) -> Result<File, Error> {
        self.step()?;
        File::create(path).map_err(Error::io("create", path))
    }

    pub(crate) fn sync_file(&self, file: &File, path: &Path) -> Result<(), Error> {
        self.step()?;
        file.sync_all().map_err(Error::io("sync", path))
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> Result<(), Error> {
        self.step()?;
        let directory = File::open(path).map_err(Error::io("open", path))?;
        directory.sync_all().map_err(Error::io("sync", path))
    }

    fn remove_file(&self, path: &Path) -> Result<(), Error> {
        self.step()?;
        removed(path, fs::remove_file(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.step()?;
        fs::rename(from, to).map_err(Error::io("rename a file to", to))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), Error> {
        self.step()?;
        removed(path, fs::remove_dir_all(path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.create_file(path)?;
        self.step()?;
        file.write_all(bytes).map_err(Error::io("write", path))?;
        self.sync_file(&file, path)
    }
}

/// What is gone already was removed.
fn removed(path: &Path, result: std::io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The files of a date before its commit.
pub(crate) struct Staging<'a> {
    store: &'a Snapshots,
    disk: &'a Disk,
    snapshots: &'a Path,
    directory: PathBuf,
    as_of: Period,
}

impl<'a> Staging<'a> {
    pub(crate) fn create(store: &'a Snapshots, as_of: Period, revision: u64) -> Result<Self, Error> {
        let (disk, snapshots) = (&store.disk, store.snapshots.as_path());
        let directory = staging_dir(snapshots, as_of, revision);
        disk.create_dir(&directory)?;
        Ok(Staging { store, disk, snapshots, directory, as_of })
    }

    /// Where the files are until they are committed.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the file of a table is written.
    pub(crate) fn table_path(&self, table: &str) -> PathBuf {
        self.directory.join(format!("{table}.parquet"))
    }

    /// Makes the date what the manifest says, if whoever decides about commits agrees; when it returns, it lasts.
    pub(crate) fn commit(&self, manifest: &Snapshot, validation: &serde_json::Value) -> Result<(), Error> {
        let files = files_of(self.snapshots, manifest);
        self.store.ask(&Publication::Month { snapshot: manifest, validation, files })?;
        self.commit_here(manifest, validation)
    }

    /// The same without asking anybody.
    pub(crate) fn commit_here(
        &self,
        manifest: &Snapshot,
        validation: &serde_json::Value,
    ) -> Result<(), Error> {
        let manifest_json = pretty(&serde_json::to_value(manifest).expect("a manifest has text keys"));
        self.disk.write(&self.directory.join(VALIDATION), &pretty(validation))?;
        self.disk.write(&self.directory.join(MANIFEST), &manifest_json)?;
        self.disk.sync_dir(&self.directory)?;
        self.disk.sync_dir(self.snapshots)?;
        let committed = ledger::manifest_path(self.snapshots, self.as_of);
        self.disk.rename(&self.directory.join(MANIFEST), &committed)?;
        self.disk.sync_dir(&self.snapshots.join(LEDGER))?;
        settle(self.disk, self.snapshots, manifest, &self.directory)
    }
}

/// Puts another manifest in the place of a date's, when its files are in their places.
pub(crate) fn rewrite_manifest(disk: &Disk, snapshots: &Path, manifest: &Snapshot) -> Result<(), Error> {
    let json = serde_json::to_value(manifest).expect("a manifest has text keys");
    replace(disk, &snapshots.join(LEDGER), &format!("{}.json", ledger::folder(manifest.as_of)), &json)
}

/// Puts a file of JSON in the place of one of that name, at once.
pub(crate) fn replace(disk: &Disk, dir: &Path, name: &str, json: &serde_json::Value) -> Result<(), Error> {
    let aside = dir.join(format!(".{name}"));
    disk.write(&aside, &pretty(json))?;
    disk.rename(&aside, &dir.join(name))?;
    disk.sync_dir(dir)
}

/// Moves the files of a committed date to their places; those that are there already are left alone.
fn settle(disk: &Disk, snapshots: &Path, manifest: &Snapshot, staging: &Path) -> Result<(), Error> {
    for (name, table) in &manifest.tables {
        let from = staging.join(format!("{name}.parquet"));
        if !exists(&from)? {
            continue;
        }
        let to = snapshots.join(&table.path);
        let directory = to.parent().unwrap_or(snapshots);
        disk.create_dir(directory)?;
        disk.sync_dir(directory.parent().unwrap_or(snapshots))?;
        disk.rename(&from, &to)?;
        disk.sync_dir(directory)?;
    }
    let validation = staging.join(VALIDATION);
    if exists(&validation)? {
        disk.rename(&validation, &snapshots.join(&manifest.validation))?;
        disk.sync_dir(&snapshots.join(LEDGER))?;
    }
    remove_unnamed(disk, snapshots, manifest)?;
    disk.remove_dir(staging)?;
    disk.sync_dir(snapshots)
}

/// Removes this date of tables that the manifest does not name, which a replacement has left behind.
fn remove_unnamed(disk: &Disk, snapshots: &Path, manifest: &Snapshot) -> Result<(), Error> {
    remove_tables(disk, snapshots, manifest.as_of, |name| manifest.tables.contains_key(name))
}

/// Removes the folders that tables have of a date, but for those that are kept.
fn remove_tables(
    disk: &Disk,
    snapshots: &Path,
    as_of: Period,
    is_kept: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    for entry in fs::read_dir(snapshots).map_err(Error::io("list", snapshots))? {
        let name = entry.map_err(Error::io("list", snapshots))?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(['.', '_']) || is_kept(name) {
            continue;
        }
        let left_behind = snapshots.join(name).join(ledger::folder(as_of));
        if exists(&left_behind)? {
            disk.remove_dir(&left_behind)?;
            disk.sync_dir(&snapshots.join(name))?;
        }
    }
    Ok(())
}

/// Takes a date out of the snapshots: a mark says so, the manifest is removed (**the commit point**), then the files.
/// A crash before the commit point leaves the date as it was, one after it what [`recover`] removes.
pub(crate) fn remove(disk: &Disk, snapshots: &Path, as_of: Period) -> Result<(), Error> {
    let mark = snapshots.join(format!("{REMOVED}{}", as_of.file_name()));
    disk.write(&mark, &[])?;
    disk.sync_dir(snapshots)?;
    disk.remove_file(&ledger::manifest_path(snapshots, as_of))?;
    disk.sync_dir(&snapshots.join(LEDGER))?;
    sweep(disk, snapshots, as_of, &mark)
}

/// Removes the files of a date that the ledger no longer names, and then the mark.
fn sweep(disk: &Disk, snapshots: &Path, as_of: Period, mark: &Path) -> Result<(), Error> {
    remove_tables(disk, snapshots, as_of, |_| false)?;
    disk.remove_file(&snapshots.join(Snapshot::validation_path(as_of)))?;
    disk.sync_dir(&snapshots.join(LEDGER))?;
    disk.remove_file(mark)?;
    disk.sync_dir(snapshots)
}

/// Ends a removal that was stopped: one that was committed is finished, another is given up.
fn recover_removal(disk: &Disk, snapshots: &Path, as_of: Period) -> Result<(), Error> {
    let mark = snapshots.join(format!("{REMOVED}{}", as_of.file_name()));
    if exists(&ledger::manifest_path(snapshots, as_of))? {
        disk.remove_file(&mark)?;
        return disk.sync_dir(snapshots);
    }
    sweep(disk, snapshots, as_of, &mark)
}

/// Finishes what a stopped ingest or removal has committed and removes what it has not. The caller holds the lock.
pub(crate) fn recover(disk: &Disk, snapshots: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(snapshots).map_err(Error::io("list", snapshots))? {
        let name = entry.map_err(Error::io("list", snapshots))?.file_name();
        let removed = name.to_str().and_then(|name| Period::from_file_name(name.strip_prefix(REMOVED)?));
        if let Some(as_of) = removed {
            recover_removal(disk, snapshots, as_of)?;
            continue;
        }
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let staging = snapshots.join(name);
        let manifests = ledger::read_each(snapshots)?;
        let of_date = |as_of: &Period| name.starts_with(&format!("{PREFIX}{}-r", as_of.file_name()));
        // Whether it was committed is not known where the manifest cannot be read.
        if manifests.iter().any(|(as_of, read)| read.is_err() && of_date(as_of)) {
            continue;
        }
        let committed = manifests
            .into_values()
            .flatten()
            .find(|manifest| staging == staging_dir(snapshots, manifest.as_of, manifest.revision));
        match committed {
            Some(manifest) => settle(disk, snapshots, &manifest, &staging)?,
            None => {
                disk.remove_dir(&staging)?;
                disk.sync_dir(snapshots)?;
            }
        }
    }
    Ok(())
}

/// The file of a table that a manifest names: where it is staged while its ingest has not finished,
/// and in its place otherwise.
pub(crate) fn locate(snapshots: &Path, manifest: &Snapshot, table: &str) -> Option<PathBuf> {
    let entry = manifest.tables.get(table)?;
    let staged = staging_dir(snapshots, manifest.as_of, manifest.revision).join(format!("{table}.parquet"));
    Some(if staged.exists() { staged } else { snapshots.join(&entry.path) })
}

/// The validation result of a date, where it is now.
pub(crate) fn locate_validation(snapshots: &Path, manifest: &Snapshot) -> PathBuf {
    let staged = staging_dir(snapshots, manifest.as_of, manifest.revision).join(VALIDATION);
    if staged.exists() { staged } else { snapshots.join(&manifest.validation) }
}

fn staging_dir(snapshots: &Path, as_of: Period, revision: u64) -> PathBuf {
    snapshots.join(format!("{PREFIX}{}-r{revision}", as_of.file_name()))
}

pub(crate) fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io("look for", path))
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("a JSON value has text keys");
    bytes.push(b'\n');
    bytes
}
