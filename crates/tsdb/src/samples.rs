//! Decoded samples, and the value that marks a series as gone.

use std::sync::Arc;

use streamflow_histogram::{Histogram, ResetHint, boxed, unboxed};

use crate::intervals::Intervals;
use crate::value::Value;

/// A series stopped here: not a value. Kept to the bit; any other NaN is an ordinary value.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Tells whether this is [`STALE_NAN`], by its bits.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

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
    }

    /// One more number at the end.
    pub fn push(&mut self, timestamp: i64, value: f64) {
        self.timestamps.push(timestamp);
        self.values.push(value);
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
            values: self.values[range].into(),
            histograms: Vec::new(),
        };
        part.take_histograms(&self.histograms);
        part
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.timestamps.truncate(length);
        self.values.truncate(length);
        self.settle();
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
            kept += 1;
        }
        if kept == self.len() {
            return;
        }
        self.timestamps.truncate(kept);
        self.values.truncate(kept);
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
