//! How the text of a file is packed: compressed, and in which encoding, by its first bytes.

use std::io::{self, Read};

use encoding_rs::{DecoderResult, Encoding, UTF_8};

/// How to come from the bytes of a file to its text in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Coding {
    pub(crate) compression: Option<Compression>,
    /// `None` for UTF-8, which is read as it is.
    pub(crate) encoding: Option<&'static Encoding>,
}

/// The compressions of text that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
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

/// The encoding that a byte order mark announces; UTF-8 needs no decoding.
pub(crate) fn announced(start: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_bom(start).map(|(encoding, _)| encoding).filter(|encoding| *encoding != UTF_8)
}

/// The encoding that text without a byte order mark seems to have where every other byte is mostly zero, by its name.
pub(crate) fn utf16_without_mark(start: &[u8]) -> Option<&'static str> {
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), start.len() / 2);
    match (even, odd) {
        (0, odd) if odd > pairs / 2 => Some("utf-16le"),
        (even, 0) if even > pairs / 2 => Some("utf-16be"),
        _ => None,
    }
}

/// The encoding of this name, as the web and Python have them, such as `latin1` or `utf-16le`.
pub(crate) fn named(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.replace('_', "-").as_bytes())
        .or_else(|| Encoding::for_label_no_replacement(label.replace(['-', '_'], "").as_bytes()))
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
        Ok(match self.encoding {
            None => bytes,
            Some(encoding) => Box::new(Decoded::new(bytes, encoding)),
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

/// Text of another encoding as UTF-8.
struct Decoded<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    bytes: Vec<u8>,
    /// So many of the bytes were decoded.
    taken: usize,
    text: Vec<u8>,
    /// So much of the text was given away.
    given: usize,
    ended: bool,
}

/// Bytes that are decoded at a time.
const CHUNK_BYTES: usize = 1 << 16;

impl<R: Read> Decoded<R> {
    fn new(source: R, encoding: &'static Encoding) -> Self {
        Decoded {
            source,
            decoder: encoding.new_decoder_with_bom_removal(),
            bytes: Vec::new(),
            taken: 0,
            text: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Decodes the next bytes.
    fn decode(&mut self) -> io::Result<()> {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
            self.source.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut self.bytes)?;
        }
        let last = self.bytes.is_empty();
        self.text.resize(CHUNK_BYTES, 0);
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(&self.bytes[self.taken..], &mut self.text, last);
        self.taken += read;
        self.text.truncate(written);
        self.given = 0;
        self.ended = last && result == DecoderResult::InputEmpty;
        match result {
            DecoderResult::Malformed(..) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "is not {} text throughout; copy the file again or name its encoding",
                    self.decoder.encoding().name()
                ),
            )),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.decode()?;
        }
        let rest = &self.text[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};
    use proptest::prelude::*;

    use super::*;

    fn utf16(text: &str, encoding: &'static Encoding) -> Vec<u8> {
        let bytes = |unit: u16| if encoding == UTF_16LE { unit.to_le_bytes() } else { unit.to_be_bytes() };
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
            let encoding = if big { UTF_16BE } else { UTF_16LE };
            let coding = Coding { encoding: Some(encoding), compression: None };
            let read = text(utf16(&written, encoding), coding).unwrap();
            prop_assert_eq!(read, written.strip_prefix('\u{feff}').unwrap_or(&written));
        }

        #[test]
        fn no_bytes_panic_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for compression in [None, Some(Compression::Gzip), Some(Compression::Zstd)] {
                for encoding in [None, Some(UTF_16LE), Some(UTF_16BE), named("shift_jis"), named("gb18030")] {
                    let _ = text(bytes.clone(), Coding { compression, encoding });
                }
            }
        }
    }

    #[test]
    fn characters_are_whole_across_chunks() {
        let coding = Coding { encoding: Some(UTF_16LE), compression: None };
        let long = format!("a{}", "\u{1F600}".repeat(CHUNK_BYTES));
        assert!(text(utf16(&long, UTF_16LE), coding).unwrap() == long);
    }

    #[test]
    fn what_is_torn_is_an_error() {
        let coding = Coding { encoding: Some(UTF_16LE), compression: None };
        for bytes in [&b"a\0b"[..], b"\x3d\xd8", b"\x00\xdca\0"] {
            assert!(text(bytes.to_vec(), coding).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn utf16_is_known_without_its_mark() {
        for (bytes, expected) in [
            (utf16("plan,n\ncaf\u{e9},\u{20ac}\n", UTF_16LE), Some("utf-16le")),
            (utf16("plan,n\ncaf\u{e9},\u{20ac}\n", UTF_16BE), Some("utf-16be")),
            (b"plan,n\n".to_vec(), None),
            // Text may hold a zero.
            (b"a\n\0\nb\n".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(utf16_without_mark(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn encodings_have_the_names_that_python_has() {
        for name in ["latin1", "latin-1", "iso-8859-1", "cp1252", "windows-1252", "ISO_8859-1"] {
            assert_eq!(named(name), Some(WINDOWS_1252), "{name}");
        }
        assert_eq!(named("utf-8"), Some(UTF_8));
        assert_eq!(named("utf8"), Some(UTF_8));
        assert_eq!(named("utf_16le"), Some(UTF_16LE));
        assert_eq!(named("klingon"), None);
        let coding = Coding { encoding: named("latin1"), compression: None };
        assert_eq!(text(b"caf\xe9;\x80".to_vec(), coding).unwrap(), "caf\u{e9};\u{20ac}");
    }
}
