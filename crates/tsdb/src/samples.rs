//! Decoded samples, and the value that marks a series as gone.

use crate::intervals::Intervals;

/// A series stopped here: not a value. Kept to the bit; any other NaN is an ordinary value.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Tells whether this is [`STALE_NAN`], by its bits.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// Samples of one series in columns: ascending timestamps in milliseconds since 1970, and their values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Milliseconds since 1970, strictly ascending.
    pub timestamps: Vec<i64>,
    /// As many as timestamps.
    pub values: Vec<f64>,
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
    }

    /// One more sample at the end.
    pub fn push(&mut self, timestamp: i64, value: f64) {
        self.timestamps.push(timestamp);
        self.values.push(value);
    }

    /// The samples in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.timestamps.iter().copied().zip(self.values.iter().copied())
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.timestamps.truncate(length);
        self.values.truncate(length);
    }

    /// Leaves those from `min_ms` to `max_ms`, both inclusive.
    pub(crate) fn clip(&mut self, min_ms: i64, max_ms: i64) {
        let end = self.timestamps.partition_point(|t| *t <= max_ms);
        self.truncate(end);
        let start = self.timestamps.partition_point(|t| *t < min_ms);
        if start > 0 {
            self.timestamps.drain(..start);
            self.values.drain(..start);
        }
    }

    /// Takes away those behind the first `from` that were deleted.
    pub(crate) fn delete(&mut self, from: usize, deleted: &Intervals) {
        let mut kept = from;
        for at in from..self.len() {
            if !deleted.contains(self.timestamps[at]) {
                self.timestamps.swap(kept, at);
                self.values.swap(kept, at);
                kept += 1;
            }
        }
        self.truncate(kept);
    }

    /// Brings samples of overlapping sources into order; of equal timestamps the one that stands first stays.
    pub(crate) fn merge(&mut self) {
        let mut pairs: Vec<(i64, f64)> = self.iter().collect();
        pairs.sort_by_key(|(timestamp, _)| *timestamp);
        pairs.dedup_by_key(|(timestamp, _)| *timestamp);
        self.clear();
        self.timestamps.extend(pairs.iter().map(|(timestamp, _)| timestamp));
        self.values.extend(pairs.iter().map(|(_, value)| value));
    }
}
