//! Thrift's compact protocol, walked before Parquet's decoder reads it.
//!
//! The decoder skips a list of truth values one by one although they take no bytes, so that seven damaged bytes cost it
//! two thousand million steps. Here no list, set, map or text claims more than there are bytes left. The decoder takes
//! the fields that it knows for what they should be, whatever is written beside them: those are held to their types, or
//! the two would read different things.

use std::io::{self, Read};

/// Structures, lists and maps in each other, at most; the decoder allows as many.
const MAX_DEPTH: usize = 64;

/// What the decoder takes a field for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    Truth,
    Byte,
    /// Of 16, 32 or 64 bits.
    Number,
    Double,
    /// Also a text.
    Bytes,
    List(&'static Known),
    Structure(Structure),
}

/// The fields of a structure, by their numbers.
pub(super) type Structure = &'static [(i64, Known)];

impl Known {
    fn is(self, tag: u8) -> bool {
        match self {
            Known::Truth => matches!(tag, 1 | 2),
            Known::Byte => tag == 3,
            Known::Number => matches!(tag, 4..=6),
            Known::Double => tag == 7,
            Known::Bytes => tag == 8,
            Known::List(_) => tag == 9,
            Known::Structure(_) => tag == 12,
        }
    }
}

/// Reads one structure of at most `left` bytes and forgets it but for the number in its second field.
///
/// # Errors
/// What is no structure, ends early, claims more than there is, or is not of a known field's type; errors of the reader.
pub(super) fn walk(bytes: impl Read, left: u64, known: Structure) -> io::Result<i64> {
    let mut walk = Walk { bytes, left, number: 0, second: 0 };
    walk.structure(known, MAX_DEPTH)?;
    Ok(walk.second)
}

struct Walk<R> {
    bytes: R,
    left: u64,
    /// The last number that was read.
    number: i64,
    /// The number in the second field of the outermost structure.
    second: i64,
}

impl<R: Read> Walk<R> {
    fn structure(&mut self, known: Structure, depth: usize) -> io::Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| damaged("structures within structures"))?;
        let mut number = 0;
        loop {
            let head = self.byte()?;
            let tag = head & 0xf;
            if tag == 0 {
                return Ok(());
            }
            number = match head >> 4 {
                0 => self.signed()?,
                step => number + i64::from(step),
            };
            let known = known.iter().find(|(of, _)| *of == number).map(|(_, known)| *known);
            self.value(tag, known, depth)?;
            if number == 2 && depth == MAX_DEPTH - 1 && matches!(tag, 4..=6) {
                self.second = self.number;
            }
        }
    }

    /// A value with this type before it, which takes no bytes where it is a truth value.
    fn value(&mut self, tag: u8, known: Option<Known>, depth: usize) -> io::Result<()> {
        if known.is_some_and(|known| !known.is(tag)) {
            return Err(damaged("a field of another type"));
        }
        match tag {
            1 | 2 => Ok(()),
            3 => self.skip(1),
            4..=6 => {
                let number = self.unsigned()?;
                self.number = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
                Ok(())
            }
            7 => self.skip(8),
            8 => {
                let length = self.claim()?;
                self.skip(length)
            }
            9 | 10 => self.list(known, depth),
            11 => self.map(depth),
            12 => {
                let known = if let Some(Known::Structure(known)) = known { known } else { &[] };
                self.structure(known, depth)
            }
            13 => self.skip(16),
            _ => Err(damaged("a field of no type")),
        }
    }

    fn list(&mut self, known: Option<Known>, depth: usize) -> io::Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| damaged("lists within lists"))?;
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.claim()?,
            count => self.within(u64::from(count))?,
        };
        let known = if let Some(Known::List(known)) = known { Some(*known) } else { None };
        // Some writers give an empty list no type.
        (0..count).try_for_each(|_| self.value(head & 0xf, known, depth))
    }

    fn map(&mut self, depth: usize) -> io::Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| damaged("maps within maps"))?;
        let count = self.claim()?;
        if count == 0 {
            return Ok(());
        }
        let tags = self.byte()?;
        (0..count).try_for_each(|_| {
            self.value(tags >> 4, None, depth)?;
            self.value(tags & 0xf, None, depth)
        })
    }

    /// A number of bytes or elements that are said to follow.
    fn claim(&mut self) -> io::Result<u64> {
        let count = self.unsigned()?;
        self.within(count)
    }

    fn within(&self, count: u64) -> io::Result<u64> {
        if count > self.left { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
    }

    /// A number in zigzag order, as the decoder cuts field numbers: to 16 bits.
    fn signed(&mut self) -> io::Result<i64> {
        let number = self.unsigned()?;
        let signed = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        Ok(i64::from(signed as i16))
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged("a number of more than 64 bits"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        let skipped = io::copy(&mut (&mut self.bytes).take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its metadata have {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Structure =
        &[(1, Known::Number), (2, Known::Structure(&[(3, Known::List(&Known::Bytes))])), (4, Known::Truth)];

    #[test]
    fn structures_are_walked_to_their_end() {
        let cases: [(&[u8], bool); 19] = [
            (&[0], true),
            (&[], false),
            // 1: 5, 2: {3: ["ab", ""]}, 4: true.
            (&[0x15, 10, 0x1c, 0x39, 0x28, 2, b'a', b'b', 0, 0, 0x21, 0], true),
            (&[0x15, 10, 0x1c, 0x39, 0x28, 2, b'a', b'b', 0, 0, 0x21], false),
            // The same field as a text; elements as numbers.
            (&[0x18, 0, 0], false),
            (&[0x2c, 0x39, 0x15, 2, 0, 0], false),
            // 100, which nobody knows: truth values, as many as there are bytes, and more.
            (&[0x09, 200, 1, 0x12, 0], true),
            (&[0x09, 200, 1, 0xf2, 1, 0], true),
            (&[0x09, 200, 1, 0xf2, 2, 0], false),
            (&[0x09, 200, 1, 0xf2, 0xff, 0xff, 0xff, 0xff, 7, 0], false),
            (&[0x0b, 200, 1, 1, 0x11, 0], true),
            (&[0x0b, 200, 1, 0xff, 0xff, 0xff, 0xff, 7, 0x11, 0], false),
            (&[0x0b, 200, 1, 0, 0], true),
            (&[0x08, 200, 1, 5, 0], false),
            (&[0x0d, 200, 1, 0], false),
            (&[0x07, 200, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0], true),
            (&[0x0e, 200, 1, 0], false),
            (&[0x06, 200, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], false),
            (&[0x1c; 100], false),
        ];
        for (bytes, is_sound) in cases {
            let walked = walk(bytes, bytes.len() as u64, KNOWN);
            assert_eq!(walked.is_ok(), is_sound, "{bytes:x?}: {walked:?}");
        }
    }
}
