//! Start timestamps of the samples of a chunk.
//!
//! Those of a counter that runs are one time, those of differences follow the times of the samples. So they are a sequence of
//! times, or of what lies between them and the times of their samples, whichever is shorter.

use super::bits::{BitReader, BitWriter};
use super::xor::{read_time, write_time};
use super::{MAX_SAMPLES, sequence};
use crate::samples::{NO_START, Samples};
use crate::varint::{self, Reader};

/// The sequence has the starts.
const TIMES: u8 = 0;
/// The sequence has the times of the samples less the starts.
const AGES: u8 = 1;

/// How many samples, then how their starts are written, then they.
pub(super) fn write(out: &mut Vec<u8>, samples: &Samples) {
    varint::write(out, samples.len() as u64);
    let mut scratch = Vec::with_capacity(samples.len());
    let ages: Vec<i64> = samples
        .timestamps
        .iter()
        .zip(&samples.starts)
        .map(|(time, start)| time.wrapping_sub(*start))
        .collect();
    let of_times = sequence::plan(&samples.starts, &mut scratch);
    let of_ages = sequence::plan(&ages, &mut scratch);
    if of_ages.bits < of_times.bits {
        out.push(AGES);
        sequence::write(out, &ages, of_ages);
    } else {
        out.push(TIMES);
        sequence::write(out, &samples.starts, of_times);
    }
}

/// What [`write`] wrote.
pub(super) struct Written {
    how: u8,
    numbers: Vec<i64>,
}

pub(super) fn read(from: &mut Reader<'_>) -> Option<Written> {
    let count = usize::try_from(from.unsigned()?).ok().filter(|count| (1..=MAX_SAMPLES).contains(count))?;
    let how = from.byte().filter(|how| [TIMES, AGES].contains(how))?;
    let mut numbers = vec![0; count];
    from.rest = sequence::read(from.rest, &mut numbers, |number| number)?;
    Some(Written { how, numbers })
}

impl Written {
    /// Gives the samples from `before` on their starts; `None` where they are not as many.
    pub(super) fn put(self, out: &mut Samples, before: usize) -> Option<()> {
        if out.len() != before + self.numbers.len() {
            return None;
        }
        out.starts.resize(before, NO_START);
        let times = &out.timestamps[before..];
        match self.how {
            AGES => {
                out.starts.extend(self.numbers.iter().zip(times).map(|(age, time)| time.wrapping_sub(*age)))
            }
            _ => out.starts.extend(self.numbers),
        }
        Some(())
    }
}

/// Start timestamps of a chunk that grows, from the first sample on that has one.
#[derive(Debug, Clone)]
pub(super) struct Growing {
    /// Samples before it.
    skipped: u32,
    first: i64,
    last: i64,
    difference: i64,
    bits: BitWriter,
}

impl Growing {
    pub(super) fn new(skipped: u32, first: i64) -> Self {
        Self { skipped, first, last: first, difference: 0, bits: BitWriter::default() }
    }

    pub(super) fn push(&mut self, start: i64) {
        let difference = start.wrapping_sub(self.last);
        write_time(&mut self.bits, difference.wrapping_sub(self.difference));
        (self.difference, self.last) = (difference, start);
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.bits.bytes.len()
    }

    /// Appends those of `count` samples.
    pub(super) fn decode(&self, count: u32, out: &mut Vec<i64>) {
        out.extend(std::iter::repeat_n(NO_START, self.skipped as usize));
        let (mut start, mut difference) = (self.first, 0_i64);
        out.push(start);
        let mut from = BitReader::new(&self.bits.bytes);
        for _ in self.skipped + 1..count {
            let change = read_time(&mut from).expect("the writer above wrote as many as it counted");
            difference = difference.wrapping_add(change);
            start = start.wrapping_add(difference);
            out.push(start);
        }
    }
}
