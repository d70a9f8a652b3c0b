//! The chunk of a series that still grows.
//!
//! What few series have stands beside: its histograms, and start timestamps.

use std::sync::Arc;

use streamflow_histogram::{Histogram, boxed, unboxed};

use super::bits::{BitReader, BitWriter};
use super::starts::Growing;
use super::xor::{Xor, read_time, write_time};
use super::{Wanted, histograms};
use crate::format;
use crate::reset::hinted;
use crate::samples::{NO_START, Samples};
use crate::value::{self, Value};
use crate::varint::Reader;

/// Timestamps and values one after the other.
#[derive(Debug, Clone)]
pub(crate) struct OpenChunk {
    pub(crate) count: u32,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    difference: i64,
    first: f64,
    xor: Xor,
    bits: BitWriter,
    beside: Option<Box<Beside>>,
}

/// What stands beside the columns.
#[derive(Debug, Clone, Default)]
struct Beside {
    histograms: Histograms,
    starts: Option<Growing>,
}

impl OpenChunk {
    pub(crate) fn new(timestamp: i64, start: i64, value: &Value) -> Self {
        let mut beside = None::<Box<Beside>>;
        let first = match value {
            Value::Float(value) => *value,
            Value::Histogram(histogram) => {
                boxed(beside.get_or_insert_default().histograms.push(histogram, false))
            }
        };
        if start != NO_START {
            beside.get_or_insert_default().starts = Some(Growing::new(0, start));
        }
        let (xor, bits) = (Xor::new(first), BitWriter::default());
        Self { count: 1, min_time: timestamp, max_time: timestamp, difference: 0, first, xor, bits, beside }
    }

    /// `timestamp` is behind the newest one.
    #[inline]
    pub(crate) fn push(&mut self, timestamp: i64, start: i64, value: &Value) {
        let value = match value {
            Value::Float(value) => *value,
            Value::Histogram(histogram) => self.place(histogram),
        };
        let difference = timestamp.wrapping_sub(self.max_time);
        write_time(&mut self.bits, difference.wrapping_sub(self.difference));
        self.xor.write(&mut self.bits, value);
        if start != NO_START || self.beside.is_some() {
            self.push_start(start);
        }
        (self.difference, self.max_time) = (difference, timestamp);
        self.count += 1;
    }

    fn push_start(&mut self, start: i64) {
        let starts = &mut self.beside.get_or_insert_default().starts;
        match starts {
            Some(starts) => starts.push(start),
            None if start == NO_START => {}
            None => *starts = Some(Growing::new(self.count, start)),
        }
    }

    fn place(&mut self, histogram: &Arc<Histogram>) -> f64 {
        let follows = unboxed(f64::from_bits(self.xor.bits)).is_some();
        boxed(self.beside.get_or_insert_default().histograms.push(histogram, follows))
    }

    /// Tells whether its histograms have as many numbers as a chunk may have.
    pub(crate) fn is_full(&self, next: &Value) -> bool {
        let Value::Histogram(next) = next else { return false };
        self.beside
            .as_ref()
            .is_some_and(|beside| beside.histograms.cells + histograms::cells(next) > histograms::MAX_CELLS)
    }

    /// The format that a file with these samples has at least.
    pub(crate) fn format(&self) -> u8 {
        match &self.beside {
            None => format::NUMBERS,
            Some(beside) if beside.starts.is_some() => format::STARTS,
            Some(_) => format::HISTOGRAMS,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bits.bytes.len() + self.beside.as_ref().map_or(0, |beside| beside.bytes())
    }

    /// Appends its samples to `out`.
    pub(crate) fn decode(&self, out: &mut Samples) {
        self.decode_wanted(out, None);
    }

    /// As [`decode_wanted`](super::decode_wanted).
    pub(crate) fn decode_wanted(&self, out: &mut Samples, wanted: Option<Wanted>) {
        let (before, first) = (out.len(), out.histograms.len());
        let moved = |value: f64| unboxed(value).map_or(value, |place| boxed((first + place) as u32));
        let mut from = BitReader::new(&self.bits.bytes);
        let (mut time, mut difference, mut xor) = (self.min_time, 0_i64, Xor::new(self.first));
        out.push(time, moved(self.first));
        for _ in 1..self.count {
            let change = read_time(&mut from).expect("the writer above wrote as many as it counted");
            difference = difference.wrapping_add(change);
            time = time.wrapping_add(difference);
            out.push(time, moved(xor.read(&mut from).expect("the writer above wrote as many as it counted")));
        }
        let Some(beside) = &self.beside else { return };
        // A start may tell of a reset, and numbers among the histograms would shift their times.
        let all = beside.histograms.len() == self.count as usize && beside.starts.is_none();
        let times = wanted.filter(|_| all).map(|wanted| (wanted, &out.timestamps[before..]));
        beside.histograms.decode(times, &mut out.histograms);
        if let Some(starts) = &beside.starts {
            out.starts.resize(before, NO_START);
            starts.decode(self.count, &mut out.starts);
        }
    }
}

impl Beside {
    fn bytes(&self) -> usize {
        self.histograms.bytes() + self.starts.as_ref().map_or(0, Growing::bytes)
    }
}

/// Histograms as they came are large: of those that wait for more of them, the older ones are packed.
const RECENT: usize = 16;

/// The histograms of a chunk that grows.
#[derive(Debug, Clone, Default)]
struct Histograms {
    packed: Vec<u8>,
    packed_count: usize,
    recent: Vec<Arc<Histogram>>,
    /// The most numbers that they may become when all are packed.
    cells: usize,
}

impl Histograms {
    /// One more; `follows` says that the sample before it is the last of these. Returns its place.
    fn push(&mut self, histogram: &Arc<Histogram>, follows: bool) -> u32 {
        if self.recent.len() > RECENT {
            self.pack();
        }
        let before = self.recent.last().filter(|_| follows).map(Arc::as_ref);
        let histogram = hinted(before, Arc::clone(histogram));
        self.cells += histograms::cells(&histogram);
        self.recent.push(histogram);
        (self.packed_count + self.recent.len() - 1) as u32
    }

