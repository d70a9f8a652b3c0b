//! Decoded samples, and the value that marks a series as gone.

use std::sync::Arc;

use streamflow_histogram::{Histogram, ResetHint, boxed, unboxed};

use crate::format;
use crate::intervals::Intervals;
use crate::value::Value;

/// A series stopped here: not a value. Kept to the bit; any other NaN is an ordinary value.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Tells whether this is [`STALE_NAN`], by its bits.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// When what it counts was nothing, in milliseconds since 1970; [`NO_START`] where that is not known.
    pub start: i64,
    /// What it holds.
    pub value: Value,
}

impl Sample {
    /// A sample of which no start is known.
    #[must_use]
    pub fn new(timestamp: i64, value: Value) -> Self {
        Self { timestamp, start: NO_START, value }
    }

    /// The format that a file with it has at least.
    pub(crate) fn format(&self) -> u8 {
        match self.value {
            _ if self.start != NO_START => format::STARTS,
            Value::Histogram(_) => format::HISTOGRAMS,
            Value::Float(_) => format::NUMBERS,
        }
    }
}

/// The start timestamp of a sample of which none is known, as Prometheus has it.
pub const NO_START: i64 = 0;

/// Samples of one series in columns: ascending timestamps in milliseconds since 1970, and their values.
///
/// A histogram stands in a list beside the columns; in the column of values is a NaN that says at which place, which
/// [`Samples::histogram`] follows. A series may have both numbers and histograms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Milliseconds since 1970, strictly ascending.
    pub timestamps: Vec<i64>,
    /// As many as timestamps: numbers, and places in the list of histograms.
    pub values: Vec<f64>,
    /// Histograms in the order of their samples, each named by one value.
    pub histograms: Vec<Arc<Histogram>>,
    /// Start timestamps: as many as timestamps, [`NO_START`] where none is known; empty where no sample has one.
    pub starts: Vec<i64>,
}

impl Samples {
    /// How many samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Takes all samples away, keeping the memory.
    pub fn clear(&mut self) {
        self.timestamps.clear();
        self.values.clear();
        self.histograms.clear();
        self.starts.clear();
    }

    /// One more number at the end.
    #[inline]
    pub fn push(&mut self, timestamp: i64, value: f64) {
        self.timestamps.push(timestamp);
        self.values.push(value);
        if !self.starts.is_empty() {
            self.starts.push(NO_START);
        }
    }

    /// One more histogram at the end.
    pub fn push_histogram(&mut self, timestamp: i64, histogram: Arc<Histogram>) {
        self.push(timestamp, boxed(self.histograms.len() as u32));
        self.histograms.push(histogram);
    }

    /// One more sample at the end.
    pub fn push_value(&mut self, timestamp: i64, value: Value) {
        match value {
            Value::Float(value) => self.push(timestamp, value),
            Value::Histogram(histogram) => self.push_histogram(timestamp, histogram),
        }
    }

    /// One more sample at the end, with its start.
    pub fn push_sample(&mut self, sample: Sample) {
        self.push_value(sample.timestamp, sample.value);
        if sample.start != NO_START {
            self.starts.resize(self.len(), NO_START);
            self.starts[self.timestamps.len() - 1] = sample.start;
        }
    }

    /// The start timestamp of the sample at a place; [`NO_START`] where none is known.
    #[inline]
    #[must_use]
    pub fn start(&self, place: usize) -> i64 {
        self.starts.get(place).copied().unwrap_or(NO_START)
    }

    /// Tells whether a start is known of any sample.
    #[must_use]
    pub fn has_starts(&self) -> bool {
        self.starts.iter().any(|start| *start != NO_START)
    }

