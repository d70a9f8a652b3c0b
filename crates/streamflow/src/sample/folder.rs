//! One month's folder: written aside, then renamed, so that a reader never sees half a month.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::Error;

const PREFIX: &str = "month_";

/// The date that a folder written by [`super::write`] is named after.
pub fn as_of(folder: &Path) -> Option<Date> {
    folder.file_name()?.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

/// A folder beside its final place; removed again when dropped without [`MonthFolder::commit`].
pub struct MonthFolder {
    aside: PathBuf,
    destination: PathBuf,
    /// Held until the folder is in its place: a folder aside that nobody has locked is what a killed process left.
    _lock: File,
}

impl MonthFolder {
    /// Makes `out` and an empty folder in it for the month as of `as_of`.
    pub fn create(out: &Path, as_of: Date) -> Result<Self, Error> {
        fs::create_dir_all(out).map_err(io_error(out))?;
        remove_leftovers(out);
        let name = format!("{PREFIX}{as_of}");
        // The process id keeps two writers apart.
        let aside = out.join(format!(".{name}.{}", std::process::id()));
        let destination = out.join(name);
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(io_error(&aside))?;
        }
        fs::create_dir(&aside).map_err(io_error(&aside))?;
        let lock =
            File::open(&aside).and_then(|lock| lock.lock().map(|()| lock)).map_err(io_error(&aside))?;
        Ok(Self { aside, destination, _lock: lock })
    }

    /// Folder to write to.
    pub fn path(&self) -> &Path {
        &self.aside
    }

    /// Puts the folder in its place, unless one with the same bytes is there already.
    pub fn commit(self) -> Result<PathBuf, Error> {
        if self.destination.symlink_metadata().is_ok() {
            return match same_files(&self.aside, &self.destination) {
                Ok(true) => Ok(self.destination.clone()),
                Ok(false) => Err(Error::Exists(self.destination.clone())),
                Err(source) => Err(io_error(&self.destination)(source)),
            };
        }
        sync(&self.aside)?;
        fs::rename(&self.aside, &self.destination).map_err(io_error(&self.destination))?;
        if let Some(parent) = self.destination.parent() {
            sync(parent)?;
        }
        Ok(self.destination.clone())
    }
}

impl Drop for MonthFolder {
    fn drop(&mut self) {
        // Already gone after a commit; a folder that cannot be removed is hidden and harmless.
        let _ = fs::remove_dir_all(&self.aside);
    }
}

/// Removes the hidden folders of writers that were killed. One that cannot be removed is harmless.
fn remove_leftovers(out: &Path) {
    for entry in fs::read_dir(out).into_iter().flatten().flatten() {
        let is_aside = entry.file_name().to_string_lossy().starts_with(&format!(".{PREFIX}"));
        if is_aside && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Attaches `path` to an error of the system.
pub fn io_error(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    |source| Error::Io { path: path.to_path_buf(), source }
}

fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))
}

/// True when two folders hold the same names with the same bytes.
fn same_files(left: &Path, right: &Path) -> std::io::Result<bool> {
    if !right.is_dir() {
        return Ok(false);
    }
    let names = file_names(left)?;
    if names != file_names(right)? {
        return Ok(false);
    }
    for name in names {
        let (left, right) = (left.join(&name), right.join(&name));
        if !right.is_file() || !same_bytes(&left, &right)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn file_names(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

fn same_bytes(left: &Path, right: &Path) -> std::io::Result<bool> {
    let (left, right) = (File::open(left)?, File::open(right)?);
    if left.metadata()?.len() != right.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (BufReader::new(left).bytes(), BufReader::new(right).bytes());
    loop {
        match (left.next().transpose()?, right.next().transpose()?) {
            (None, None) => return Ok(true),
            (a, b) if a == b => {}
            _ => return Ok(false),
        }
    }
}
