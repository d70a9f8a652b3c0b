//! A minute as bytes: `SFL1`, numbers in seven bits a byte, a CRC-32 at the end.
//!
//! In order: start (zigzag), minutes, the four statuses, the number of columns, for each column its number of classes
//! and the rows of each, the number of entities, for each the difference of its hash to the one before, its time since
//! the start in milliseconds (zigzag) and a byte a column with its class: 255 where the column says nothing of the row.

use crate::minute::{Counters, Minute};
use crate::sample::{ABSENT, Sample};

const MAGIC: &[u8; 4] = b"SFL1";
/// What a decoder takes at most, whatever the bytes say.
const MOST_COLUMNS: u64 = 4096;
const MOST_CLASSES: u64 = 255;
const MOST_ENTITIES: u64 = 1 << 16;

/// Why bytes are no minute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Other bytes at the beginning.
    #[error("no minute of traffic: it does not begin with SFL1")]
    Magic,
    /// The checksum is another one.
    #[error("a minute of traffic is damaged: its checksum does not match")]
    Checksum,
    /// The bytes end early, or go on.
    #[error("a minute of traffic of the wrong length")]
    Length,
    /// A number that no minute has.
    #[error("a minute of traffic with {what} {given}, expected {expected}")]
    Value {
        /// What is counted or numbered.
        what: &'static str,
        /// The number.
        given: u64,
        /// What it may be.
        expected: String,
    },
}

impl Minute {
    /// The minute as bytes: about 8 an entity and 1 a column of each.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        write(&mut out, zigzag(self.start));
        write(&mut out, u64::from(self.minutes));
        self.counters.statuses.iter().for_each(|count| write(&mut out, *count));
        write(&mut out, self.counters.rows.len() as u64);
        for counts in &self.counters.rows {
            write(&mut out, counts.len() as u64);
            counts.iter().for_each(|count| write(&mut out, *count));
        }
        write(&mut out, self.sample.len() as u64);
        let start_ms = start_ms(self.start);
        let mut last = 0;
        for (hash, at_ms, classes) in self.sample.rows() {
            write(&mut out, hash.wrapping_sub(last));
            write(&mut out, zigzag(at_ms.wrapping_sub(start_ms).cast_signed()));
            out.extend_from_slice(classes);
            last = hash;
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a minute. What it takes is bounded by the length of the bytes.
    ///
    /// # Errors
    /// Bytes that are no minute, or a damaged one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((body, crc)) = bytes.split_last_chunk::<4>() else { return Err(DecodeError::Length) };
        let Some(rest) = body.strip_prefix(MAGIC) else { return Err(DecodeError::Magic) };
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(DecodeError::Checksum);
        }
        let mut read = Reader(rest);
        let start = unzigzag(read.number()?);
        let minutes = read.bounded("minutes", 1, u64::from(u32::MAX))? as u32;
        let mut statuses = [0; 4];
        for count in &mut statuses {
            *count = read.number()?;
        }
        let width = read.bounded("columns", 0, MOST_COLUMNS)? as usize;
        let mut rows = Vec::new();
        for _ in 0..width {
            let classes = read.bounded("classes", 1, MOST_CLASSES)?;
            rows.push((0..classes).map(|_| read.number()).collect::<Result<Vec<_>, _>>()?);
        }
        let counters = Counters { statuses, rows };
        let sample = read.sample(&counters.shape(), start_ms(start))?;
        if read.0.is_empty() {
            Ok(Self { start, minutes, sample, counters })
        } else {
            Err(DecodeError::Length)
        }
    }
}