    /// The samples in order, whole.
    pub fn samples(&self) -> impl Iterator<Item = Sample> + '_ {
        let whole = |(place, (timestamp, value))| Sample { timestamp, start: self.start(place), value };
        self.values().enumerate().map(whole)
    }

    /// The samples in order, with the values as they stand in the column.
    pub fn iter(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.timestamps.iter().copied().zip(self.values.iter().copied())
    }

    /// The histogram that a value of the column stands for; `None` for a number.
    #[inline]
    #[must_use]
    pub fn histogram(&self, value: f64) -> Option<&Arc<Histogram>> {
        unboxed(value).and_then(|place| self.histograms.get(place))
    }

    /// What a value of the column stands for.
    #[must_use]
    pub fn value(&self, value: f64) -> Value {
        self.histogram(value).map_or(Value::Float(value), |histogram| Value::Histogram(Arc::clone(histogram)))
    }

    /// The samples in order, with what they hold.
    pub fn values(&self) -> impl Iterator<Item = (i64, Value)> + '_ {
        self.iter().map(|(timestamp, value)| (timestamp, self.value(value)))
    }

    /// Those of a range of places.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        let mut part = Self {
            timestamps: self.timestamps[range.clone()].into(),
            values: self.values[range.clone()].into(),
            histograms: Vec::new(),
            starts: self.starts.get(range).unwrap_or_default().into(),
        };
        part.take_histograms(&self.histograms);
        part
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.timestamps.truncate(length);
        self.values.truncate(length);
        self.starts.truncate(length);
        self.settle();
    }

    /// As many starts as samples, where there are any.
    pub(crate) fn fill_starts(&mut self) {
        if !self.starts.is_empty() {
            self.starts.resize(self.timestamps.len(), NO_START);
        }
    }

    /// Leaves those from `min_ms` to `max_ms`, both inclusive.
    pub(crate) fn clip(&mut self, min_ms: i64, max_ms: i64) {
        let end = self.timestamps.partition_point(|t| *t <= max_ms);
        let start = self.timestamps[..end].partition_point(|t| *t < min_ms);
        if (start, end) == (0, self.len()) {
            return;
        }
        self.timestamps.truncate(end);
        self.values.truncate(end);
        self.timestamps.drain(..start);
        self.values.drain(..start);
        if !self.starts.is_empty() {
            self.starts.truncate(end);
            self.starts.drain(..start);
        }
        self.settle();
    }

    /// Takes away those behind the first `from` that were deleted.
    pub(crate) fn delete(&mut self, from: usize, deleted: &Intervals) {
        let (mut kept, mut is_behind_a_gap, mut behind_gaps) = (from, false, Vec::new());
        for at in from..self.len() {
            if deleted.contains(self.timestamps[at]) {
                is_behind_a_gap = true;
                continue;
            }
            if std::mem::take(&mut is_behind_a_gap) {
                behind_gaps.push(kept);
            }
            self.timestamps[kept] = self.timestamps[at];
            self.values[kept] = self.values[at];
            if !self.starts.is_empty() {
                self.starts[kept] = self.starts[at];
            }
            kept += 1;
        }
        if kept == self.len() {
            return;
        }
        self.timestamps.truncate(kept);
        self.values.truncate(kept);
        self.starts.truncate(kept);
        self.settle();
        behind_gaps.into_iter().for_each(|at| self.forget_reset(at));
    }

    /// Brings samples of overlapping sources into order; of equal timestamps the one that stands first stays.
    pub(crate) fn merge(&mut self) {
        let mut rows: Vec<(i64, f64, usize)> = self.iter().zip(0..).map(|((t, v), at)| (t, v, at)).collect();
        rows.sort_by_key(|(timestamp, ..)| *timestamp);
        rows.dedup_by_key(|(timestamp, ..)| *timestamp);
        self.timestamps.clear();
        self.timestamps.extend(rows.iter().map(|(timestamp, ..)| timestamp));
        self.values.clear();
        self.values.extend(rows.iter().map(|(_, value, _)| value));
        if !self.starts.is_empty() {
            self.starts = rows.iter().map(|(.., from)| self.starts[*from]).collect();
        }
        if self.histograms.is_empty() {
            return;
        }
        self.settle();
        // What was known of a reset was known of the sample before, which another one has come between.
        let mut expected = 0;
        for (at, (_, _, from)) in rows.iter().enumerate() {
            if *from != expected {
                self.forget_reset(at);
            }
            expected = from + 1;
        }
    }

    /// Nothing is known of a counter reset before the sample at this place.
    pub(crate) fn forget_reset(&mut self, at: usize) {
        let Some(histogram) = unboxed(self.values[at]).and_then(|place| self.histograms.get_mut(place))
        else {
            return;
        };
        if matches!(histogram.reset, ResetHint::Reset | ResetHint::NoReset) {
            Arc::make_mut(histogram).reset = ResetHint::Unknown;
        }
    }

    /// Leaves the histograms that values name, in their order.
    fn settle(&mut self) {
        if !self.histograms.is_empty() {
            let all = std::mem::take(&mut self.histograms);
            self.take_histograms(&all);
        }
    }

    /// Takes from a list the histograms that values name by their places there.
    fn take_histograms(&mut self, all: &[Arc<Histogram>]) {
        if all.is_empty() {
            return;
        }
        for value in &mut self.values {
            if let Some(histogram) = unboxed(*value).and_then(|place| all.get(place)) {
                *value = boxed(self.histograms.len() as u32);
                self.histograms.push(Arc::clone(histogram));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number at even times, a histogram of as many observations at odd ones.
    fn samples(times: &[i64]) -> Samples {
        let mut samples = Samples::default();
        for t in times {
            samples.push_value(*t, value(*t, ResetHint::NoReset));
        }
        samples
    }

    fn value(t: i64, reset: ResetHint) -> Value {
        match t % 2 {
            0 => Value::Float(t as f64),
            _ => Value::Histogram(Arc::new(Histogram { count: t as f64, reset, ..Histogram::default() })),
        }
    }

    fn check(samples: &Samples, expected: &[i64]) {
        let found: Vec<(i64, f64)> = samples
            .values()
            .map(|(t, value)| match value {
                Value::Float(value) => (t, value),
                Value::Histogram(histogram) => (t, histogram.count),
            })
            .collect();
        assert_eq!(found, expected.iter().map(|t| (*t, *t as f64)).collect::<Vec<_>>());
        assert_eq!(samples.histograms.len(), expected.iter().filter(|t| *t % 2 == 1).count());
        let places: Vec<usize> = samples.values.iter().filter_map(|value| unboxed(*value)).collect();
        assert_eq!(places, (0..samples.histograms.len()).collect::<Vec<_>>());
    }

    #[test]
    fn starts_stay_with_their_samples() {
        let mut all = samples(&[1, 2]);
        assert!(all.starts.is_empty(), "they cost nothing where there are none");
        for t in [3, 5, 6, 7] {
            let start = if t == 6 { NO_START } else { -t };
            all.push_sample(Sample { timestamp: t, start, value: value(t, ResetHint::Unknown) });
        }
        all.push(8, 8.0);
        let check = |samples: &Samples, expected: &[i64]| {
            assert_eq!(samples.starts, expected);
            assert_eq!(samples.samples().map(|sample| sample.start).collect::<Vec<_>>(), expected);
        };
        check(&all, &[0, 0, -3, -5, 0, -7, 0]);
        check(&all.part(2..4), &[-3, -5]);
        let mut clipped = all.clone();
        clipped.clip(2, 7);
        check(&clipped, &[0, -3, -5, 0, -7]);
        let mut left = all.clone();
        left.delete(1, &Intervals::default().with(3, 4));
        check(&left, &[0, 0, -5, 0, -7, 0]);
        all.push_sample(Sample { timestamp: 4, start: -4, value: Value::Float(4.0) });
        all.merge();
        check(&all, &[0, 0, -3, -4, -5, 0, -7, 0]);
        all.clip(1, 2);
        assert!(!all.has_starts());
    }

    #[test]
    fn columns_and_histograms_stay_together() {
        let all = samples(&[1, 2, 3, 5, 6, 7]);
        check(&all, &[1, 2, 3, 5, 6, 7]);
        check(&all.part(2..4), &[3, 5]);
        let mut clipped = all.clone();
        clipped.clip(2, 6);
        check(&clipped, &[2, 3, 5, 6]);
        clipped.truncate(3);
        check(&clipped, &[2, 3, 5]);
        clipped.clip(8, 9);
        check(&clipped, &[]);
    }

    #[test]
    fn what_is_deleted_takes_its_histograms_along_and_what_was_known_of_the_next() {
        let mut left = samples(&[1, 2, 3, 5, 7, 9]);
        left.delete(1, &Intervals::default().with(2, 5));
        check(&left, &[1, 7, 9]);
        let resets: Vec<ResetHint> = left.histograms.iter().map(|histogram| histogram.reset).collect();
        assert_eq!(resets, [ResetHint::NoReset, ResetHint::Unknown, ResetHint::NoReset]);
    }

    #[test]
    fn a_sample_that_comes_between_makes_resets_unknown() {
        let mut both = samples(&[1, 3, 5, 7]);
        // As the part of another source that stands behind it.
        both.push_value(3, value(9, ResetHint::NoReset));
        both.push_value(4, value(4, ResetHint::NoReset));
        both.merge();
        check(&both, &[1, 3, 4, 5, 7]);
        let resets: Vec<ResetHint> = both.histograms.iter().map(|histogram| histogram.reset).collect();
        let (unknown, known) = (ResetHint::Unknown, ResetHint::NoReset);
        assert_eq!(resets, [known, known, unknown, known]);
    }
}
