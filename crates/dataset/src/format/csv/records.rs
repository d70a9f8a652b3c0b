//! The records of a CSV file: width, encoding and size are checked here, values elsewhere.
//!
//! RFC 4180 with what real files do beside it: LF or CRLF, a byte order mark, blank lines (skipped).

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use crate::problem::{Fault, ProblemKind};

/// A record may be this long: far past real rows, and a bound when a quote is never closed.
pub(crate) const RECORD_LIMIT: usize = 16 << 20;
/// A header may name this many columns.
pub(crate) const COLUMN_LIMIT: usize = 10_000;

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
    /// The record at hand, on [`Records::line`], is faulty; the next ones may be fine.
    Faulty(ProblemKind),
    /// There are no more.
    End,
}

impl<R: Read> Records<R> {
    /// Reads the header of a file with commas; one with another separator is a fault.
    pub(crate) fn open(source: R) -> Result<Self, Fault> {
        let records = Self::separated(source, b',')?;
        if records.header.iter().any(|name| name.contains('\0')) {
            return Err(ProblemKind::NotUtf8 { utf16: true }.into());
        }
        if let [only] = records.header.as_slice()
            && let Some(separator) = only.chars().find(|c| matches!(c, ';' | '\t' | '|'))
        {
            return Err(Fault::at_line(1, ProblemKind::Separator { separator }));
        }
        Ok(records)
    }

    /// Reads the header of a file whose fields this separates.
    pub(crate) fn separated(source: R, separator: u8) -> Result<Self, Fault> {
        let source = Budget { source, left: RECORD_LIMIT, consumed: 0 };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .buffer_capacity(1 << 16)
            .from_reader(source);
        let mut records = Records { reader, record: ByteRecord::new(), header: Vec::new() };
        match records.read().map_err(Fault::io("read"))? {
            Found::Record => {}
            Found::End => return Err(ProblemKind::EmptyFile.into()),
            Found::TooLong => return Err(Fault::at_line(1, TOO_LONG)),
        }
        if records.record.len() > COLUMN_LIMIT {
            return Err(ProblemKind::TooManyColumns { limit: COLUMN_LIMIT }.into());
        }
        for field in &records.record {
            match std::str::from_utf8(field) {
                Ok(name) => records.header.push(name.trim().to_string()),
                Err(_) => return Err(Fault::at_line(1, ProblemKind::NotUtf8 { utf16: false })),
            }
        }
        Ok(records)
    }

    /// Moves to the next record.
    pub(crate) fn advance(&mut self) -> Result<Step, Fault> {
        match self.read().map_err(Fault::io("read"))? {
            Found::Record => {}
            Found::End => return Ok(Step::End),
            Found::TooLong => return Ok(Step::Faulty(TOO_LONG)),
        }
        Ok(if self.record.len() != self.header.len() {
            Step::Faulty(ProblemKind::Ragged { found: self.record.len(), expected: self.header.len() })
        } else if self.record.iter().any(|field| std::str::from_utf8(field).is_err()) {
            Step::Faulty(ProblemKind::NotUtf8 { utf16: false })
        } else {
            Step::Record
        })
    }

    /// Reads a record within the budget. After one that was too long there are no more: the reader would
    /// go on in its middle.
    fn read(&mut self) -> io::Result<Found> {
        if self.reader.get_ref().left == 0 {
            return Ok(Found::End);
        }
        self.reader.get_mut().left = RECORD_LIMIT;
        match self.reader.read_byte_record(&mut self.record) {
            Ok(_) if self.reader.get_ref().left == 0 => Ok(Found::TooLong),
            Ok(true) => Ok(Found::Record),
            Ok(false) => Ok(Found::End),
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::Io(error) => error,
                other => io::Error::other(format!("{other:?}")),
            }),
        }
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

/// What the reader found within the budget.
enum Found {
    Record,
    TooLong,
    End,
}

const TOO_LONG: ProblemKind = ProblemKind::RecordTooLong { limit_mib: RECORD_LIMIT >> 20 };

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
