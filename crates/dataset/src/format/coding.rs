//! How the text of a file is packed: compressed, and in which encoding, by its first bytes.

use std::io::{self, Read};

/// How to come from the bytes of a file to its text in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Coding {
    pub(crate) compression: Option<Compression>,
    pub(crate) utf16: Option<Utf16>,
}

/// The compressions of text that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

/// The order of the bytes in UTF-16, which a byte order mark tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Utf16 {
    LittleEndian,
    BigEndian,
}

impl Compression {
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"\x1f\x8b") {
            Some(Compression::Gzip)
        } else if start.starts_with(b"\x28\xb5\x2f\xfd") {
            Some(Compression::Zstd)
        } else {
            None
        }
    }
}

impl Utf16 {
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"\xff\xfe") {
            Some(Utf16::LittleEndian)
        } else if start.starts_with(b"\xfe\xff") {
            Some(Utf16::BigEndian)
        } else {
            None
        }
    }
}

impl Coding {
    /// The text of a file, decoded as it is read in memory that does not depend on the file's size.
    pub(crate) fn reader<R: Read + Send + 'static>(self, source: R) -> io::Result<Box<dyn Read + Send>> {
        let bytes: Box<dyn Read + Send> = match self.compression {
            None => Box::new(source),
            // A file may consist of several compressed ones, one after the other.
            Some(Compression::Gzip) => {
                Box::new(Unpacked { source: flate2::read::MultiGzDecoder::new(source), format: "gzip" })
            }
            Some(Compression::Zstd) => {
                Box::new(Unpacked { source: zstd::Decoder::new(source)?, format: "zstd" })
            }
        };
        Ok(match self.utf16 {
            None => bytes,
            Some(order) => Box::new(Utf16Text::new(bytes, order)),
        })
    }
}

/// Says of a decoder's errors whose they are.
struct Unpacked<R> {
    source: R,
    format: &'static str,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            // The disk's error rather than the decoder's.
            _ if error.raw_os_error().is_some() => error,
            _ => io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the {} data are damaged or incomplete ({error}); copy the file again", self.format),
            ),
        })
    }
}

/// UTF-16 as UTF-8.
struct Utf16Text<R> {
    source: R,
    order: Utf16,
    /// Bytes of a character whose end is not read yet, then those just read.
    bytes: Vec<u8>,
    text: String,
    /// So much of the text was given away.
    given: usize,
}

/// Bytes of UTF-16 that are decoded at a time.
const CHUNK_BYTES: usize = 1 << 16;

impl<R: Read> Utf16Text<R> {
    fn new(source: R, order: Utf16) -> Self {
        Utf16Text { source, order, bytes: Vec::new(), text: String::new(), given: 0 }
    }

    /// Decodes the next bytes; false when there are none.
    fn decode(&mut self) -> io::Result<bool> {
        let faulty = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let before = self.bytes.len();
        self.source.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut self.bytes)?;
        match (self.bytes.len() - before, before) {
            (0, 0) => return Ok(false),
            (0, _) => return Err(faulty("the UTF-16 text ends within a character; copy the file again")),
            _ => {}
        }
        let order = self.order;
        let unit = |pair: &[u8]| match order {
            Utf16::LittleEndian => u16::from_le_bytes([pair[0], pair[1]]),
            Utf16::BigEndian => u16::from_be_bytes([pair[0], pair[1]]),
        };
        let mut units: Vec<u16> = self.bytes.chunks_exact(2).map(unit).collect();
        // The first half of a character outside of the basic plane; the second may not be read yet.
        if units.last().is_some_and(|last| (0xD800..0xDC00).contains(last)) {
            units.pop();
        }
        self.bytes.drain(..2 * units.len());
        self.text.clear();
        self.given = 0;
        for character in char::decode_utf16(units) {
            self.text
                .push(character.map_err(|_| faulty("is not the UTF-16 text that its first bytes announce"))?);
        }
        Ok(true)
    }
}

impl<R: Read> Read for Utf16Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.decode()? {
                return Ok(0);
            }
        }
        let rest = &self.text.as_bytes()[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn utf16(text: &str, order: Utf16) -> Vec<u8> {
        let bytes = |unit: u16| match order {
            Utf16::LittleEndian => unit.to_le_bytes(),
            Utf16::BigEndian => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn text(bytes: Vec<u8>, coding: Coding) -> io::Result<String> {
        let mut text = String::new();
        coding.reader(Cursor::new(bytes))?.read_to_string(&mut text)?;
        Ok(text)
    }

    proptest! {
        #[test]
        fn what_is_decoded_was_encoded(written in "\\PC{0,60}", big in any::<bool>()) {
            let order = if big { Utf16::BigEndian } else { Utf16::LittleEndian };
            let coding = Coding { utf16: Some(order), compression: None };
            prop_assert_eq!(text(utf16(&written, order), coding).unwrap(), written);
        }

        #[test]
        fn no_bytes_panic_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for compression in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
                for utf16 in [None, Some(Utf16::LittleEndian), Some(Utf16::BigEndian)] {
                    let _ = text(bytes.clone(), Coding { compression, utf16 });
                }
            }
        }
    }

    #[test]
    fn characters_are_whole_across_chunks() {
        let coding = Coding { utf16: Some(Utf16::LittleEndian), compression: None };
        let long = format!("a{}", "\u{1F600}".repeat(CHUNK_BYTES));
        assert!(text(utf16(&long, Utf16::LittleEndian), coding).unwrap() == long);
    }

    #[test]
    fn what_is_torn_is_an_error() {
        let coding = Coding { utf16: Some(Utf16::LittleEndian), compression: None };
        for bytes in [&b"a\0b"[..], b"\x3d\xd8", b"\x00\xdca\0"] {
            assert!(text(bytes.to_vec(), coding).is_err(), "{bytes:?}");
        }
    }
}
