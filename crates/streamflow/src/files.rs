//! Files that are whole or absent: written aside, flushed to the disk, renamed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Writes `contents` to `path`, creating its folder. A reader sees the old file or the new one, never a part.
pub fn write_aside(path: &Path, contents: &[u8]) -> io::Result<()> {
    replace_with(path, |file| file.write_all(contents))
}

/// As [`write_aside`], with what `write` writes; its error leaves the old file in its place.
pub fn replace_with<T>(path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let aside = dir.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = File::create(&aside)?;
        let written = write(&mut file)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        File::open(dir)?.sync_all()?;
        Ok(written)
    })();
    if written.is_err() {
        // The first error is what the user must see; a file that cannot be removed either changes nothing.
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Makes `to` another name of a file that is never changed in its place, creating its folder; a copy where the file system
/// has no links.
pub fn link_or_copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot read {}", from.display()))
        }
        Err(_) => fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display())),
    }
}

/// Every file below a folder, by its path from there.
pub fn below(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let path = entry.path();
            let name = entry.file_name();
            let name =
                name.to_str().with_context(|| format!("the name of {} is not UTF-8", path.display()))?;
            if path.is_dir() {
                folders.push((format!("{prefix}{name}/"), path));
            } else {
                found.insert(format!("{prefix}{name}"), path);
            }
        }
    }
    Ok(found)
}

/// The SHA-256 of a text in hexadecimal digits.
pub fn sha256_of_text(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Forces a file or a folder to the disk.
pub fn sync(path: &Path) -> anyhow::Result<()> {
    let synced = || File::open(path)?.sync_all();
    synced().with_context(|| format!("cannot sync {}", path.display()))
}
