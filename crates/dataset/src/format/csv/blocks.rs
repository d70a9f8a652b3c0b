//! CSV files as blocks that end where a record ends, so that several threads can each take the next one.

use std::io::{self, Read};

use crate::format::csv::records::RECORD_LIMIT;

/// Bytes read at a time; tests are to see many blocks.
const BLOCK_BYTES: usize = if cfg!(test) { 64 } else { 1 << 20 };
/// Zeros after the text of a block, so that a word can be loaded at its last byte.
pub(crate) const PADDING: usize = 16;

/// Takes blocks off files, each from the first record after its header on.
pub(crate) struct Blocks<I, R> {
    /// Those that are not begun.
    sources: I,
    /// The one that is being read.
    source: Option<R>,
    separator: u8,
    /// The beginning of a record whose end is not read yet.
    rest: Vec<u8>,
}

/// Text of whole records and [`PADDING`] bytes; reused from block to block.
#[derive(Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
}

impl Block {
    /// The text followed by its padding, and the length of the text.
    pub(crate) fn padded(&self) -> (&[u8], usize) {
        (&self.bytes, self.bytes.len() - PADDING)
    }
}

/// What [`Blocks::advance`] found.
#[derive(Debug)]
pub(crate) enum Next {
    Block,
    /// A record that is longer than a record may be.
    TooLong,
    End,
}

impl<R: Read, I: Iterator<Item = io::Result<R>>> Blocks<I, R> {
    /// Each of the sources stands at the start of a record.
    pub(crate) fn new(sources: I, separator: u8) -> Self {
        Blocks { sources, source: None, separator, rest: Vec::new() }
    }

    /// Fills `block` with the next records, all of one source.
    pub(crate) fn advance(&mut self, block: &mut Block) -> io::Result<Next> {
        let bytes = &mut block.bytes;
        bytes.clear();
        bytes.append(&mut self.rest);
        loop {
            if self.source.is_none() {
                let Some(next) = self.sources.next() else { return Ok(Next::End) };
                self.source = Some(next?);
            }
            let before = bytes.len();
            if let Some(source) = &mut self.source {
                source.by_ref().take(BLOCK_BYTES as u64).read_to_end(bytes)?;
            }
            let has_ended = bytes.len() - before < BLOCK_BYTES;
            if has_ended {
                self.source = None;
            }
            let end = if has_ended { bytes.len() } else { last_record_end(bytes, self.separator) };
            if end > 0 {
                self.rest.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                bytes.resize(end + PADDING, 0);
                return Ok(Next::Block);
            }
            if bytes.len() > RECORD_LIMIT {
                return Ok(Next::TooLong);
            }
        }
    }
}

/// The position after the last record that ends in `bytes`, which start with a record; 0 when none does.
fn last_record_end(bytes: &[u8], separator: u8) -> usize {
    // Without quotes every line end is a record's.
    if !bytes.contains(&b'"') {
        let last = |end: u8| bytes.iter().rposition(|byte| *byte == end);
        return last(b'\n').or_else(|| last(b'\r')).map_or(0, |position| position + 1);
    }
    let mut end = 0;
    let mut position = 0;
    let mut at_field_start = true;
    while let Some(&byte) = bytes.get(position) {
        position += 1;
        match byte {
            b'"' if at_field_start => match after_quoted(bytes, position) {
                Some(after) => position = after,
                None => return end,
            },
            b'\n' | b'\r' => end = position,
            _ => {}
        }
        at_field_start = byte == separator || matches!(byte, b'\n' | b'\r');
    }
    end
}

/// Where the quotes end that were opened before `position`: after the closing one. `None` when they do not.
pub(crate) fn after_quoted(bytes: &[u8], mut position: usize) -> Option<usize> {
    loop {
        position += bytes.get(position..)?.iter().position(|byte| *byte == b'"')? + 1;
        // Two quotes are one in the text; the second may not be read yet.
        match bytes.get(position) {
            Some(b'"') => position += 1,
            Some(_) => return Some(position),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: usize) {
        assert_eq!(last_record_end(text.as_bytes(), b','), expected, "{text:?}");
    }

    #[test]
    fn blocks_end_with_records() {
        check("a,b\n1,2", 4);
        check("a,b", 0);
        check("a\r1\r2", 4);
        check("a,\"b\nc\"\n1,\"2\n", 8);
        check("a,\"b\"\"\nc\"\n1", 10);
        check("a,b\"\nc\"\n1", 8);
        check("\"a\" \"\nb\n", 8);
        // The quote at the end may be the first of two.
        check("1\n\"a\"", 2);
    }

    #[test]
    fn files_are_their_blocks() {
        let text: String = (0..3_000).map(|row| format!("{row},\"x\n{row}\"\n")).collect();
        // Nothing, no end of a line before the next file, and what follows.
        let (head, tail) = text.split_at(text.len() / 2 + text[text.len() / 2..].find('\n').unwrap());
        for files in [&[text.as_str()][..], &["", text.as_str(), ""], &[head, tail]] {
            let sources = files.iter().map(|file| Ok(file.as_bytes()));
            let mut blocks = Blocks::new(sources, b',');
            let (mut block, mut seen, mut count) = (Block::default(), Vec::new(), 0);
            while let Ok(Next::Block) = blocks.advance(&mut block) {
                let (bytes, end) = block.padded();
                seen.extend_from_slice(&bytes[..end]);
                count += 1;
            }
            assert!(seen == text.as_bytes() && count > 3);
        }
    }
}
