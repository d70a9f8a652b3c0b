//! The formats of tables and their readers, which know neither snapshots nor counts.
//!
//! What a file is is decided by its first bytes, since names lie.

pub(crate) mod allowance;
pub(crate) mod arrow;
pub(crate) mod coding;
pub(crate) mod columnar;
pub(crate) mod csv;
pub(crate) mod in_memory;
mod known_fields;
mod pages;
pub(crate) mod parquet;
pub(crate) mod plain_array;
mod thrift;
mod vetting;

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;

use crate::format::coding::{Coding, Compression, announced};
use crate::problem::{Fault, ProblemKind};

/// The formats of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated text.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// Arrow's file format, which is version 2 of Feather, or its format of streams.
    Arrow,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Csv => "CSV",
            Format::Parquet => "Parquet",
            Format::Arrow => "Arrow",
        })
    }
}

/// What the user says of a CSV file; what is not said is found in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CsvOptions {
    pub(crate) separator: Option<u8>,
    encoding: Option<&'static encoding_rs::Encoding>,
}

impl CsvOptions {
    /// Reads the words of the options: the separator is one character of ASCII or `tab`, the encoding a name as
    /// Python has it, such as `latin1`.
    ///
    /// # Errors
    /// A sentence that names the word and what was expected.
    pub fn parse(separator: Option<&str>, encoding: Option<&str>) -> Result<Self, String> {
        let separator = separator.map(|word| match word.as_bytes() {
            _ if matches!(word, "tab" | "\\t") => Ok(b'\t'),
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte) => {
                Ok(*byte)
            }
            _ => Err(format!(
                "{word:?} does not separate fields: expected one ASCII character such as ; or | (no letter, digit or quote), or the word tab"
            )),
        });
        let encoding = encoding.map(|name| {
            coding::named(name).ok_or_else(|| {
                format!("there is no encoding {name:?}: expected a name such as utf-8, latin1, windows-1252 or utf-16le")
            })
        });
        Ok(CsvOptions { separator: separator.transpose()?, encoding: encoding.transpose()? })
    }

    /// Whether they name an encoding.
    pub(crate) fn names_encoding(self) -> bool {
        self.encoding.is_some()
    }

    /// The coding of a file in which another encoding was found, or none.
    pub(crate) fn over(self, found: Coding) -> Coding {
        let encoding =
            self.encoding.map_or(found.encoding, |named| (named != encoding_rs::UTF_8).then_some(named));
        Coding { encoding, ..found }
    }
}

/// So many bytes at the start of a file decide what it is.
const START_BYTES: usize = 512;

/// Opens a file of a drop, whose text is UTF-8 and perhaps compressed, and tells its format.
pub(crate) fn open(path: &Path) -> Result<(File, Format, Coding), Fault> {
    let (file, format, coding) = open_coded(path)?;
    if coding.encoding.is_some() {
        return Err(ProblemKind::NotUtf8 { utf16: true }.into());
    }
    if format == Format::Arrow {
        return Err(ProblemKind::NotATable { found: ARROW_FOUND }.into());
    }
    Ok((file, format, coding))
}

/// Opens a file and tells its format and how its text is coded.
pub(crate) fn open_coded(path: &Path) -> Result<(File, Format, Coding), Fault> {
    // Opening a pipe would wait for whoever writes to it.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Err(ProblemKind::ReadOnce.into());
    }
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
    let unread = file.try_clone().map_err(Fault::io("read"))?;
    let (format, coding) = recognise_coded(&start, &end, unread)?;
    file.seek(SeekFrom::Start(0)).map_err(Fault::io("read"))?;
    let named_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    if named_parquet && format == Format::Csv {
        // Torn perhaps: the name and the first letters together say enough.
        if start.starts_with(PARQUET) {
            return Ok((file, Format::Parquet, coding));
        }
        return Err(ProblemKind::NotParquet.into());
    }
    Ok((file, format, coding))
}

/// The format of a file that is in memory and how its text is coded.
pub(crate) fn of_bytes(bytes: &Bytes) -> Result<(Format, Coding), Fault> {
    recognise_coded(&bytes[..bytes.len().min(START_BYTES)], bytes, Cursor::new(bytes.clone()))
}

/// The format and coding of a file that starts and ends with these bytes; `file` stands at its start.
fn recognise_coded(
    start: &[u8],
    end: &[u8],
    file: impl Read + Send + 'static,
) -> Result<(Format, Coding), Fault> {
    let compression = Compression::of(start);
    let mut unpacked = Vec::new();
    if compression.is_some() {
        let coding = Coding { compression, encoding: None };
        let text = coding.reader(file).map_err(Fault::io("read"))?;
        text.take(START_BYTES as u64).read_to_end(&mut unpacked).map_err(Fault::io("read"))?;
    }
    let (start, end) = if compression.is_some() { (&unpacked[..], &[][..]) } else { (start, end) };
    let encoding = announced(start);
    let format = if encoding.is_some() { Format::Csv } else { recognise(start, end)? };
    if compression.is_some() && format != Format::Csv {
        let found = "a Parquet or Arrow file that was compressed as a whole";
        return Err(ProblemKind::NotATable { found }.into());
    }
    Ok((format, Coding { compression, encoding }))
}

/// What a Parquet file starts and ends with.
const PARQUET: &[u8] = b"PAR1";
/// What an Arrow file starts with, before two bytes of zero, and ends with.
const ARROW: &[u8] = b"ARROW1";
/// What a drop, which has no Arrow files, calls one.
const ARROW_FOUND: &str = "an Arrow (Feather) file";

/// Formats that no text starts as.
const FOREIGN: &[(&[u8], &str)] = &[
    // Twice, as one is taken off before.
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
    (b"FEA1", "a Feather file of version 1 (write it again with a newer pandas)"),
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
    if (start.starts_with(ARROW) || start.starts_with(arrow::CONTINUATION)) && !is_text {
        return Ok(Format::Arrow);
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
        assert_eq!(recognise(bytes, bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
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
        check(b"ARROW1\0\0\x10", Ok(Format::Arrow));
        check(b"\xff\xff\xff\xff\xf8\0\0\0\x10", Ok(Format::Arrow));
        check(b"\xff\xff\xff\xff,b\n", Ok(Format::Csv));
        check(b"FEA1\0\0", Err("a Feather file of version 1 (write it again with a newer pandas)"));
    }
}
