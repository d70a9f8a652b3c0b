//! A native histogram as both versions of remote write have it.

use prost::Message;
use streamflow_histogram::{CUSTOM_BOUNDS, Histogram, ResetHint};

use crate::error::Error;
use crate::native::{BucketSpan, Integers, buckets, checked, deltas, is_of_integers, spans};

/// A native histogram at a time. Its counts are integers, with buckets as differences, or floats.
#[derive(Clone, PartialEq, Message)]
pub struct NativeHistogram {
    /// All observations; of a histogram of integers.
    #[prost(uint64, optional, tag = "1")]
    pub count_int: Option<u64>,
    /// All observations; of a histogram of floats.
    #[prost(double, optional, tag = "2")]
    pub count_float: Option<f64>,
    /// Their sum. All bits count: a stale marker is a NaN of its own.
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// -4 to 8, or -53 for custom bounds.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    /// Observations at most this far from zero are in the zero bucket.
    #[prost(double, tag = "5")]
    pub zero_threshold: f64,
    /// Those in the zero bucket; of a histogram of integers.
    #[prost(uint64, optional, tag = "6")]
    pub zero_count_int: Option<u64>,
    /// Those in the zero bucket; of a histogram of floats.
    #[prost(double, optional, tag = "7")]
    pub zero_count_float: Option<f64>,
    /// Which buckets there are below zero.
    #[prost(message, repeated, tag = "8")]
    pub negative_spans: Vec<BucketSpan>,
    /// Their counts, each less the one before; of a histogram of integers.
    #[prost(sint64, repeated, tag = "9")]
    pub negative_deltas: Vec<i64>,
    /// Their counts; of a histogram of floats.
    #[prost(double, repeated, tag = "10")]
    pub negative_counts: Vec<f64>,
    /// Which buckets there are above zero.
    #[prost(message, repeated, tag = "11")]
    pub positive_spans: Vec<BucketSpan>,
    /// As of the others.
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: Vec<i64>,
    /// As of the others.
    #[prost(double, repeated, tag = "13")]
    pub positive_counts: Vec<f64>,
    /// What is known of a counter reset before it: 0 nothing, 1 there was one, 2 there was none, 3 it is no counter.
    #[prost(int32, tag = "14")]
    pub reset_hint: i32,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
    /// Upper bounds of the buckets, with custom bounds.
    #[prost(double, repeated, tag = "16")]
    pub custom_values: Vec<f64>,
    /// When the histogram began, milliseconds since 1970; 0 where that is not known, and always in version 1.
    #[prost(int64, tag = "17")]
    pub start_timestamp: i64,
}

impl NativeHistogram {
    /// The histogram that the message holds.
    ///
    /// # Errors
    /// Spans, counts, bounds or a schema that no histogram has.
    pub fn read(&self) -> Result<Histogram, Error> {
        let integers = self.count_float.is_none().then(|| Integers {
            count: self.count_int.unwrap_or(0),
            zero_count: self.zero_count_int.unwrap_or(0),
            deltas: [&self.positive_deltas, &self.negative_deltas],
        });
        let of = |side, spans, deltas, counts| {
            if integers.is_some() {
                buckets(side, spans, deltas, &[])
            } else {
                buckets(side, spans, &[], counts)
            }
        };
        let reset = match self.reset_hint {
            1 => ResetHint::Reset,
            2 => ResetHint::NoReset,
            3 => ResetHint::Gauge,
            _ => ResetHint::Unknown,
        };
        // What custom bounds replace is not looked at.
        let custom = self.schema == CUSTOM_BOUNDS;
        let whole_zero_count = self.zero_count_int.unwrap_or(0) as f64;
        let zero_count = match integers {
            Some(_) => whole_zero_count,
            None => self.zero_count_float.unwrap_or(whole_zero_count),
        };
        let histogram = Histogram {
            reset,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count,
            count: self.count_float.unwrap_or(self.count_int.unwrap_or(0) as f64),
            sum: self.sum,
            positive: of("positive", &self.positive_spans, &self.positive_deltas, &self.positive_counts)?,
            negative: of("negative", &self.negative_spans, &self.negative_deltas, &self.negative_counts)?,
            custom_bounds: if custom { self.custom_values.clone() } else { Vec::new() },
        };
        checked(histogram, integers)
    }

