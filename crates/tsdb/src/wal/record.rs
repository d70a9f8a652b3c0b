//! Payloads of the write-ahead log: batches, and the series of a checkpoint.

use crate::chunk::Chunk;
use crate::labels::Labels;
use crate::samples::Samples;
use crate::varint::{self, Reader};

const BATCH: u8 = 1;
const CHECKPOINT_HEAD: u8 = 2;
const CHECKPOINT_SERIES: u8 = 3;
const CHECKPOINT_END: u8 = 4;
const DELETION: u8 = 5;

// Bits of a sample's first byte: how its value is written,
const RAW: u8 = 0;
const INTEGER: u8 = 1;
const ZERO: u8 = 2;
/// its series is the one after the last sample's,
const NEXT_SERIES: u8 = 4;
/// its time is the last sample's,
const SAME_TIME: u8 = 8;
/// it lies behind newer samples of its series.
const BEHIND: u8 = 16;

/// A sample as the log has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logged {
    pub(crate) id: u64,
    pub(crate) timestamp: i64,
    pub(crate) value: f64,
    pub(crate) behind: bool,
}

/// A series in a checkpoint: all that the head had of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SavedSeries {
    pub(crate) id: u64,
    pub(crate) labels: Labels,
    pub(crate) newest: Option<(i64, f64)>,
    pub(crate) chunks: Vec<Chunk>,
    /// True if the last chunk was still growing.
    pub(crate) open: bool,
    pub(crate) behind: Samples,
}

/// A payload.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    Batch {
        series: Vec<(u64, Labels)>,
        samples: Vec<Logged>,
    },
    CheckpointHead {
        boundary: i64,
        next_id: u64,
    },
    CheckpointSeries(SavedSeries),
    CheckpointEnd {
        series: u64,
    },
    /// Samples from `min` to `max` of the series of these numbers were deleted.
    Deletion {
        min: i64,
        max: i64,
        series: Vec<u64>,
    },
}

pub(crate) fn write_batch<'a>(
    into: &mut Vec<u8>,
    series: &[(u64, &'a Labels)],
    samples: impl ExactSizeIterator<Item = Logged> + 'a,
) {
    into.push(BATCH);
    varint::write(into, series.len() as u64);
    for (id, labels) in series {
        write_series(into, *id, labels);
    }
    varint::write(into, samples.len() as u64);
    let (mut id, mut time) = (0_u64, 0_i64);
    for sample in samples {
        let integer = sample.value as i64;
        let value = match () {
            () if sample.value.to_bits() == 0 => ZERO,
            () if integer.unsigned_abs() < 1 << 48
                && (integer as f64).to_bits() == sample.value.to_bits() =>
            {
                INTEGER
            }
            () => RAW,
        };
        let next = sample.id == id.wrapping_add(1);
        let same = sample.timestamp == time;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        into.push(value | flag(next, NEXT_SERIES) | flag(same, SAME_TIME) | flag(sample.behind, BEHIND));
        if !next {
            varint::write_signed(into, sample.id.wrapping_sub(id) as i64);
        }
        if !same {
            varint::write_signed(into, sample.timestamp.wrapping_sub(time));
        }
        match value {
            RAW => into.extend_from_slice(&sample.value.to_le_bytes()),
            INTEGER => varint::write_signed(into, integer),
            _ => {}
        }
        (id, time) = (sample.id, sample.timestamp);
    }
}

fn write_series(into: &mut Vec<u8>, id: u64, labels: &Labels) {
    varint::write(into, id);
    varint::write(into, labels.len() as u64);
    for (name, value) in labels {
        varint::write_text(into, name);
        varint::write_text(into, value);
    }
}

fn read_series(from: &mut Reader<'_>) -> Option<(u64, Labels)> {
    let id = from.unsigned()?;
    let count = from.count()?;
    let mut pairs = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        pairs.push((from.text()?, from.text()?));
    }
    Some((id, Labels::new(pairs)))
}

fn read_samples(from: &mut Reader<'_>) -> Option<Vec<Logged>> {
    let count = from.count()?;
    let mut samples = Vec::with_capacity(count);
    let (mut id, mut timestamp) = (0_u64, 0_i64);
    for _ in 0..count {
        let flags = from.byte()?;
        let step = if flags & NEXT_SERIES != 0 { 1 } else { from.signed()? };
        id = id.wrapping_add(step as u64);
        if flags & SAME_TIME == 0 {
            timestamp = timestamp.wrapping_add(from.signed()?);
        }
        let value = match flags & 3 {
            RAW => f64::from_bits(from.u64()?),
            INTEGER => from.signed()? as f64,
            ZERO => 0.0,
            _ => return None,
        };
        samples.push(Logged { id, timestamp, value, behind: flags & BEHIND != 0 });
    }
    Some(samples)
}

pub(crate) fn write_checkpoint_head(into: &mut Vec<u8>, boundary: i64, next_id: u64) {
    into.push(CHECKPOINT_HEAD);
    varint::write_signed(into, boundary);
    varint::write(into, next_id);
}

pub(crate) fn write_checkpoint_end(into: &mut Vec<u8>, series: u64) {
    into.push(CHECKPOINT_END);
    varint::write(into, series);
}

