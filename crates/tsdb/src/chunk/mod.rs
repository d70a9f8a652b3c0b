//! Chunks: the compressed samples of one series over some time, two columns one after the other.
//!
//! Timestamps are a [`sequence`]. Values are one too when they are decimals (a counter's integers, seconds with a
//! few digits), with the power of ten that makes them whole; else either their bits are a sequence or each is
//! the last one's difference of bits ([`xor`]), whichever is shorter. Every bit of every value comes back.
//!
//! Where samples are [`histograms`], these stand before the columns, and the values of the columns are their places.
//! Where samples have start timestamps, these stand before all: see [`starts`].

pub(crate) mod aggregates;
mod bits;
mod decode;
mod histograms;
pub(crate) mod layout;
mod open;
mod sequence;
mod starts;
mod xor;

use decode::read_values;
pub(crate) use decode::{Wanted, decode, decode_wanted};
pub(crate) use open::OpenChunk;

use std::sync::Arc;

use streamflow_histogram::Histogram;

use crate::format;
use crate::reset::hinted;
use crate::samples::Samples;
use crate::varint;

/// Most samples of a chunk: what a decoder is willing to make of a few bytes.
pub(crate) const MAX_SAMPLES: usize = 65_535;
/// Values are these bits.
const BITS: u8 = 14;
/// Values are differences.
const XOR: u8 = 15;
/// Histograms first, then a chunk of the others.
const HISTOGRAMS: u8 = 16;
/// Start timestamps first, then a chunk of the samples without them.
const STARTS: u8 = 17;
/// Values are integers over ten to the power of the tag.
const MAX_EXPONENT: u8 = 9;
const POWERS: [f64; MAX_EXPONENT as usize + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Integers up to here are floats exactly.
const MAX_INTEGER: f64 = 9_007_199_254_740_992.0;

/// A finished chunk; a clone is a reference count.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) count: u32,
    pub(crate) bytes: Arc<[u8]>,
}

impl Chunk {
    /// A chunk of 1 to [`MAX_SAMPLES`] samples.
    pub(crate) fn new(samples: &Samples) -> Self {
        let bytes = encode(samples);
        let (min_time, max_time) = (samples.timestamps[0], samples.timestamps[samples.len() - 1]);
        Self { min_time, max_time, count: samples.len() as u32, bytes: bytes.into() }
    }

    /// Any number of samples in chunks of at most `size`.
    pub(crate) fn split(samples: &Samples, size: usize) -> Vec<Self> {
        let (mut chunks, mut start) = (Vec::new(), 0);
        while start < samples.len() {
            let end = start + whole(samples, start, size);
            chunks.push(Self::new(&samples.part(start..end)));
            start = end;
        }
        chunks
    }

    /// The format that a file with this chunk has at least.
    pub(crate) fn format(&self) -> u8 {
        match self.bytes.first() {
            Some(&STARTS) => format::STARTS,
            Some(&HISTOGRAMS) => format::HISTOGRAMS,
            _ => format::NUMBERS,
        }
    }

    /// Appends its samples to `out`.
    pub(crate) fn decode(&self, out: &mut Samples) -> Option<()> {
        decode(&self.bytes, out)
    }

    /// As [`decode_wanted`].
    pub(crate) fn decode_wanted(&self, out: &mut Samples, wanted: Option<Wanted>) -> Option<()> {
        decode_wanted(&self.bytes, out, wanted)
    }
}

/// How many samples from `start` on make one chunk.
fn whole(samples: &Samples, start: usize, size: usize) -> usize {
    let end = samples.len().min(start + size);
    if samples.histograms.is_empty() {
        return end - start;
    }
    let mut cells = 0;
    let fits = |value: &&f64| {
        cells += samples.histogram(**value).map_or(0, |histogram| histograms::cells(histogram));
        cells <= histograms::MAX_CELLS
    };
    samples.values[start..end].iter().take_while(fits).count().max(1)
}

/// 1 to [`MAX_SAMPLES`] samples as bytes.
pub(crate) fn encode(samples: &Samples) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + samples.len());
    if samples.has_starts() {
        out.push(STARTS);
        starts::write(&mut out, samples);
    }
    if !samples.histograms.is_empty() {
        let histograms = with_resets(samples);
        out.push(HISTOGRAMS);
        varint::write(&mut out, histograms.len() as u64);
        histograms::write(&mut out, &histograms);
    }
    encode_columns(samples, &mut out);
    out
}

