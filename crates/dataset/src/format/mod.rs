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

/// So many bytes at the start of a file decide what it is.
const START_BYTES: usize = 512;

/// Opens a file and tells its format.
pub(crate) fn open(path: &Path) -> Result<(File, Format), Fault> {
    let mut file = File::open(path).map_err(Fault::io("open"))?;
    let metadata = file.metadata().map_err(Fault::io("read"))?;
    if metadata.is_dir() {
        return Err(ProblemKind::NotATable { found: "a directory" }.into());
    }
    let mut start = Vec::with_capacity(START_BYTES);
    file.by_ref().take(START_BYTES as u64).read_to_end(&mut start).map_err(Fault::io("read"))?;
    let mut end = Vec::with_capacity(PARQUET.len());
    let end_at = metadata.len().saturating_sub(PARQUET.len() as u64);
    file.seek(SeekFrom::Start(end_at)).map_err(Fault::io("read"))?;
    file.by_ref().take(PARQUET.len() as u64).read_to_end(&mut end).map_err(Fault::io("read"))?;
    file.seek(SeekFrom::Start(0)).map_err(Fault::io("read"))?;
    let format = recognise(&start, &end)?;
    let named_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    if named_parquet && format == Format::Csv {
        return Err(ProblemKind::NotParquet.into());
    }
    Ok((file, format))
}

/// The format of a file that is in memory.
pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Format, ProblemKind> {
    recognise(&bytes[..bytes.len().min(START_BYTES)], bytes)
}

/// What a Parquet file starts and ends with.
const PARQUET: &[u8] = b"PAR1";

/// Formats that no text starts as.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet"),
    (b"Obj\x01", "an Avro file"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
];

/// Formats whose first letters a column's name may have too, such as `PARENT`. They are what they seem
/// only when what follows is no text.
const LETTERS: &[(&[u8], &str)] = &[
    (b"BZh", "compressed with bzip2"),
    (b"ARROW1", "an Arrow (Feather) file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3", "a SQLite database"),
    (b"PARE", "an encrypted Parquet file"),
];

/// The format that starts and ends with these bytes.
fn recognise(start: &[u8], end: &[u8]) -> Result<Format, ProblemKind> {
    if start.is_empty() {
        return Err(ProblemKind::EmptyFile);
    }
    let is_text = is_text(start);
    if start.starts_with(PARQUET) && (!is_text || end.ends_with(PARQUET)) {
        return Ok(Format::Parquet);
    }
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(ProblemKind::NotUtf8 { utf16: true });
    }
    let letters: &[_] = if is_text { &[] } else { LETTERS };
    match FOREIGN.iter().chain(letters).find(|(magic, _)| start.starts_with(magic)) {
        Some((_, found)) => Err(ProblemKind::NotATable { found }),
        None => Ok(Format::Csv),
    }
}

/// Whether the bytes lack the control characters that every binary format has among its first.
fn is_text(start: &[u8]) -> bool {
    start.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Format, &'static str>) {
        let expected = expected.map_err(|found| ProblemKind::NotATable { found });
        assert_eq!(of_bytes(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
    }

    #[test]
    fn text_that_begins_as_another_format_is_text() {
        for text in [
            "PARENT_ID,x\n1,2\n",
            "PAR1,x\n1,2\n",
            "ORCHARD\n1\n",
            "SQLite,v\n3,4\n",
            "BZh\n1\n",
            "ARROW1\n1\n",
        ] {
            check(text.as_bytes(), Ok(Format::Csv));
        }
    }

    #[test]
    fn formats_are_told_by_their_structure() {
        check(b"PAR1\x15\x04\x15", Ok(Format::Parquet));
        check(b"PAR1 torn apart PAR1", Ok(Format::Parquet));
        check(b"PARE\x15\x04\x15\0PARE", Err("an encrypted Parquet file"));
        check(b"ORC\x0a\x0b\x01", Err("an ORC file"));
        check(b"SQLite format 3\0\x10\0", Err("a SQLite database"));
        check(b"BZh91AY&SY\x01", Err("compressed with bzip2"));
        check(b"ARROW1\0\0\x10", Err("an Arrow (Feather) file"));
    }
}
