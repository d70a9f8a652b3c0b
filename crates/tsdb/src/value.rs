//! What a sample holds: a number, or a whole distribution.

use std::fmt;
use std::sync::Arc;

use streamflow_histogram::{Buckets, Histogram, ResetHint, plain};

use crate::samples::{STALE_NAN, is_stale};

/// What a sample holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Float(f64),
    /// A distribution.
    Histogram(Arc<Histogram>),
}

impl Value {
    /// A number from outside.
    pub(crate) fn float(value: f64) -> Self {
        Self::Float(plain(value))
    }

    /// A valid histogram as it is stored: without empty buckets, and without its sender's word that there was no reset,
    /// which the sample that is before it here decides. One that says that its series ended is the marker of that for
    /// every series, so that a reader has one thing to look for.
    pub(crate) fn histogram(mut histogram: Arc<Histogram>) -> Self {
        if is_stale(histogram.sum) {
            return Self::Float(STALE_NAN);
        }
        let has_empty = |buckets: &Buckets| buckets.counts.contains(&0.0);
        if has_empty(&histogram.positive) || has_empty(&histogram.negative) {
            histogram = Arc::new(Arc::unwrap_or_clone(histogram).compacted());
        }
        if histogram.reset == ResetHint::NoReset {
            Arc::make_mut(&mut histogram).reset = ResetHint::Unknown;
        }
        Self::Histogram(histogram)
    }

    /// Tells whether both are the same to the bit; of a counter reset before it a histogram tells by itself, and what
    /// its sender thinks of it makes no difference.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Histogram(a), Self::Histogram(b)) => Arc::ptr_eq(a, b) || is_same(a, b),
            _ => false,
        }
    }

    /// Bytes that it takes beside those of its number.
    pub(crate) fn bytes_beside(&self) -> usize {
        match self {
            Self::Float(_) => 0,
            Self::Histogram(histogram) => bytes(histogram),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(value) => write!(f, "{value}"),
            Self::Histogram(histogram) => {
                write!(f, "a histogram of {} observations with the sum {}", histogram.count, histogram.sum)
            }
        }
    }
}

/// Bytes of a histogram in memory.
pub(crate) fn bytes(histogram: &Histogram) -> usize {
    let buckets = histogram.positive.indices.len() + histogram.negative.indices.len();
    size_of::<Histogram>() + 12 * buckets + 8 * histogram.custom_bounds.len()
}

fn is_same(a: &Histogram, b: &Histogram) -> bool {
    let is_gauge = |h: &Histogram| h.reset == ResetHint::Gauge;
    is_gauge(a) == is_gauge(b) && a.same(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        let positive = Buckets { indices: vec![0, 1, 5], counts: vec![1.0, 0.0, 2.0] };
        Histogram { count: 3.0, sum: f64::NAN, positive, ..Histogram::default() }
    }

    #[test]
    fn empty_buckets_are_left_out_and_the_end_of_a_series_is_one_number() {
        let Value::Histogram(kept) = Value::histogram(Arc::new(histogram())) else { panic!("a number") };
        assert_eq!(kept.positive, Buckets { indices: vec![0, 5], counts: vec![1.0, 2.0] });
        let ended = Value::histogram(Arc::new(Histogram { sum: STALE_NAN, ..histogram() }));
        assert!(ended.is_same(&Value::Float(STALE_NAN)));
    }

    #[test]
    fn same_is_to_the_bit_but_for_what_is_thought_of_resets() {
        let value = |change: fn(&mut Histogram)| {
            let mut histogram = histogram();
            change(&mut histogram);
            Value::histogram(Arc::new(histogram))
        };
        let first = value(|_| ());
        assert!(first.is_same(&value(|h| h.reset = ResetHint::Reset)));
        for other in [
            value(|h| h.reset = ResetHint::Gauge),
            value(|h| h.sum = -f64::NAN),
            value(|h| h.count = 4.0),
            value(|h| h.positive.counts[0] = 2.0),
            value(|h| h.schema = 1),
            Value::Float(f64::NAN),
        ] {
            assert!(!first.is_same(&other), "{other}");
        }
    }
}
