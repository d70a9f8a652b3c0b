//! The formats of tables and their readers, which know neither snapshots nor counts.
//!
//! What a file is is decided by its first bytes, since names lie.

pub(crate) mod csv;
pub(crate) mod parquet;
pub(crate) mod plain_array;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::problem::{Fault, ProblemKind};

/// The formats of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated text.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// Opens a file and tells its format.
pub(crate) fn open(path: &Path) -> Result<(File, Format), Fault> {
    let mut file = File::open(path).map_err(Fault::io("open"))?;
    if file.metadata().map_err(Fault::io("read"))?.is_dir() {
        return Err(ProblemKind::NotATable { found: "a directory" }.into());
    }
    let mut start = Vec::with_capacity(8);
    file.by_ref().take(8).read_to_end(&mut start).map_err(Fault::io("read"))?;
    file.seek(SeekFrom::Start(0)).map_err(Fault::io("read"))?;
    let format = recognise(&start)?;
    let named_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    if named_parquet && format == Format::Csv {
        return Err(ProblemKind::NotParquet.into());
    }
    Ok((file, format))
}

/// The format that starts with these bytes.
pub(crate) fn recognise(start: &[u8]) -> Result<Format, ProblemKind> {
    const FOREIGN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ", "compressed with xz"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
        (b"\xd0\xcf\x11\xe0", "a spreadsheet"),
        (b"ARROW1", "an Arrow (Feather) file"),
        (b"ORC", "an ORC file"),
        (b"Obj\x01", "an Avro file"),
        (b"SQLite", "a SQLite database"),
        (b"%PDF", "a PDF document"),
        (b"\x89PNG", "a picture"),
        (b"PARE", "an encrypted Parquet file"),
    ];
    if start.is_empty() {
        return Err(ProblemKind::EmptyFile);
    }
    if start.starts_with(b"PAR1") {
        return Ok(Format::Parquet);
    }
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(ProblemKind::NotUtf8 { utf16: true });
    }
    match FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, found)) => Err(ProblemKind::NotATable { found }),
        None => Ok(Format::Csv),
    }
}