fn start_ms(start: i64) -> u64 {
    start.wrapping_mul(60_000).cast_unsigned()
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.0.split_first() else { return Err(DecodeError::Length) };
            self.0 = rest;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(value_error("a number", u64::MAX, "64 bits"))
    }

    fn bounded(&mut self, what: &'static str, least: u64, most: u64) -> Result<u64, DecodeError> {
        let given = self.number()?;
        if (least..=most).contains(&given) {
            return Ok(given);
        }
        Err(value_error(what, given, format!("{least} to {most}")))
    }

    fn sample(&mut self, shape: &[usize], start_ms: u64) -> Result<Sample, DecodeError> {
        let entities = self.bounded("entities", 0, MOST_ENTITIES)?;
        let mut sample = Sample::new(shape.len());
        for _ in 0..entities {
            let (step, last) = (self.number()?, sample.hashes.last());
            let hash = match last {
                None => Some(step),
                Some(last) => last.checked_add(step).filter(|hash| hash > last),
            };
            let hash = hash.ok_or_else(|| value_error("a hash after", step, "ascending hashes"))?;
            let at_ms = start_ms.wrapping_add(unzigzag(self.number()?).cast_unsigned());
            let Some((classes, rest)) = self.0.split_at_checked(shape.len()) else {
                return Err(DecodeError::Length);
            };
            let is_none = |class: u8, most: usize| usize::from(class) >= most && class != ABSENT;
            if let Some((&class, most)) =
                classes.iter().zip(shape).find(|&(&class, &most)| is_none(class, most))
            {
                return Err(value_error("a class", class.into(), format!("less than {most}, or 255")));
            }
            self.0 = rest;
            sample.hashes.push(hash);
            sample.at_ms.push(at_ms);
            sample.classes.extend_from_slice(classes);
        }
        Ok(sample)
    }
}

fn value_error(what: &'static str, given: u64, expected: impl Into<String>) -> DecodeError {
    DecodeError::Value { what, given, expected: expected.into() }
}

fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::minute::{OpenMinute, Status};

    prop_compose! {
        fn minutes()(
            start in prop_oneof![0_i64..30_000_000, any::<i64>()],
            rows in prop::collection::vec((any::<u64>(), any::<u64>(), (0_u8..4, prop_oneof![0_u8..9, Just(ABSENT)])), 0..60),
            answered in 0_usize..9,
        ) -> Minute {
            let mut open = OpenMinute::new(&[4, 9]);
            rows.iter().for_each(|(hash, at_ms, (a, b))| open.add_classes(*hash, *at_ms, &[*a, *b]));
            (0..answered).for_each(|_| open.count(Status::Answered));
            open.close(start)
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(minute in minutes()) {
            prop_assert_eq!(Minute::decode(&minute.encode()), Ok(minute));
        }

        #[test]
        fn a_flipped_bit_and_a_cut_are_seen(minute in minutes(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let bytes = minute.encode();
            let at = at.index(bytes.len());
            let mut flipped = bytes.clone();
            flipped[at] ^= 1_u8 << bit;
            prop_assert!(Minute::decode(&flipped).is_err());
            prop_assert!(Minute::decode(&bytes[..at]).is_err());
        }

        #[test]
        fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Minute::decode(&bytes);
            // With a checksum that is right, the rest is read.
            bytes.splice(..0, *MAGIC);
            bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
            let _ = Minute::decode(&bytes);
        }
    }

    #[test]
    fn a_minute_that_was_written_before_rows_without_outputs_is_read() {
        let written = [
            0x53, 0x46, 0x4c, 0x31, 0x0e, 0x01, 0x01, 0x00, 0x00, 0x00, 0x02, 0x02, 0x01, 0x00, 0x03, 0x00,
            0x00, 0x01, 0x01, 0x05, 0x0a, 0x00, 0x02, // and the checksum
        ];
        let bytes = [&written[..], &crc32fast::hash(&written).to_le_bytes()].concat();
        let minute = Minute::decode(&bytes).unwrap();
        assert_eq!(minute.sample.rows().collect::<Vec<_>>(), [(5, 420_005, &[0, 2][..])]);
        assert_eq!(minute.encode(), bytes);
        let mut over = written;
        over[22] = 3;
        let bytes = [&over[..], &crc32fast::hash(&over).to_le_bytes()].concat();
        assert!(Minute::decode(&bytes).unwrap_err().to_string().contains("a class 3, expected less than 3"));
    }

    #[test]
    fn a_minute_of_ten_a_second_is_small() {
        let mut open = OpenMinute::new(&[21; 16]);
        for i in 0_u64..6_000 {
            open.add_classes(crate::entity_hash(0, &i.to_le_bytes()), i * 10, &[(i % 20) as u8; 16]);
        }
        assert!(open.close(0).encode().len() < 600 * (16 + 12), "about 16 kB");
    }
}
