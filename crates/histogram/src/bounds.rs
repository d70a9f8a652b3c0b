//! Where buckets begin and end.

use crate::doubling::WITHIN_DOUBLING;
use crate::{Buckets, CUSTOM_BOUNDS, Histogram, MAX_SCHEMA};

/// A bucket with its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Where it begins; -∞ for the first of given bounds.
    pub lower: f64,
    /// Where it ends; +∞ for the last of given bounds.
    pub upper: f64,
    /// True if an observation of exactly `lower` is in it.
    pub lower_inclusive: bool,
    /// True if an observation of exactly `upper` is in it.
    pub upper_inclusive: bool,
    /// Observations in it.
    pub count: f64,
}

/// The upper end of bucket `index` on the positive side of an exponential schema. The bucket up to the largest finite
/// number ends there, the next one, of infinite observations, at +∞.
pub(crate) fn exponential_bound(index: i32, schema: i32) -> f64 {
    let (exponent, fraction) = if schema <= 0 {
        (i64::from(index) << (-schema).min(31), 1.0)
    } else {
        let parts = 1i32 << schema.min(MAX_SCHEMA);
        let place = (index.rem_euclid(parts) as usize) << (MAX_SCHEMA - schema.min(MAX_SCHEMA));
        (i64::from(index.div_euclid(parts)), WITHIN_DOUBLING[place])
    };
    if exponent == 1024 && fraction == 1.0 {
        return f64::MAX;
    }
    scale(fraction, exponent)
}

/// `number · 2^exponent`, in steps that neither overflow nor underflow before the result does.
fn scale(number: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-2200, 2200) as i32;
    let third = exponent / 3;
    [third, third, exponent - 2 * third].iter().fold(number, |scaled, &power| scaled * 2f64.powi(power))
}

/// The bucket that has the observations of bucket `index` once the schema is coarser.
pub(crate) fn coarser_index(index: i32, from: i32, to: i32) -> i32 {
    let shift = (from - to).clamp(0, 31) as u32;
    (index.wrapping_sub(1) >> shift) + 1
}

impl Histogram {
    /// True if the bounds are given one by one.
    #[must_use]
    pub fn has_custom_bounds(&self) -> bool {
        self.schema == CUSTOM_BOUNDS
    }

    /// The upper end of bucket `index` of the positive side.
    pub(crate) fn upper(&self, index: i32) -> f64 {
        if self.has_custom_bounds() {
            let place = usize::try_from(index).unwrap_or(0);
            self.custom_bounds.get(place).copied().unwrap_or(f64::INFINITY)
        } else {
            exponential_bound(index, self.schema)
        }
    }

    fn lower(&self, index: i32) -> f64 {
        match (self.has_custom_bounds(), index) {
            (true, ..=0) => f64::NEG_INFINITY,
            _ => self.upper(index.saturating_sub(1)),
        }
    }

    pub(crate) fn positive_bucket(&self, index: i32, count: f64) -> Bucket {
        let lower = self.lower(index);
        let lower_inclusive = lower == f64::NEG_INFINITY;
        Bucket { lower, upper: self.upper(index), lower_inclusive, upper_inclusive: true, count }
    }

    pub(crate) fn negative_bucket(&self, index: i32, count: f64) -> Bucket {
        let (lower, upper) = (-self.upper(index), -self.lower(index));
        Bucket { lower, upper, lower_inclusive: true, upper_inclusive: false, count }
    }

    pub(crate) fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// The buckets in ascending order, the zero bucket among them if it is not empty. A bucket that overlaps the zero
    /// bucket begins where that ends.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let threshold = if self.has_custom_bounds() { f64::NEG_INFINITY } else { self.zero_threshold };
        let negative = entries(&self.negative).rev().map(move |(index, count)| {
            let mut bucket = self.negative_bucket(index, count);
            bucket.upper = bucket.upper.min(-threshold);
            bucket
        });
        let positive = entries(&self.positive).map(move |(index, count)| {
            let mut bucket = self.positive_bucket(index, count);
            bucket.lower = bucket.lower.max(threshold);
            bucket
        });
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        negative.chain(zero).chain(positive)
    }
}

/// Which buckets and how many observations in each.
pub(crate) fn entries(buckets: &Buckets) -> impl DoubleEndedIterator<Item = (i32, f64)> + '_ {
    buckets.indices.iter().zip(&buckets.counts).map(|(&index, &count)| (index, count))
}
