//! Protobuf as far as ONNX files need it, borrowed from the file: a message is its fields in order.
//!
//! Not a general reader: structs of a library would take a hundred times the bytes of a hostile file, here what is
//! kept is counted against a budget.

use crate::{Error, Format};

/// A field's value before its type is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Values that may be kept of a file, all in all: numbers, texts, attributes and nodes.
pub(crate) const MAX_VALUES: usize = 1 << 26;

/// A file while it is read.
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub fn new() -> Budget {
        Budget { left: MAX_VALUES }
    }

    /// Counts values that are kept.
    pub fn keep(&mut self, values: usize) -> Result<(), Error> {
        self.left = self
            .left
            .checked_sub(values)
            .ok_or_else(|| malformed(format!("it has more than {MAX_VALUES} values")))?;
        Ok(())
    }
}

pub(crate) fn malformed(reason: impl ToString) -> Error {
    Error::malformed(Format::Onnx, reason)
}

/// Reads a message field by field.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) =
                self.rest.split_first().ok_or_else(|| malformed("a message ends within a number"))?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number has more than ten bytes"))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Error> {
        let count = usize::try_from(count).ok().filter(|&count| count <= self.rest.len());
        let count = count.ok_or_else(|| malformed("a field is longer than its message"))?;
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        Ok(self.take(N as u64)?.try_into().expect("as many bytes as were asked for"))
    }

    /// The next field's number and value.
    pub fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        // Other readers keep the lower 32 bits, and would find another field in it.
        let tag = u32::try_from(tag).map_err(|_| malformed("the number of a field is too large"))?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(self.array()?),
            other => return Err(malformed(format!("a field has the wire type {other}"))),
        };
        Ok(Some((u64::from(tag) >> 3, value)))
    }
}

impl<'a> Wire<'a> {
    fn wrong(self, expected: &str) -> Error {
        malformed(format!("a field is {self:.40?}, but {expected} was expected"))
    }

    pub fn integer(self) -> Result<i64, Error> {
        match self {
            Wire::Varint(value) => Ok(value as i64),
            _ => Err(malformed("a field is no integer")),
        }
    }

    pub fn float(self) -> Result<f32, Error> {
        match self {
            Wire::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(malformed("a field is no 32-bit number")),
        }
    }

    pub fn bytes(self) -> Result<&'a [u8], Error> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.wrong("bytes")),
        }
    }

    pub fn text(self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed("a text is not UTF-8"))
    }

    /// Adds integers, packed or one.
    pub fn integers(self, into: &mut Vec<i64>, budget: &mut Budget) -> Result<(), Error> {
        let Wire::Bytes(bytes) = self else {
            budget.keep(1)?;
            into.push(self.integer()?);
            return Ok(());
        };
        let mut packed = Fields::of(bytes);
        while !packed.rest.is_empty() {
            budget.keep(1)?;
            into.push(packed.varint()? as i64);
        }
        Ok(())
    }

    /// Adds 32-bit numbers, packed or one.
    pub fn floats(self, into: &mut Vec<f32>, budget: &mut Budget) -> Result<(), Error> {
        let Wire::Bytes(bytes) = self else {
            budget.keep(1)?;
            into.push(self.float()?);
            return Ok(());
        };
        if bytes.len() % 4 != 0 {
            return Err(malformed("a list of 32-bit numbers is cut"));
        }
        budget.keep(bytes.len() / 4)?;
        into.extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        Ok(())
    }

    /// Adds 64-bit numbers, packed or one.
    pub fn doubles(self, into: &mut Vec<f64>, budget: &mut Budget) -> Result<(), Error> {
        let one;
        let bytes = match self {
            Wire::Bytes(bytes) => bytes,
            Wire::Fixed64(bytes) => {
                one = bytes;
                &one[..]
            }
            _ => return Err(self.wrong("64-bit numbers")),
        };
        if bytes.len() % 8 != 0 {
            return Err(malformed("a list of 64-bit numbers is cut"));
        }
        budget.keep(bytes.len() / 8)?;
        into.extend(bytes.chunks_exact(8).map(double));
        Ok(())
    }
}

/// The number of eight bytes.
pub(crate) fn double(bytes: &[u8]) -> f64 {
    f64::from_le_bytes(bytes.try_into().expect("chunks of eight"))
}