pub(crate) fn write_checkpoint_series(into: &mut Vec<u8>, series: &SavedSeries) {
    into.push(CHECKPOINT_SERIES);
    write_series(into, series.id, &series.labels);
    into.push(u8::from(series.newest.is_some()) | u8::from(series.open) << 1);
    if let Some((timestamp, value)) = series.newest {
        varint::write_signed(into, timestamp);
        into.extend_from_slice(&value.to_le_bytes());
    }
    varint::write(into, series.chunks.len() as u64);
    for chunk in &series.chunks {
        varint::write_signed(into, chunk.min_time);
        varint::write_signed(into, chunk.max_time);
        varint::write(into, u64::from(chunk.count));
        varint::write(into, chunk.bytes.len() as u64);
        into.extend_from_slice(&chunk.bytes);
    }
    varint::write(into, series.behind.len() as u64);
    for (timestamp, value) in series.behind.iter() {
        varint::write_signed(into, timestamp);
        into.extend_from_slice(&value.to_le_bytes());
    }
}

pub(crate) fn write_deletion(into: &mut Vec<u8>, min: i64, max: i64, series: &[u64]) {
    into.push(DELETION);
    varint::write_signed(into, min);
    varint::write_signed(into, max);
    write_numbers(into, series);
}

/// Ascending numbers: how many, then the differences.
pub(crate) fn write_numbers(into: &mut Vec<u8>, numbers: &[u64]) {
    varint::write(into, numbers.len() as u64);
    let mut last = 0;
    for number in numbers {
        varint::write(into, number.wrapping_sub(last));
        last = *number;
    }
}

pub(crate) fn read_numbers(from: &mut Reader<'_>) -> Option<Vec<u64>> {
    let count = from.count()?;
    let mut numbers = Vec::with_capacity(count);
    let mut last = 0_u64;
    for _ in 0..count {
        last = last.wrapping_add(from.unsigned()?);
        numbers.push(last);
    }
    Some(numbers)
}

fn read_checkpoint_series(from: &mut Reader<'_>) -> Option<SavedSeries> {
    let (id, labels) = read_series(from)?;
    let flags = from.byte()?;
    let newest = if flags & 1 == 0 { None } else { Some((from.signed()?, f64::from_bits(from.u64()?))) };
    let count = from.count()?;
    let mut chunks = Vec::with_capacity(count);
    for _ in 0..count {
        let (min_time, max_time) = (from.signed()?, from.signed()?);
        let count = u32::try_from(from.unsigned()?).ok()?;
        let length = from.count()?;
        chunks.push(Chunk { min_time, max_time, count, bytes: from.bytes(length)?.into() });
    }
    let mut behind = Samples::default();
    for _ in 0..from.count()? {
        behind.push(from.signed()?, f64::from_bits(from.u64()?));
    }
    Some(SavedSeries { id, labels, newest, chunks, open: flags & 2 != 0, behind })
}

/// `None` when the payload is none of the above.
pub(crate) fn read(payload: &[u8]) -> Option<Record> {
    let mut from = Reader::new(payload);
    let record = match from.byte()? {
        BATCH => {
            let count = from.count()?;
            let mut series = Vec::with_capacity(count.min(1 << 16));
            for _ in 0..count {
                series.push(read_series(&mut from)?);
            }
            Record::Batch { series, samples: read_samples(&mut from)? }
        }
        CHECKPOINT_HEAD => Record::CheckpointHead { boundary: from.signed()?, next_id: from.unsigned()? },
        CHECKPOINT_SERIES => Record::CheckpointSeries(read_checkpoint_series(&mut from)?),
        DELETION => {
            let (min, max) = (from.signed()?, from.signed()?);
            Record::Deletion { min, max, series: read_numbers(&mut from)? }
        }
        CHECKPOINT_END => Record::CheckpointEnd { series: from.unsigned()? },
        _ => return None,
    };
    from.rest.is_empty().then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_come_back(samples in proptest::collection::vec(
            (any::<u64>(), any::<i64>(), prop_oneof![any::<u64>(), (-9_i64..9).prop_map(|n| (n as f64).to_bits())],
             any::<bool>()), 0..50)) {
            let logged: Vec<Logged> = samples.iter()
                .map(|(id, timestamp, bits, behind)| Logged { id: *id, timestamp: *timestamp,
                    value: f64::from_bits(*bits), behind: *behind }).collect();
            let labels = Labels::new([("a", "b")]);
            let mut bytes = Vec::new();
            write_batch(&mut bytes, &[(7, &labels)], logged.iter().copied());
            let Some(Record::Batch { series, samples: back }) = read(&bytes) else { panic!("no batch") };
            prop_assert_eq!(series, vec![(7, labels)]);
            let back: Vec<_> = back.iter().map(|s| (s.id, s.timestamp, s.value.to_bits(), s.behind)).collect();
            prop_assert_eq!(back, samples);
        }

        #[test]
        fn deletions_come_back(min in any::<i64>(), max in any::<i64>(),
                               ids in proptest::collection::btree_set(any::<u64>(), 0..20)) {
            let ids: Vec<u64> = ids.into_iter().collect();
            let mut bytes = Vec::new();
            write_deletion(&mut bytes, min, max, &ids);
            let Some(Record::Deletion { min: from, max: to, series }) = read(&bytes) else { panic!("no deletion") };
            prop_assert_eq!((from, to, series), (min, max, ids));
        }

        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            read(&bytes);
        }
    }
}
