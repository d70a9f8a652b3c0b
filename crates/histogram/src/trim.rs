//! Histograms cut at a value: `</` and `>/`.

use crate::bounds::{Bucket, entries};
use crate::{Buckets, Histogram};

/// Which observations stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those up to the value.
    Below,
    /// Those above it.
    Above,
}

/// What is left of a bucket.
struct Left {
    count: f64,
    /// Where its observations are taken to be.
    middle: f64,
}

impl Histogram {
    /// What is left of the observations on one side of a value. A bucket that is cut is shared as
    /// [`Histogram::fraction`] does; one without an end goes wholly to the side on which it has one. Where nothing is cut
    /// away the histogram stays as it is, else its sum is estimated from the middles of its buckets.
    #[must_use]
    pub fn trimmed(&self, at: f64, keep: Keep) -> Histogram {
        let (mut count, mut sum, mut cut) = (0.0, 0.0, false);
        let mut take = |bucket: Bucket| {
            let left = self.left_of(bucket, at, keep);
            cut |= left.count != bucket.count;
            count += left.count;
            if left.count != 0.0 {
                sum += left.count * left.middle;
            }
            left.count
        };
        let side = |buckets: &Buckets, take: &mut dyn FnMut(i32, f64) -> f64| Buckets {
            indices: buckets.indices.clone(),
            counts: entries(buckets).map(|(index, count)| take(index, count)).collect(),
        };
        let negative =
            side(&self.negative, &mut |index, count| take(self.clipped(self.negative_bucket(index, count))));
        let zero_count = if self.zero_count == 0.0 { 0.0 } else { take(self.zero_bucket()) };
        let positive =
            side(&self.positive, &mut |index, count| take(self.clipped(self.positive_bucket(index, count))));
        if !cut {
            return self.clone();
        }
        let custom_bounds = self.custom_bounds.clone();
        Histogram { zero_count, count, sum, positive, negative, custom_bounds, ..*self }.compacted()
    }

    /// Without what the zero bucket has of it.
    fn clipped(&self, mut bucket: Bucket) -> Bucket {
        if !self.has_custom_bounds() {
            if bucket.lower >= 0.0 {
                bucket.lower = bucket.lower.max(self.zero_threshold);
            } else {
                bucket.upper = bucket.upper.min(-self.zero_threshold);
            }
        }
        bucket
    }

    fn left_of(&self, bucket: Bucket, at: f64, keep: Keep) -> Left {
        const NOTHING: Left = Left { count: 0.0, middle: 0.0 };
        let bucket = bucket.narrowed_for_trim(self, at);
        let count = bucket.count;
        let linear = self.has_custom_bounds() || bucket.is_zero(self);
        match keep {
            Keep::Below if bucket.upper <= at => Left { count, middle: bucket.middle(linear) },
            Keep::Above if bucket.lower >= at => Left { count, middle: bucket.middle(linear) },
            Keep::Below if bucket.lower < at => match (bucket.lower.is_infinite(), bucket.upper) {
                (_, f64::INFINITY) => NOTHING,
                (true, upper) if upper > 0.0 => NOTHING,
                (true, _) => Left { count, middle: at },
                (false, _) => {
                    let part = Bucket { upper: at, ..bucket };
                    Left { count: count * bucket.share_below(at, self), middle: part.middle(linear) }
                }
            },
            Keep::Above if bucket.upper > at => match (bucket.lower.is_infinite(), bucket.upper) {
                (true, _) => NOTHING,
                (false, f64::INFINITY) => Left { count, middle: at },
                (false, _) => {
                    let part = Bucket { lower: at, ..bucket };
                    Left { count: count * (1.0 - bucket.share_below(at, self)), middle: part.middle(linear) }
                }
            },
            Keep::Below | Keep::Above => NOTHING,
        }
    }
}

impl Bucket {
    /// As for shares; but a cut below zero leaves the first of given bounds without a lower end.
    fn narrowed_for_trim(self, histogram: &Histogram, at: f64) -> Self {
        if histogram.has_custom_bounds() && at < 0.0 && at.is_finite() {
            self
        } else {
            self.narrowed(histogram)
        }
    }

    /// The middle of a bucket, of one that is not linear on the scale of logarithms; its end where it has only one.
    fn middle(&self, linear: bool) -> f64 {
        if self.lower.is_infinite() {
            self.upper
        } else if self.upper.is_infinite() {
            self.lower
        } else if linear {
            f64::midpoint(self.lower, self.upper)
        } else {
            (self.lower * self.upper).sqrt().copysign(self.upper)
        }
    }
}
