//! What is asked of a distribution: quantiles, shares, spread.

use crate::Histogram;
use crate::bounds::Bucket;
use crate::kahan::kahan_add;

/// How NaN observations, which are in no bucket, bear on a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// There are none.
    None,
    /// They count as the largest, so the quantile is larger than it were without them.
    Higher,
    /// The quantile is among them.
    Nan,
}

impl Bucket {
    /// The zero bucket without the half that a distribution of one sign cannot have; the first of given bounds from
    /// zero, where it ends above.
    pub(crate) fn narrowed(mut self, histogram: &Histogram) -> Self {
        let (no_negative, no_positive) =
            (histogram.negative.counts.is_empty(), histogram.positive.counts.is_empty());
        if histogram.has_custom_bounds() {
            if self.lower == f64::NEG_INFINITY && self.upper > 0.0 && self.upper.is_finite() {
                self.lower = 0.0;
            }
        } else if self.is_zero(histogram) {
            if no_negative && !no_positive {
                self.lower = 0.0;
            } else if no_positive && !no_negative {
                self.upper = 0.0;
            }
        }
        self
    }

    pub(crate) fn is_zero(&self, histogram: &Histogram) -> bool {
        !histogram.has_custom_bounds() && self.lower <= 0.0 && self.upper >= 0.0
    }

    /// How much of the bucket lies below `value`, which is within it: linear in the zero bucket and between given
    /// bounds, else on the scale of logarithms. A bucket without end has nothing below a finite value if it has no upper
    /// end, and everything if it has no lower one.
    pub(crate) fn share_below(&self, value: f64, histogram: &Histogram) -> f64 {
        if self.lower == f64::NEG_INFINITY {
            return 1.0;
        }
        if histogram.has_custom_bounds() || self.is_zero(histogram) {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, at] = [self.lower, self.upper, value].map(|bound| bound.abs().log2());
        if value > 0.0 { (at - lower) / (upper - lower) } else { 1.0 - (at - upper) / (lower - upper) }
    }

    /// The value with this share of the bucket below it; the inverse of [`Bucket::share_below`].
    fn value_at(&self, share: f64, histogram: &Histogram) -> f64 {
        if histogram.has_custom_bounds() || self.is_zero(histogram) {
            return self.lower + (self.upper - self.lower) * share;
        }
        let [lower, upper] = [self.lower, self.upper].map(|bound| bound.abs().log2());
        if self.lower > 0.0 {
            (lower + (upper - lower) * share).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - share)).exp2()
        }
    }
}

impl Histogram {
    /// The buckets from which shares are taken.
    pub(crate) fn narrowed_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.buckets().map(|bucket| bucket.narrowed(self))
    }

    /// The quantile: below 0 it is -∞, above 1 it is +∞, and without observations NaN. Within a bucket of an exponential
    /// schema it is interpolated on the scale of logarithms, else linearly.
    #[must_use]
    pub fn quantile(&self, q: f64) -> (f64, Skew) {
        if q < 0.0 {
            return (f64::NEG_INFINITY, Skew::None);
        }
        if q > 1.0 {
            return (f64::INFINITY, Skew::None);
        }
        if self.count == 0.0 || q.is_nan() {
            return (f64::NAN, Skew::None);
        }
        // From the nearer end the error of the sums is smaller; NaN observations are beyond the upper end.
        let upwards = self.sum.is_nan() || q < 0.5;
        let rank = if upwards { q * self.count } else { (1.0 - q) * self.count };
        let (mut bucket, count) =
            if upwards { reach(self.buckets(), rank) } else { reach(self.buckets().rev(), rank) };
        bucket = bucket.narrowed(self);
        if self.has_custom_bounds() {
            if bucket.lower == f64::NEG_INFINITY {
                return (bucket.upper, Skew::None);
            }
            if bucket.upper == f64::INFINITY {
                return (bucket.lower, Skew::None);
            }
        }
        let count = if count > self.count { self.count } else { count };
        if count < rank {
            return if self.sum.is_nan() { (f64::NAN, Skew::Nan) } else { (bucket.upper, Skew::None) };
        }
        let within = if upwards { rank - (count - bucket.count) } else { count - rank };
        let skew = if self.sum.is_nan() { Skew::Higher } else { Skew::None };
        (bucket.value_at(within / bucket.count, self), skew)
    }

    /// The share of observations between two values; NaN observations are in none. NaN without observations.
    #[must_use]
    pub fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        (self.rank_of(upper) - self.rank_of(lower)) / self.count
    }

    /// How many observations lie below a value.
    fn rank_of(&self, value: f64) -> f64 {
        let mut rank = 0.0f64;
        for bucket in self.narrowed_buckets() {
            if bucket.lower >= value {
                return rank.min(self.count);
            }
            if bucket.upper > value {
                return (rank + bucket.count * bucket.share_below(value, self)).min(self.count);
            }
            rank += bucket.count;
        }
        if self.sum.is_nan() { rank.min(self.count) } else { self.count }
    }

    /// The population's variance, with every observation taken to be in the middle of its bucket.
    #[must_use]
    pub fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let (mut squares, mut lost) = (0.0, 0.0);
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.has_custom_bounds() {
                f64::midpoint(bucket.lower, bucket.upper)
            } else if bucket.is_zero(self) {
                0.0
            } else {
                (bucket.lower * bucket.upper).sqrt().copysign(bucket.upper)
            };
            let delta = middle - mean;
            kahan_add(bucket.count * delta * delta, &mut squares, &mut lost);
        }
        (squares + lost) / self.count
    }
}

/// The first bucket with which the counts reach the rank, else the last one, and the count up to and with it.
fn reach(buckets: impl Iterator<Item = Bucket>, rank: f64) -> (Bucket, f64) {
    let none = Bucket { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };
    let (mut last, mut count) = (none, 0.0);
    for bucket in buckets.filter(|bucket| bucket.count != 0.0) {
        last = bucket;
        count += bucket.count;
        if count >= rank {
            break;
        }
    }
    (last, count)
}
