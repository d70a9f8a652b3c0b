//! The fields of a block of CSV text.
//!
//! What the `csv` crate makes of RFC 4180, which reads the header and explains faults: a record ends at LF, CR or both;
//! blank lines are skipped; quotes quote only at the start of a field, two of them are one, and what follows the
//! closing one up to the separator belongs to the field. Words of eight bytes are searched at once.

use crate::format::csv::blocks::{Block, after_quoted};

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// At most 15 bytes: the first eight and the other seven in little-endian order, the length in the highest byte.
    /// Equal texts, and only those, have equal words.
    Short(Words, &'a str),
    /// More than that.
    Long(&'a str),
}

/// See [`Field::Short`].
pub(crate) type Words = [u64; 2];

/// The text of the most bytes that [`Words`] hold.
pub(crate) const SHORT_BYTES: usize = 15;

impl<'a> Field<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        words(text.as_bytes()).map_or(Field::Long(text), |words| Field::Short(words, text))
    }
}

/// The words of a short text.
pub(crate) fn words(text: &[u8]) -> Option<Words> {
    if text.len() > SHORT_BYTES {
        return None;
    }
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text);
    let [mut low, mut high] = [0; 2];
    for (i, byte) in bytes.iter().enumerate() {
        let word = if i < 8 { &mut low } else { &mut high };
        *word |= u64::from(*byte) << (8 * (i % 8));
    }
    Some([low, high | (text.len() as u64) << 56])
}

/// The text of words.
pub(crate) fn text_of(words: Words) -> String {
    let mut bytes = [words[0].to_le_bytes(), words[1].to_le_bytes()].concat();
    bytes.truncate((words[1] >> 56) as usize);
    String::from_utf8(bytes).expect("words are made of text")
}

/// Passes every field to `see` with its column; the number of records. `None` when the block holds a record of another
/// width, or bytes that are not UTF-8: which, and on which line of the file, is told by reading again in order.
pub(crate) fn for_each_field<'a>(
    block: &'a Block,
    width: usize,
    separator: u8,
    unquoted: &mut String,
    mut see: impl FnMut(usize, Field<'_>),
) -> Option<u64> {
    let (bytes, end) = block.padded();
    let text: &'a str = std::str::from_utf8(&bytes[..end]).ok()?;
    let separators = ONES * u64::from(separator);
    let mut records = 0;
    let mut position = 0;
    while position < end {
        if matches!(bytes[position], b'\n' | b'\r') {
            position += 1;
            continue;
        }
        let mut column = 0;
        loop {
            let field_end;
            if bytes[position] == b'"' && position < end {
                field_end = unquote(bytes, text, position, separators, unquoted);
                if column < width {
                    see(column, Field::new(unquoted));
                }
            } else {
                let (found, words) = scan(bytes, position, end, separators);
                field_end = found;
                if column < width {
                    let text = &text[position..field_end];
                    see(column, words.map_or(Field::Long(text), |words| Field::Short(words, text)));
                }
            }
            column += 1;
            position = field_end + 1;
            if field_end >= end || bytes[field_end] != separator {
                break;
            }
        }
        if column != width {
            return None;
        }
        records += 1;
    }
    Some(records)
}

/// The end of the field that starts at `position` without quotes, at most `end`, and its words if it is short;
/// `separators` is a word of separators.
#[inline]
fn scan(bytes: &[u8], position: usize, end: usize, separators: u64) -> (usize, Option<Words>) {
    let low = word_at(bytes, position);
    let first = delimiter(low, separators);
    if first < 8 && position + first <= end {
        return (position + first, Some([low & mask(first), (first as u64) << 56]));
    }
    let left = end - position;
    if left <= 8 {
        // The last field of a file without a final line end.
        return (end, Some([low & mask(left), (left as u64) << 56]));
    }
    let high = word_at(bytes, position + 8);
    let second = delimiter(high, separators).min(left - 8);
    if second < 8 {
        return (position + 8 + second, Some([low, high & mask(second) | ((8 + second) as u64) << 56]));
    }
    let mut at = position + 16;
    while at < end {
        let found = delimiter(word_at(bytes, at), separators);
        if found < 8 {
            return ((at + found).min(end), None);
        }
        at += 8;
    }
    (end, None)
}

#[inline]
fn word_at(bytes: &[u8], position: usize) -> u64 {
    let word = bytes.get(position..position + 8).and_then(|word| word.try_into().ok());
    u64::from_le_bytes(word.expect("a block is padded beyond its text"))
}

/// The low `count` bytes, fewer than eight.
#[inline]
fn mask(count: usize) -> u64 {
    if count >= 8 { u64::MAX } else { (1 << (8 * count)) - 1 }
}

/// A word of eight bytes of 1.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The position of the first separator or line end among the eight bytes; 8 without one.
#[inline]
fn delimiter(word: u64, separators: u64) -> usize {
    // A byte's highest bit is set where it was zero, and perhaps also somewhere after it.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let equal = |byte: u8| zeros(word ^ (ONES * u64::from(byte)));
    ((zeros(word ^ separators) | equal(b'\n') | equal(b'\r')).trailing_zeros() / 8) as usize
}

/// Puts the text of the field whose quotes open at `position` into `unquoted`; the field's end.
fn unquote(bytes: &[u8], text: &str, position: usize, separators: u64, unquoted: &mut String) -> usize {
    let inside = position + 1;
    unquoted.clear();
    let Some(after) = after_quoted(bytes, inside).filter(|after| *after <= text.len()) else {
        // Quotes that the file never closes.
        unquoted.push_str(&text[inside..].replace("\"\"", "\""));
        return text.len();
    };
    let inner = &text[inside..after - 1];
    if inner.contains('"') {
        unquoted.push_str(&inner.replace("\"\"", "\""));
    } else {
        unquoted.push_str(inner);
    }
    let (end, _) = scan(bytes, after, text.len(), separators);
    unquoted.push_str(&text[after..end]);
    end
}
