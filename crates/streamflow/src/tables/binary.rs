//! The binary form of Postgres's `COPY TO`, taken apart row by row as its bytes come.
//!
//! Eleven bytes that say what it is, flags, an extension that may be skipped; then for each row the number of its fields
//! and each field with its length, -1 where it has no value; -1 in the place of a number of fields ends it.

use std::ops::Range;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Flags that a reader who does not know them must not pass over.
const CRITICAL: u32 = 0xffff_0000;
/// The longest row: as long as the longest record of a CSV file.
pub const MAX_ROW_BYTES: usize = 16 << 20;
/// Bytes of rows that were taken before the rest is moved to the front.
const COMPACT_BYTES: usize = 1 << 16;

/// Why bytes are not the binary form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// They do not begin so.
    #[error("the server sent something else than rows in the binary form of COPY")]
    Signature,
    /// Flags that are not known.
    #[error("the server sent rows in a form of COPY that is not known (flags {0:#x})")]
    Flags(u32),
    /// Another number of fields than there are columns.
    #[error("row {row} came with {found} fields; expected {expected}")]
    Fields {
        /// The row, from 1.
        row: u64,
        /// Its fields.
        found: i16,
        /// The columns that were asked for.
        expected: usize,
    },
    /// A length that is none.
    #[error("row {row} came with a field of {length} bytes")]
    Length {
        /// The row, from 1.
        row: u64,
        /// The length.
        length: i32,
    },
    /// A row that is too long.
    #[error("row {row} is longer than {} MiB; leave long columns out, or shorten them in a query", MAX_ROW_BYTES >> 20)]
    RowTooLong {
        /// The row, from 1.
        row: u64,
    },
    /// Bytes after the end.
    #[error("the server sent bytes after the last row")]
    Surplus,
}

/// Takes rows out of bytes that are added as they come, in pieces of any size.
#[derive(Debug)]
pub struct BinaryRows {
    columns: usize,
    bytes: Vec<u8>,
    /// Where what was not taken begins.
    start: usize,
    fields: Vec<Option<Range<usize>>>,
    row: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Rows,
    End,
}

/// One row.
#[derive(Debug)]
pub struct BinaryRow<'a> {
    bytes: &'a [u8],
    fields: &'a [Option<Range<usize>>],
}

impl<'a> BinaryRow<'a> {
    /// The bytes of each field; none where it has no value.
    pub fn fields(&self) -> impl Iterator<Item = Option<&'a [u8]>> {
        let bytes = self.bytes;
        self.fields.iter().map(move |field| field.clone().map(|range| &bytes[range]))
    }
}

impl BinaryRows {
    /// Rows of so many columns.
    pub fn new(columns: usize) -> Self {
        Self { columns, bytes: Vec::new(), start: 0, fields: Vec::new(), row: 0, state: State::Head }
    }

    /// Adds the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.start >= COMPACT_BYTES || self.start == self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether the end has come: where the bytes stop before it, rows are missing.
    pub fn is_whole(&self) -> bool {
        self.state == State::End
    }

    /// The number of rows that were taken.
    pub fn rows(&self) -> u64 {
        self.row
    }