/// The histograms of a chunk, with what is known of resets within it.
fn with_resets(samples: &Samples) -> Vec<Arc<Histogram>> {
    let mut found: Vec<Arc<Histogram>> = Vec::with_capacity(samples.histograms.len());
    let mut follows = false;
    for value in &samples.values {
        let Some(histogram) = samples.histogram(*value) else {
            follows = false;
            continue;
        };
        let before = found.last().filter(|_| follows).map(Arc::as_ref);
        found.push(hinted(before, Arc::clone(histogram)));
        follows = true;
    }
    found
}

fn encode_columns(samples: &Samples, out: &mut Vec<u8>) {
    let mut scratch = Vec::with_capacity(samples.len());
    let head = out.len();
    out.push(0);
    varint::write(out, samples.len() as u64);
    let plan = sequence::plan(&samples.timestamps, &mut scratch);
    sequence::write(out, &samples.timestamps, plan);
    let tag = write_column(out, &samples.values, &mut scratch);
    out[head] = tag;
}

/// How values are written, then they.
fn write_values(out: &mut Vec<u8>, values: &[f64], scratch: &mut Vec<i64>) {
    let head = out.len();
    out.push(0);
    out[head] = write_column(out, values, scratch);
}

/// Writes at least one value; returns how.
fn write_column(out: &mut Vec<u8>, values: &[f64], scratch: &mut Vec<i64>) -> u8 {
    let (tag, integers) = match decimals(values) {
        Some((exponent, integers)) => (exponent, integers),
        None => (BITS, values.iter().map(|value| value.to_bits() as i64).collect()),
    };
    let plan = sequence::plan(&integers, scratch);
    // Differences of bits win nothing where a sequence takes this little.
    if plan.bits > 12 * values.len() as u64 {
        let differences = xor_values(values);
        if (differences.len() as u64) < 8 + plan.bits / 8 {
            out.extend_from_slice(&differences);
            return XOR;
        }
    }
    sequence::write(out, &integers, plan);
    tag
}

fn xor_values(values: &[f64]) -> Vec<u8> {
    let mut bits = bits::BitWriter::new(values[0].to_le_bytes().to_vec());
    let mut xor = xor::Xor::new(values[0]);
    for value in &values[1..] {
        xor.write(&mut bits, *value);
    }
    bits.bytes
}

/// Whole numbers and the smallest power of ten over which they are the values, to the bit.
fn decimals(values: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut exponent = 0;
    for value in values {
        while as_integer(*value, exponent).is_none() {
            exponent += 1;
            if exponent > MAX_EXPONENT {
                return None;
            }
        }
    }
    let integers: Option<Vec<i64>> = values.iter().map(|value| as_integer(*value, exponent)).collect();
    integers.map(|integers| (exponent, integers))
}

