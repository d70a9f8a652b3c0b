//! Payloads of the write-ahead log: batches, and the series of a checkpoint.

use std::sync::Arc;

use streamflow_histogram::plain;

use super::histogram;
use crate::chunk::Chunk;
use crate::labels::Labels;
use crate::samples::{NO_START, Samples};
use crate::value::Value;
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
const HISTOGRAM: u8 = 3;
/// its series is the one after the last sample's,
const NEXT_SERIES: u8 = 4;
/// its time is the last sample's,
const SAME_TIME: u8 = 8;
/// it lies behind newer samples of its series,
const BEHIND: u8 = 16;
/// it has a start timestamp,
const START: u8 = 32;
/// which is that of the last sample that had one.
const SAME_START: u8 = 64;
/// Bit of a saved series: some of its samples that are in no chunk are histograms, which stand at its end,
const SAVED_HISTOGRAMS: u8 = 4;
/// or have start timestamps, which stand behind those.
const SAVED_STARTS: u8 = 8;

/// A sample as the log has it.
#[derive(Debug, Clone)]
pub(crate) struct Logged<V = Value> {
    pub(crate) id: u64,
    pub(crate) timestamp: i64,
    pub(crate) start: i64,
    pub(crate) value: V,
    pub(crate) behind: bool,
}

/// A series in a checkpoint: all that the head had of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SavedSeries {
    pub(crate) id: u64,
    pub(crate) labels: Labels,
    pub(crate) newest: Option<(i64, Value)>,
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
    (count, samples): (usize, impl Iterator<Item = Logged<&'a Value>>),
) {
    into.push(BATCH);
    varint::write(into, series.len() as u64);
    for (id, labels) in series {
        write_series(into, *id, labels);
    }
    varint::write(into, count as u64);
    let (mut id, mut time, mut start) = (0_u64, 0_i64, NO_START);
    for sample in samples {
        let form = form(sample.value);
        let next = sample.id == id.wrapping_add(1);
        let same = sample.timestamp == time;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = form | flag(next, NEXT_SERIES) | flag(same, SAME_TIME) | flag(sample.behind, BEHIND);
        let started = sample.start != NO_START;
        let same_start = started && sample.start == start;
        into.push(flags | flag(started, START) | flag(same_start, SAME_START));
        if !next {
            varint::write_signed(into, sample.id.wrapping_sub(id) as i64);
        }
        if !same {
            varint::write_signed(into, sample.timestamp.wrapping_sub(time));
        }
        if started && !same_start {
            varint::write_signed(into, sample.start.wrapping_sub(start));
            start = sample.start;
        }
        match sample.value {
            Value::Float(value) if form == RAW => into.extend_from_slice(&value.to_le_bytes()),
            Value::Float(value) if form == INTEGER => varint::write_signed(into, *value as i64),
            Value::Float(_) => {}
            Value::Histogram(value) => histogram::write(into, value),
        }
        (id, time) = (sample.id, sample.timestamp);
    }
}