    /// The message of a histogram, of integers where all its counts are whole.
    #[must_use]
    pub fn of(histogram: &Histogram, timestamp: i64) -> Self {
        let (positive, negative) = (&histogram.positive, &histogram.negative);
        let message = Self {
            sum: histogram.sum,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            negative_spans: spans(negative),
            positive_spans: spans(positive),
            reset_hint: match histogram.reset {
                ResetHint::Unknown => 0,
                ResetHint::Reset => 1,
                ResetHint::NoReset => 2,
                ResetHint::Gauge => 3,
            },
            timestamp,
            custom_values: histogram.custom_bounds.clone(),
            ..Self::default()
        };
        if is_of_integers(histogram) {
            return Self {
                count_int: Some(histogram.count as u64),
                zero_count_int: Some(histogram.zero_count as u64),
                negative_deltas: deltas(&negative.counts),
                positive_deltas: deltas(&positive.counts),
                ..message
            };
        }
        Self {
            count_float: Some(histogram.count),
            zero_count_float: Some(histogram.zero_count),
            negative_counts: negative.counts.clone(),
            positive_counts: positive.counts.clone(),
            ..message
        }
    }
}

#[cfg(test)]
mod tests {
    use streamflow_histogram::Buckets;

    use super::*;

    fn histogram() -> Histogram {
        Histogram {
            reset: ResetHint::Gauge,
            schema: 2,
            zero_threshold: 0.5,
            zero_count: 1.0,
            count: 12.0,
            sum: -3.5,
            positive: Buckets { indices: vec![-3, -2, 4], counts: vec![1.0, 2.0, 3.0] },
            negative: Buckets { indices: vec![0, 1], counts: vec![4.0, 1.0] },
            custom_bounds: Vec::new(),
        }
    }

    #[test]
    fn both_kinds_and_custom_bounds_come_back() {
        let mut floats = histogram();
        floats.positive.counts[1] = 2.5;
        let custom = Histogram {
            schema: streamflow_histogram::CUSTOM_BOUNDS,
            count: 3.0,
            positive: Buckets { indices: vec![0, 2], counts: vec![1.0, 2.0] },
            custom_bounds: vec![1.0, 2.0],
            ..Histogram::default()
        };
        // Whole numbers that a receiver of integers would refuse.
        let uncounted = Histogram { count: 20.0, ..histogram() };
        for (histogram, integers) in
            [(histogram(), true), (floats, false), (uncounted, false), (custom, true)]
        {
            let message = NativeHistogram::of(&histogram, 7);
            assert_eq!((message.count_int.is_some(), message.timestamp), (integers, 7));
            let bytes = message.encode_to_vec();
            assert_eq!(NativeHistogram::decode(&*bytes).unwrap().read().unwrap(), histogram);
        }
    }

    /// Written out by hand from `types.proto`.
    #[test]
    fn the_wire_format_is_prometheus_s() {
        let span = [0x08, 0x05, 0x10, 0x02];
        let mut bytes = vec![0x08, 3, 0x19];
        bytes.extend(1.5_f64.to_le_bytes());
        bytes.extend([0x20, 0x06]);
        bytes.extend([0x30, 0]);
        bytes.extend([0x5a, span.len() as u8]);
        bytes.extend(span);
        bytes.extend([0x62, 2, 0x02, 0x02]);
        bytes.extend([0x78, 9]);
        let message = NativeHistogram::decode(&*bytes).unwrap();
        let expected = Histogram {
            schema: 3,
            count: 3.0,
            sum: 1.5,
            positive: Buckets { indices: vec![-3, -2], counts: vec![1.0, 2.0] },
            ..Histogram::default()
        };
        assert_eq!((message.read().unwrap(), message.timestamp), (expected.clone(), 9));
        assert_eq!(NativeHistogram::of(&expected, 9).encode_to_vec(), bytes);
    }

    #[test]
    fn what_is_no_histogram_is_refused_by_name() {
        let check = |change: fn(&mut NativeHistogram), expected: &str| {
            let mut message = NativeHistogram::of(&histogram(), 1);
            change(&mut message);
            let error = message.read().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(|m| m.schema = 52, "schema 52, expected -4 to 8, or -53 for custom bounds");
        check(|m| m.zero_threshold = -1.0, "zero threshold -1");
        check(|m| m.count_float = Some(f64::NAN), "spans of 3 buckets and 0 counts");
        check(
            |m| (m.count_float, m.positive_spans, m.negative_spans) = (Some(f64::NAN), vec![], vec![]),
            "a count of NaN",
        );
        check(|m| m.positive_deltas[0] = -1, "a positive count of 0-1");
        check(|m| m.count_int = Some(11), "a count of 11, expected the 12 of its buckets");
        check(
            |m| {
                let large = 1 << 60;
                (m.positive_deltas, m.count_int) = (vec![large, 0, 0], Some(3 << 60));
            },
            "a count of 3458764513820540928, expected the 3458764513820540934 of its buckets",
        );
        check(|m| m.schema = -53, "negative buckets with custom bounds");
    }
}
