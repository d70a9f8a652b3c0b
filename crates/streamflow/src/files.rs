//! Files that are whole or absent: written aside, flushed to the disk, renamed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `contents` to `path`, creating its folder. A reader sees the old file or the new one, never a part.
pub fn write_aside(path: &Path, contents: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let aside = dir.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = File::create(&aside)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        File::open(dir)?.sync_all()
    })();
    if written.is_err() {
        // The first error is what the user must see; a file that cannot be removed either changes nothing.
        let _ = fs::remove_file(&aside);
    }
    written
}
