//! The records of a CSV file: width, encoding and size are checked here, values elsewhere.
//!
//! RFC 4180 with what real files do beside it: LF or CRLF, a byte order mark, blank lines (skipped).

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use crate::error::{Position, ProblemKind};

/// A record may be this long: far past real rows, and a bound when a quote is never closed.
pub(crate) const RECORD_LIMIT: usize = 16 << 20;
/// A header may name this many columns.
pub(crate) const COLUMN_LIMIT: usize = 10_000;

/// A problem and the line on which it is; one without a line concerns the whole file.
pub(crate) type Located = (Option<Position>, ProblemKind);

/// Reads one record at a time.
pub(crate) struct Records<R> {
    reader: csv::Reader<Budget<R>>,
    record: ByteRecord,
    /// The names of the columns.
    pub(crate) header: Vec<String>,
}

/// What [`Records::advance`] found.
pub(crate) enum Step {
    /// [`Records::fields`] has a record of the header's width.
    Record,
    /// The record at hand is faulty, the next ones may be fine.
    Faulty(Located),
    /// There are no more.
    End,
}

impl<R: Read> Records<R> {
    /// Reads the header. `Err(Ok(…))` is the operating system's refusal.
    pub(crate) fn open(source: R) -> Result<Self, Result<io::Error, Located>> {
        let source = Budget { source, left: RECORD_LIMIT, consumed: 0 };
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(source);
        let mut record = ByteRecord::new();
        match read(&mut reader, &mut record) {
            Ok(true) => {}
            Ok(false) => return Err(Err((None, ProblemKind::EmptyFile))),
            Err(Ok(error)) => return Err(Ok(error)),
            Err(Err(kind)) => return Err(Err((Some(Position::Line(1)), kind))),
        }
        if record.len() > COLUMN_LIMIT {
            return Err(Err((None, ProblemKind::TooManyColumns { limit: COLUMN_LIMIT })));
        }
        let mut header = Vec::with_capacity(record.len());
        for field in &record {
            match std::str::from_utf8(field) {
                Ok(name) => header.push(name.trim().to_string()),
                Err(_) => return Err(Err((Some(Position::Line(1)), ProblemKind::NotUtf8 { utf16: false }))),
            }
        }
        if let [only] = header.as_slice()
            && let Some(separator) = only.chars().find(|c| matches!(c, ';' | '\t' | '|'))
        {
            return Err(Err((Some(Position::Line(1)), ProblemKind::Separator { separator })));
        }
        Ok(Records { reader, record, header })
    }

    /// Moves to the next record.
    pub(crate) fn advance(&mut self) -> io::Result<Step> {
        match read(&mut self.reader, &mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(Step::End),
            Err(Ok(error)) => return Err(error),
            Err(Err(kind)) => return Ok(Step::Faulty((Some(Position::Line(self.line())), kind))),
        }
        let kind = if self.record.len() != self.header.len() {
            ProblemKind::Ragged { found: self.record.len(), expected: self.header.len() }
        } else if self.record.iter().any(|field| std::str::from_utf8(field).is_err()) {
            ProblemKind::NotUtf8 { utf16: false }
        } else {
            return Ok(Step::Record);
        };
        Ok(Step::Faulty((Some(Position::Line(self.line())), kind)))
    }

    /// The line on which the record at hand starts; the header's is 1.
    pub(crate) fn line(&self) -> u64 {
        self.record.position().map_or(1, csv::Position::line)
    }

    /// The byte of the file after the last record that was read.
    pub(crate) fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    /// A field of the record at hand, which [`Step::Record`] has vouched for.
    pub(crate) fn field(&self, index: usize) -> &str {
        std::str::from_utf8(&self.record[index]).expect("advance has checked the encoding of the record")
    }

    /// Bytes read so far, a little ahead of the record at hand.
    pub(crate) fn consumed(&self) -> u64 {
        self.reader.get_ref().consumed
    }
}

/// Reads a record within the budget. After one that was too long there are no more: the reader would
/// go on in its middle.
fn read<R: Read>(
    reader: &mut csv::Reader<Budget<R>>,
    record: &mut ByteRecord,
) -> Result<bool, Result<io::Error, ProblemKind>> {
    if reader.get_ref().left == 0 {
        return Ok(false);
    }
    reader.get_mut().left = RECORD_LIMIT;
    match reader.read_byte_record(record) {
        Ok(_) if reader.get_ref().left == 0 => {
            Err(Err(ProblemKind::RecordTooLong { limit_mib: RECORD_LIMIT >> 20 }))
        }
        Ok(found) => Ok(found),
        Err(error) => match error.into_kind() {
            csv::ErrorKind::Io(error) => Err(Ok(error)),
            other => Err(Ok(io::Error::other(format!("{other:?}")))),
        },
    }
}

/// Ends the file once a record has taken more than its share, so that memory stays bounded.
struct Budget<R> {
    source: R,
    left: usize,
    consumed: u64,
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = buffer.len().min(self.left);
        let count = self.source.read(&mut buffer[..limit])?;
        self.left -= count;
        self.consumed += count as u64;
        Ok(count)
    }
}
