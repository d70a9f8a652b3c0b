//! Writing aside, forcing to the disk, renaming: a file is whole or not there.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Marks what is not finished; removed when the store is opened.
pub(crate) const ASIDE: &str = "tmp";

pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    let file = File::open(dir).map_err(Error::io("cannot open", dir))?;
    file.sync_all().map_err(Error::io("cannot sync", dir))
}

pub(crate) fn create_dir(dir: &Path) -> Result<(), Error> {
    fs::create_dir_all(dir).map_err(Error::io("cannot create", dir))
}

/// A new file with these bytes, forced to the disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = File::create(path).map_err(Error::io("cannot create", path))?;
    file.write_all(bytes).map_err(Error::io("cannot write", path))?;
    file.sync_all().map_err(Error::io("cannot sync", path))
}

/// Renames, and forces both names to the disk.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(Error::io("cannot rename", from))?;
    match to.parent() {
        // A name alone is one in this folder.
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// A directory goes under another name first, so that none is ever half there.
pub(crate) fn remove_dir(dir: &Path) -> Result<(), Error> {
    let aside = dir.with_extension(ASIDE);
    fs::rename(dir, &aside).map_err(Error::io("cannot rename", dir))?;
    fs::remove_dir_all(&aside).map_err(Error::io("cannot remove", aside))
}

/// The numbers behind `prefix` in a directory's names, ascending, and the unfinished files, which are removed.
pub(crate) fn numbered(dir: &Path, prefix: &str) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("cannot read", dir))? {
        let path = entry.map_err(Error::io("cannot read", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if let Some(number) = name.strip_prefix(prefix).and_then(|digits| digits.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn remove_unfinished(dir: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(Error::io("cannot read", dir))? {
        let path = entry.map_err(Error::io("cannot read", dir))?.path();
        if path.extension().is_some_and(|extension| extension == ASIDE) {
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::io("cannot remove", path))?;
        }
    }
    Ok(())
}

/// Bytes of a file, or of all files of a directory; what is not there has none.
pub(crate) fn size(path: &Path) -> u64 {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            fs::read_dir(path).map_or(0, |entries| entries.flatten().map(|entry| size(&entry.path())).sum())
        }
        Ok(meta) => meta.len(),
        Err(_) => 0,
    }
}
