//! A file of a drop while it is ingested.

use std::path::Path;
use std::time::SystemTime;

use crate::error::Error;
use crate::snapshot::checksums::sha256;
use crate::snapshot::drop_files::DropFile;

/// A file of a drop as it was when the ingest began.
pub(super) struct Source {
    pub(super) file: DropFile,
    pub(super) sha256: String,
    pub(super) size_bytes: u64,
    modified: Option<SystemTime>,
}

impl Source {
    pub(super) fn open(file: DropFile) -> Result<Source, Error> {
        let (size_bytes, modified) = stamp(&file.path)?;
        let sha256 = sha256(&file.path)?;
        Ok(Source { file, sha256, size_bytes, modified })
    }

    /// The name of the file without its directory.
    pub(super) fn name(&self) -> String {
        self.file.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Whether the file was written to since the ingest began.
    pub(super) fn has_changed(&self) -> Result<bool, Error> {
        Ok(stamp(&self.file.path)? != (self.size_bytes, self.modified))
    }
}

fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>), Error> {
    let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
    Ok((metadata.len(), metadata.modified().ok()))
}