/// How a value is written.
fn form(value: &Value) -> u8 {
    let Value::Float(value) = value else { return HISTOGRAM };
    let integer = *value as i64;
    match () {
        () if value.to_bits() == 0 => ZERO,
        () if integer.unsigned_abs() < 1 << 48 && (integer as f64).to_bits() == value.to_bits() => INTEGER,
        () => RAW,
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
    let (mut id, mut timestamp, mut last_start) = (0_u64, 0_i64, NO_START);
    for _ in 0..count {
        let flags = from.byte()?;
        let step = if flags & NEXT_SERIES != 0 { 1 } else { from.signed()? };
        id = id.wrapping_add(step as u64);
        if flags & SAME_TIME == 0 {
            timestamp = timestamp.wrapping_add(from.signed()?);
        }
        let start = match (flags & START != 0, flags & SAME_START != 0) {
            (false, _) => NO_START,
            (true, same) => {
                last_start = if same { last_start } else { last_start.wrapping_add(from.signed()?) };
                last_start
            }
        };
        let value = match flags & 3 {
            RAW => Value::Float(plain(f64::from_bits(from.u64()?))),
            INTEGER => Value::Float(from.signed()? as f64),
            ZERO => Value::Float(0.0),
            _ => Value::Histogram(Arc::new(histogram::read(from)?)),
        };
        samples.push(Logged { id, timestamp, start, value, behind: flags & BEHIND != 0 });
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
    // The samples that are in no chunk: what is newest, and those behind newer ones.
    let mut apart = Samples::default();
    series.newest.iter().for_each(|(timestamp, value)| apart.push_value(*timestamp, value.clone()));
    series.behind.samples().for_each(|sample| apart.push_sample(sample));
    let histograms = if apart.histograms.is_empty() { 0 } else { SAVED_HISTOGRAMS };
    let starts = if series.behind.has_starts() { SAVED_STARTS } else { 0 };
    into.push(u8::from(series.newest.is_some()) | u8::from(series.open) << 1 | histograms | starts);
    let mut samples = apart.iter();
    let put = |into: &mut Vec<u8>, (timestamp, value): (i64, f64)| {
        varint::write_signed(into, timestamp);
        into.extend_from_slice(&value.to_le_bytes());
    };
    if series.newest.is_some() {
        samples.by_ref().take(1).for_each(|newest| put(into, newest));
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
    samples.for_each(|sample| put(into, sample));
    if histograms != 0 {
        varint::write(into, apart.histograms.len() as u64);
        apart.histograms.iter().for_each(|value| histogram::write(into, value));
    }
    if starts != 0 {
        series.behind.starts.iter().for_each(|start| varint::write_signed(into, *start));
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
    let mut apart = Samples::default();
    if flags & 1 != 0 {
        apart.push(from.signed()?, f64::from_bits(from.u64()?));
    }
    let count = from.count()?;
    let mut chunks = Vec::with_capacity(count);
    for _ in 0..count {
        let (min_time, max_time) = (from.signed()?, from.signed()?);
        let count = u32::try_from(from.unsigned()?).ok()?;
        let length = from.count()?;
        chunks.push(Chunk { min_time, max_time, count, bytes: from.bytes(length)?.into() });
    }
    for _ in 0..from.count()? {
        apart.push(from.signed()?, f64::from_bits(from.u64()?));
    }
    if flags & SAVED_HISTOGRAMS != 0 {
        for _ in 0..from.count()? {
            apart.histograms.push(Arc::new(histogram::read(from)?));
        }
    }
    let mut samples = apart.values().map(|(timestamp, value)| (timestamp, ordinary(value)));
    let newest = if flags & 1 == 0 { None } else { samples.next() };
    let mut behind = Samples::default();
    samples.for_each(|(timestamp, value)| behind.push_value(timestamp, value));
    if flags & SAVED_STARTS != 0 {
        behind.starts = behind.timestamps.iter().map(|_| from.signed()).collect::<Option<_>>()?;
    }
    Some(SavedSeries { id, labels, newest, chunks, open: flags & 2 != 0, behind })
}

/// A number that names no histogram that is there is an ordinary NaN.
fn ordinary(value: Value) -> Value {
    match value {
        Value::Float(value) => Value::float(value),
        histogram => histogram,
    }
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
    use crate::samples::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_come_back(samples in proptest::collection::vec(
            (any::<u64>(), any::<i64>(), crate::arbitrary::value(), any::<bool>(),
             prop_oneof![Just(NO_START), 5_i64..7, any::<i64>()]), 0..50)) {
            let logged: Vec<Logged> = samples.iter()
                .map(|(id, timestamp, value, behind, start)| Logged { id: *id, timestamp: *timestamp, start: *start,
                    value: value.clone(), behind: *behind }).collect();
            let labels = Labels::new([("a", "b")]);
            let mut bytes = Vec::new();
            write_batch(&mut bytes, &[(7, &labels)], (logged.len(), logged.iter().map(|Logged { id, timestamp, start, value, behind }|
                Logged { id: *id, timestamp: *timestamp, start: *start, value, behind: *behind })));
            let Some(Record::Batch { series, samples: back }) = read(&bytes) else { panic!("no batch") };
            prop_assert_eq!(series, vec![(7, labels)]);
            prop_assert_eq!(back.len(), samples.len());
            for (back, (id, timestamp, value, behind, start)) in back.iter().zip(&samples) {
                prop_assert_eq!((back.id, back.timestamp, back.behind, back.start), (*id, *timestamp, *behind, *start));
                prop_assert!(back.value.is_same(value));
            }
        }

        #[test]
        fn saved_series_come_back(newest in crate::arbitrary::value(),
            behind in proptest::collection::vec((crate::arbitrary::value(), -1_i64..2), 0..9)) {
            let mut saved = SavedSeries { id: 3, newest: Some((7, newest)), ..SavedSeries::default() };
            for ((value, start), timestamp) in behind.into_iter().zip(0..) {
                saved.behind.push_sample(Sample { timestamp, start, value });
            }
            let mut bytes = Vec::new();
            write_checkpoint_series(&mut bytes, &saved);
            let Some(Record::CheckpointSeries(back)) = read(&bytes) else { panic!("no series") };
            let starts = |saved: &SavedSeries| saved.behind.samples().map(|sample| sample.start).collect::<Vec<_>>();
            prop_assert_eq!(starts(&back), starts(&saved));
            let all = |saved: &SavedSeries| saved.newest.clone().into_iter().chain(saved.behind.values()).collect::<Vec<_>>();
            prop_assert_eq!(all(&back).len(), all(&saved).len());
            for ((t, value), (back_t, back)) in all(&saved).into_iter().zip(all(&back)) {
                prop_assert!(t == back_t && back.is_same(&value));
            }
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