    /// Takes the next row; none where more bytes are needed, and at the end.
    ///
    /// # Errors
    /// Bytes that are not the binary form, and rows over [`MAX_ROW_BYTES`].
    pub fn next_row(&mut self) -> Result<Option<BinaryRow<'_>>, BinaryError> {
        if self.state == State::Head && !self.head()? {
            return Ok(None);
        }
        if self.state == State::End {
            return if self.start < self.bytes.len() { Err(BinaryError::Surplus) } else { Ok(None) };
        }
        let Some(end) = self.measure()? else {
            let is_long = self.bytes.len() - self.start > MAX_ROW_BYTES;
            return if is_long { Err(BinaryError::RowTooLong { row: self.row + 1 }) } else { Ok(None) };
        };
        self.start = end;
        if self.state == State::End {
            return if self.start < self.bytes.len() { Err(BinaryError::Surplus) } else { Ok(None) };
        }
        self.row += 1;
        Ok(Some(BinaryRow { bytes: &self.bytes, fields: &self.fields }))
    }

    /// Reads what comes before the rows; false where more bytes are needed.
    fn head(&mut self) -> Result<bool, BinaryError> {
        let there = &self.bytes[self.start..];
        let known = there.len().min(SIGNATURE.len());
        if there[..known] != SIGNATURE[..known] {
            return Err(BinaryError::Signature);
        }
        let mut at = self.start + SIGNATURE.len();
        let (Some(flags), Some(extension)) = (self.number(at), self.number(at + 4)) else { return Ok(false) };
        if flags & CRITICAL != 0 {
            return Err(BinaryError::Flags(flags));
        }
        at += 8 + extension as usize;
        if extension as usize > MAX_ROW_BYTES {
            return Err(BinaryError::RowTooLong { row: 0 });
        }
        if self.bytes.len() < at {
            return Ok(false);
        }
        self.start = at;
        self.state = State::Rows;
        Ok(true)
    }

    fn number(&self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }

    /// Finds the fields of the row at hand, and where it ends; none where more bytes are needed.
    fn measure(&mut self) -> Result<Option<usize>, BinaryError> {
        let row = self.row + 1;
        let mut at = self.start;
        let Some(count) = self.bytes.get(at..at + 2) else { return Ok(None) };
        let count = i16::from_be_bytes([count[0], count[1]]);
        at += 2;
        if count == -1 {
            self.state = State::End;
            return Ok(Some(at));
        }
        if usize::try_from(count) != Ok(self.columns) {
            return Err(BinaryError::Fields { row, found: count, expected: self.columns });
        }
        self.fields.clear();
        for _ in 0..self.columns {
            let Some(length) = self.number(at) else { return Ok(None) };
            let length = length.cast_signed();
            at += 4;
            if length == -1 {
                self.fields.push(None);
                continue;
            }
            let Ok(bytes) = usize::try_from(length) else {
                return Err(BinaryError::Length { row, length });
            };
            if bytes > MAX_ROW_BYTES || at - self.start > MAX_ROW_BYTES {
                return Err(BinaryError::RowTooLong { row });
            }
            if self.bytes.len() < at + bytes {
                return Ok(None);
            }
            self.fields.push(Some(at..at + bytes));
            at += bytes;
        }
        Ok(Some(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

    fn bytes(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        for row in rows {
            bytes.extend((row.len() as i16).to_be_bytes());
            for field in *row {
                bytes.extend(field.map_or(-1, |field| field.len() as i32).to_be_bytes());
                bytes.extend(field.unwrap_or_default());
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    fn read(columns: usize, pieces: &[&[u8]]) -> Result<Vec<Vec<Option<Vec<u8>>>>, BinaryError> {
        let mut reader = BinaryRows::new(columns);
        let mut rows = Vec::new();
        for piece in pieces {
            reader.add(piece);
            while let Some(row) = reader.next_row()? {
                rows.push(row.fields().map(|field| field.map(<[u8]>::to_vec)).collect());
            }
        }
        assert!(reader.is_whole());
        assert_eq!(reader.rows(), rows.len() as u64);
        Ok(rows)
    }

    #[test]
    fn rows_come_out_wherever_the_bytes_are_cut() {
        let whole = bytes(&[&[Some(b"ada"), None], &[Some(b""), Some(b"\0\x01")]]);
        let expected = vec![vec![Some(b"ada".to_vec()), None], vec![Some(vec![]), Some(vec![0, 1])]];
        for cut in 0..=whole.len() {
            let (one, two) = whole.split_at(cut);
            assert_eq!(read(2, &[one, two]).as_ref(), Ok(&expected), "{cut}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(read(2, &single), Ok(expected));
        assert_eq!(read(3, &[&bytes(&[])]), Ok(vec![]));
    }

    #[test]
    fn what_is_not_the_binary_form_is_refused() {
        let flagged = [&HEAD[..11], &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
        let long = [HEAD, &[0, 1], &(MAX_ROW_BYTES as i32 + 1).to_be_bytes()].concat();
        for (bytes, expected) in [
            (b"COPY 1\tada\n".to_vec(), BinaryError::Signature),
            (flagged, BinaryError::Flags(0x1_0000)),
            (bytes(&[&[None, None]]), BinaryError::Fields { row: 1, found: 2, expected: 1 }),
            ([HEAD, &[0xff, 0xfe]].concat(), BinaryError::Fields { row: 1, found: -2, expected: 1 }),
            ([HEAD, &[0, 1], &[0xff; 3], &[0xfe]].concat(), BinaryError::Length { row: 1, length: -2 }),
            (long, BinaryError::RowTooLong { row: 1 }),
            ([bytes(&[]), vec![0]].concat(), BinaryError::Surplus),
        ] {
            let mut reader = BinaryRows::new(1);
            reader.add(&bytes);
            assert_eq!(reader.next_row().map(|_| ()), Err(expected));
        }
    }

    #[test]
    fn rows_that_stop_before_the_end_are_not_whole() {
        let whole = bytes(&[&[Some(b"ada")]]);
        let mut reader = BinaryRows::new(1);
        reader.add(&whole[..whole.len() - 2]);
        while reader.next_row().unwrap().is_some() {}
        assert!(!reader.is_whole());
    }
}