fn as_integer(value: f64, exponent: u8) -> Option<i64> {
    let power = POWERS[usize::from(exponent)];
    let scaled = (value * power).round_ties_even();
    let fits = scaled.abs() <= MAX_INTEGER && (scaled as i64 as f64 / power).to_bits() == value.to_bits();
    fits.then_some(scaled as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Sample;
    use crate::value::Value;
    use proptest::prelude::*;
    use streamflow_histogram::unboxed;

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (-100_i64..100).prop_map(|n| n as f64),
            (0_i64..100_000).prop_map(|n| n as f64 / 100.0),
            Just(crate::samples::STALE_NAN),
            Just(-0.0),
            Just(f64::INFINITY)
        ]
    }

    fn check(samples: &Samples) -> usize {
        let bytes = encode(samples);
        let mut back = Samples::default();
        decode(&bytes, &mut back).unwrap();
        assert_eq!(back.timestamps, samples.timestamps);
        let bits = |samples: &Samples| samples.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(samples));
        bytes.len()
    }

    proptest! {
        #[test]
        fn every_bit_comes_back(values in proptest::collection::vec(any_value(), 1..200), step in 1_i64..100_000) {
            let timestamps = (0..values.len() as i64).map(|i| i * step + i % 3).collect();
            check(&Samples { timestamps, values, ..Samples::default() });
        }

        #[test]
        fn histograms_among_numbers_come_back(values in proptest::collection::vec(crate::arbitrary::value(), 1..60)) {
            let mut samples = Samples::default();
            values.into_iter().zip(0..).for_each(|(value, t)| samples.push_value(t, value));
            let mut back = Samples::default();
            back.push_histogram(-1, Arc::default());
            decode(&encode(&samples), &mut back).unwrap();
            prop_assert_eq!(back.len(), samples.len() + 1);
            for ((t, value), (back_t, back)) in samples.values().zip(back.values().skip(1)) {
                prop_assert!(t == back_t && value.is_same(&back), "{t} {value:?} {back:?}");
            }
        }

        #[test]
        fn starts_come_back(
            starts in proptest::collection::vec(prop_oneof![any::<i64>(), Just(0_i64), 0_i64..9], 1..60),
            before in any::<bool>(),
        ) {
            let mut samples = Samples::default();
            for (start, t) in starts.into_iter().zip(0..) {
                let value = if t % 7 == 3 { Value::Histogram(Arc::default()) } else { Value::Float(t as f64) };
                samples.push_sample(Sample { timestamp: t * t, start, value });
            }
            let mut back = Samples::default();
            if before { back.push(-1, 7.0); }
            decode(&encode(&samples), &mut back).unwrap();
            prop_assert_eq!(back.starts.len(), if samples.has_starts() { back.len() } else { 0 });
            let back: Vec<Sample> = back.samples().skip(usize::from(before)).collect();
            let same = |(a, b): (&Sample, Sample)| (a.timestamp, a.start) == (b.timestamp, b.start) && a.value.is_same(&b.value);
            prop_assert!(back.len() == samples.len() && back.iter().zip(samples.samples()).all(same));
        }

        #[test]
        fn decimals_come_back(values in proptest::collection::vec(0_i64..10_000_000, 1..200), exponent in 0_u32..8) {
            let timestamps = (0..values.len() as i64).collect();
            let values = values.iter().map(|n| *n as f64 / 10_f64.powi(exponent as i32)).collect();
            check(&Samples { timestamps, values, ..Samples::default() });
        }

        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut out = Samples::default();
            if decode(&bytes, &mut out).is_none() { prop_assert!(out.is_empty()); }
            prop_assert_eq!(out.timestamps.len(), out.values.len());
            prop_assert!(out.starts.is_empty() || out.starts.len() == out.len());
            prop_assert_eq!(out.histograms.len(), out.values.iter().filter(|value| unboxed(**value).is_some()).count());
            prop_assert!(out.len() <= MAX_SAMPLES);
        }
    }

    #[test]
    fn a_bucket_of_a_histogram_takes_less_than_a_byte_a_sample() {
        let mut random = 7_u64;
        let mut counts = [0.0; 30];
        let mut samples = Samples::default();
        for scrape in 0..120 {
            for (bucket, count) in counts.iter_mut().enumerate() {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // Most requests lie in the middle.
                *count += (random % (16 - (bucket as u64).abs_diff(15))) as f64;
            }
            let positive =
                streamflow_histogram::Buckets { indices: (-20..10).collect(), counts: counts.to_vec() };
            let count = counts.iter().sum();
            let histogram =
                Histogram { schema: 3, count, sum: count * 0.3, positive, ..Histogram::default() };
            samples.push_histogram(1_700_000_000_000 + scrape * 15_000, Arc::new(histogram));
        }
        let bytes = encode(&samples).len();
        assert!(bytes < 120 * 30 * 3 / 4, "{bytes} bytes");
    }

    #[test]
    fn starts_that_stay_or_follow_the_samples_take_some_bytes_a_chunk() {
        let chunk = |start: &dyn Fn(i64) -> i64| {
            let mut samples = Samples::default();
            let mut time = 1_700_000_000_000;
            for i in 0..120 {
                let start = start(time);
                time += 15_000 + i % 3;
                samples.push_sample(Sample { timestamp: time, start, value: Value::Float(i as f64) });
            }
            encode(&samples).len()
        };
        let without = chunk(&|_| 0);
        assert!(chunk(&|_| 1_600_000_000_000) <= without + 12);
        assert!(chunk(&|before| before + 1) <= without + 64, "deltas");
    }

    #[test]
    fn sizes_of_usual_series() {
        let chunk = |value: &dyn Fn(i64) -> f64| {
            let timestamps: Vec<i64> = (0..120).map(|i| 1_700_000_000_000 + i * 15_000).collect();
            check(&Samples { values: (0..120).map(value).collect(), timestamps, ..Samples::default() })
        };
        assert!(chunk(&|_| 1.0) <= 16);
        assert!(chunk(&|i| i as f64) <= 16);
        assert!(chunk(&|i| (i * 37 + i * i % 5) as f64) <= 70);
        assert!(chunk(&|i| (i * 7 % 100) as f64 / 100.0) <= 150);
        assert!(chunk(&|_| f64::NAN) <= 35);
    }
}