    /// Packs all but the last.
    fn pack(&mut self) {
        let mut all = Vec::with_capacity(self.packed_count + RECENT);
        self.unpack(None, &mut all);
        let last = self.recent.pop();
        all.append(&mut self.recent);
        self.recent.extend(last);
        self.packed.clear();
        histograms::write(&mut self.packed, &all);
        self.packed.shrink_to_fit();
        self.packed_count = all.len();
    }

    fn unpack(&self, wanted: Option<(Wanted, &[i64])>, out: &mut Vec<Arc<Histogram>>) {
        let runs = histograms::read(&mut Reader::new(&self.packed), self.packed_count)
            .expect("the writer above wrote as many as it counted");
        histograms::put(&runs, wanted, out);
    }

    fn len(&self) -> usize {
        self.packed_count + self.recent.len()
    }

    /// Appends them; `wanted` with the times of all.
    fn decode(&self, wanted: Option<(Wanted, &[i64])>, out: &mut Vec<Arc<Histogram>>) {
        self.unpack(wanted, out);
        out.extend(self.recent.iter().cloned());
    }

    fn bytes(&self) -> usize {
        self.packed.len() + self.recent.iter().map(|histogram| value::bytes(histogram)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use streamflow_histogram::plain;

    use super::*;

    proptest! {
        #[test]
        fn histograms_and_starts_in_open_chunks_come_back(
            values in proptest::collection::vec(crate::arbitrary::value(), 1..60),
            first_start in 0_i64..6,
        ) {
            let start = |t: i64| if t % 5 < first_start { NO_START } else { t * t - 3 };
            let mut chunk = OpenChunk::new(0, start(0), &values[0]);
            values.iter().zip(0..).skip(1).for_each(|(value, t)| chunk.push(t, start(t), value));
            let mut out = Samples::default();
            chunk.decode(&mut out);
            chunk.decode(&mut out);
            prop_assert_eq!(out.len(), 2 * values.len());
            for (value, (_, back)) in values.iter().chain(&values).zip(out.values()) {
                prop_assert!(value.is_same(&back));
            }
            for (place, sample) in out.samples().enumerate() {
                prop_assert_eq!(sample.start, start((place % values.len()) as i64), "{}", place);
            }
        }

        #[test]
        fn open_chunks_give_back_every_bit(
            steps in proptest::collection::vec((prop_oneof![Just(15_000_i64), 1_i64..40_000, 1..i64::MAX / 200],
                prop_oneof![any::<u64>().prop_map(|bits| plain(f64::from_bits(bits)).to_bits()), (0_u64..50).prop_map(|n| (n as f64).to_bits()), Just(0x7ff0_0000_0000_0002)]), 1..150),
            start in -1_000_000_000_000_i64..2_000_000_000_000,
        ) {
            let mut time = start;
            let mut chunk: Option<OpenChunk> = None;
            let mut expected = Vec::new();
            for (step, bits) in steps {
                let value = f64::from_bits(bits);
                match &mut chunk {
                    None => chunk = Some(OpenChunk::new(time, NO_START, &Value::Float(value))),
                    Some(chunk) => chunk.push(time, NO_START, &Value::Float(value)),
                }
                expected.push((time, bits));
                time = time.saturating_add(step);
                if time == i64::MAX { break; }
            }
            let mut out = Samples::default();
            chunk.unwrap().decode(&mut out);
            prop_assert_eq!(out.iter().map(|(t, v)| (t, v.to_bits())).collect::<Vec<_>>(), expected);
        }
    }
}
