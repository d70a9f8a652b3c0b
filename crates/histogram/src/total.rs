//! Sums, differences, multiples and means of histograms.

use crate::bounds::coarser_index;
use crate::kahan::kahan_add;
use crate::layout::{Side, common_bounds, common_index, fitting_threshold};
use crate::{Buckets, Histogram, ResetHint};

/// Buckets of an exponential schema and buckets with bounds of their own have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one histogram has buckets of an exponential schema, the other has custom bounds")]
pub struct MixedSchemas;

/// What is worth a remark on a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joined {
    /// One counter was reset here and the other was not.
    pub conflicting_resets: bool,
    /// Their custom bounds differ; the result has those that both have.
    pub bounds_reconciled: bool,
}

/// A sum under way, which knows what it lost in rounding.
#[derive(Debug, Clone)]
pub struct Total {
    /// All but the buckets.
    head: Histogram,
    lost_count: f64,
    lost_sum: f64,
    lost_zero: f64,
    positive: Side,
    negative: Side,
}

impl Total {
    /// The sum of one.
    #[must_use]
    pub fn of(first: &Histogram) -> Self {
        let head = Histogram {
            positive: Buckets::default(),
            negative: Buckets::default(),
            custom_bounds: first.custom_bounds.clone(),
            ..*first
        };
        Self {
            head,
            lost_count: 0.0,
            lost_sum: 0.0,
            lost_zero: 0.0,
            positive: Side::of(&first.positive),
            negative: Side::of(&first.negative),
        }
    }

    /// Adds one more. Schemas become the coarser one, zero buckets the wider one, custom bounds those that both have.
    ///
    /// # Errors
    /// [`MixedSchemas`], and the sum is as it was.
    pub fn add(&mut self, other: &Histogram) -> Result<Joined, MixedSchemas> {
        self.join(other, 1.0)
    }

    fn join(&mut self, other: &Histogram, sign: f64) -> Result<Joined, MixedSchemas> {
        let custom = self.head.has_custom_bounds();
        if custom != other.has_custom_bounds() {
            return Err(MixedSchemas);
        }
        let (hint, conflicting_resets) = joined_hint(self.head.reset, other.reset);
        self.head.reset = hint;
        let mut joined = Joined { conflicting_resets, bounds_reconciled: false };
        kahan_add(sign * other.count, &mut self.head.count, &mut self.lost_count);
        kahan_add(sign * other.sum, &mut self.head.sum, &mut self.lost_sum);
        if !custom {
            self.join_exponential(other, sign);
        } else if self.head.custom_bounds == other.custom_bounds {
            self.positive.add(&other.positive, sign);
        } else {
            joined.bounds_reconciled = true;
            let common = common_bounds(&self.head.custom_bounds, &other.custom_bounds);
            let bounds = std::mem::replace(&mut self.head.custom_bounds, common.clone());
            self.positive.regroup(|index| common_index(index, &bounds, &common));
            self.positive.add(&other.with_common_bounds(&common).positive, sign);
        }
        Ok(joined)
    }

    fn join_exponential(&mut self, other: &Histogram, sign: f64) {
        let mut other = std::borrow::Cow::Borrowed(other);
        while self.head.zero_threshold != other.zero_threshold {
            if self.head.zero_threshold > other.zero_threshold {
                other = std::borrow::Cow::Owned(other.widened(self.head.zero_threshold).into_owned());
            }
            if self.head.zero_threshold < other.zero_threshold {
                self.widen(other.zero_threshold);
            }
        }
        kahan_add(sign * other.zero_count, &mut self.head.zero_count, &mut self.lost_zero);
        if self.head.schema > other.schema {
            let from = self.head.schema;
            for side in [&mut self.positive, &mut self.negative] {
                side.regroup(|index| coarser_index(index, from, other.schema));
            }
            self.head.schema = other.schema;
        }
        let other = other.coarsened(self.head.schema);
        self.positive.add(&other.positive, sign);
        self.negative.add(&other.negative, sign);
    }

    fn widen(&mut self, threshold: f64) {
        let schema = self.head.schema;
        let sides = [&self.positive, &self.negative].map(|side| (&side.indices[..], &side.counts[..]));
        let threshold = fitting_threshold(sides, schema, threshold);
        let (zero, lost_zero) = (&mut self.head.zero_count, &mut self.lost_zero);
        let mut absorb = |count: f64, lost: f64| {
            kahan_add(count, zero, lost_zero);
            *lost_zero += lost;
        };
        self.positive.absorb(threshold, schema, &mut absorb);
        self.negative.absorb(threshold, schema, &mut absorb);
        self.head.zero_threshold = threshold;
    }

    /// The sum without what was lost.
    fn plain(self) -> Histogram {
        let positive = self.positive.into_buckets(false);
        Histogram { positive, negative: self.negative.into_buckets(false), ..self.head }
    }

    /// The sum, with what was lost, and without empty buckets.
    #[must_use]
    pub fn finish(self) -> Histogram {
        let mut sum = self.head;
        sum.count += self.lost_count;
        sum.sum += self.lost_sum;
        sum.zero_count += self.lost_zero;
        sum.positive = self.positive.into_buckets(true);
        sum.negative = self.negative.into_buckets(true);
        sum.compacted()
    }

    /// Replaces all numbers that are added up, and those that were lost.
    fn map(&mut self, map: impl Fn(f64) -> f64) {
        let head = &mut self.head;
        for number in [&mut head.count, &mut head.sum, &mut head.zero_count] {
            *number = map(*number);
        }
        for number in [&mut self.lost_count, &mut self.lost_sum, &mut self.lost_zero] {
            *number = map(*number);
        }
        for side in [&mut self.positive, &mut self.negative] {
            side.counts.iter_mut().chain(&mut side.lost).for_each(|number| *number = map(*number));
        }
    }

    fn is_infinite(&self) -> bool {
        let head = [self.head.count, self.head.sum, self.head.zero_count];
        let buckets = self.positive.counts.iter().chain(&self.negative.counts);
        head.iter().chain(buckets).any(|number| number.is_infinite())
    }

    /// Tells whether any number is so large that a sum with another such one may be infinite.
    fn may_overflow(&self, other: &Histogram) -> bool {
        let large = |number: &f64| number.abs() > f64::MAX / 4.0;
        let any = |head: [f64; 3], positive: &[f64], negative: &[f64]| {
            head.iter().chain(positive).chain(negative).any(large)
        };
        let head = |of: &Histogram| [of.count, of.sum, of.zero_count];
        any(head(&self.head), &self.positive.counts, &self.negative.counts)
            || any(head(other), &other.positive.counts, &other.negative.counts)
    }
}

/// What is known of a reset of a sum, and whether the two contradict each other.
fn joined_hint(one: ResetHint, other: ResetHint) -> (ResetHint, bool) {
    use ResetHint::{Gauge, NoReset, Reset, Unknown};
    match (one, other) {
        (Gauge, _) | (_, Gauge) => (Gauge, false),
        (Unknown, _) | (_, Unknown) => (Unknown, false),
        (Reset, Reset) => (Reset, false),
        (NoReset, NoReset) => (NoReset, false),
        (Reset, NoReset) | (NoReset, Reset) => (Unknown, true),
    }
}

/// A mean under way: a sum, that turns to a running mean once the sum would overflow.
#[derive(Debug, Clone)]
pub struct Mean {
    total: Total,
    count: f64,
    running: bool,
}

impl Mean {
    /// The mean of one.
    #[must_use]
    pub fn of(first: &Histogram) -> Self {
        Self { total: Total::of(first), count: 1.0, running: false }
    }

    /// Takes one more, as [`Total::add`].
    ///
    /// # Errors
    /// [`MixedSchemas`].
    pub fn add(&mut self, other: &Histogram) -> Result<Joined, MixedSchemas> {
        let count = self.count + 1.0;
        if !self.running {
            if !self.total.may_overflow(other) {
                let joined = self.total.add(other)?;
                self.count = count;
                return Ok(joined);
            }
            let mut sum = self.total.clone();
            let joined = sum.add(other)?;
            if !sum.is_infinite() {
                (self.total, self.count) = (sum, count);
                return Ok(joined);
            }
            self.running = true;
            let before = self.count;
            self.total.map(|number| number / before);
        }
        self.total.map(|number| number * ((count - 1.0) / count));
        self.count = count;
        self.total.add(&other.clone().mapped(|number| number / count))
    }

    /// The mean, without empty buckets.
    #[must_use]
    pub fn finish(mut self) -> Histogram {
        if !self.running {
            let count = self.count;
            self.total.map(|number| number / count);
        }
        self.total.finish()
    }
}

impl Histogram {
    /// The sum, as [`Total::add`], without compensation and without empty buckets.
    ///
    /// # Errors
    /// [`MixedSchemas`].
    pub fn plus(&self, other: &Histogram) -> Result<(Histogram, Joined), MixedSchemas> {
        if let Some(sum) = self.aligned(other, 1.0) {
            return Ok(sum);
        }
        let mut total = Total::of(self);
        let joined = total.add(other)?;
        Ok((total.plain().compacted(), joined))
    }

    /// The difference, which is a gauge: counts may be negative.
    ///
    /// # Errors
    /// [`MixedSchemas`].
    pub fn minus(&self, other: &Histogram) -> Result<(Histogram, Joined), MixedSchemas> {
        let (difference, joined) = match self.aligned(other, -1.0) {
            Some(difference) => difference,
            None => {
                let mut total = Total::of(self);
                let joined = total.join(other, -1.0)?;
                (total.plain().compacted(), joined)
            }
        };
        Ok((Histogram { reset: ResetHint::Gauge, ..difference }, joined))
    }

    /// The sum with the other times `sign`, where both have the same buckets; most histograms of a series do.
    fn aligned(&self, other: &Histogram, sign: f64) -> Option<(Histogram, Joined)> {
        let same = self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && self.positive.indices == other.positive.indices
            && self.negative.indices == other.negative.indices
            && self.custom_bounds == other.custom_bounds;
        if !same {
            return None;
        }
        let side = |one: &Buckets, other: &Buckets| Buckets {
            indices: one.indices.clone(),
            counts: one.counts.iter().zip(&other.counts).map(|(count, more)| count + sign * more).collect(),
        };
        let (reset, conflicting_resets) = joined_hint(self.reset, other.reset);
        let sum = Histogram {
            reset,
            zero_count: self.zero_count + sign * other.zero_count,
            count: self.count + sign * other.count,
            sum: self.sum + sign * other.sum,
            positive: side(&self.positive, &other.positive),
            negative: side(&self.negative, &other.negative),
            custom_bounds: self.custom_bounds.clone(),
            ..*self
        };
        Some((sum.compacted(), Joined { conflicting_resets, bounds_reconciled: false }))
    }

    /// Every count and the sum times a factor; with a negative one it is a gauge.
    #[must_use]
    pub fn times(&self, factor: f64) -> Histogram {
        self.clone().scaled(factor)
    }

    /// As [`Histogram::times`], in place.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Histogram {
        let mut product = self.mapped(|number| number * factor);
        if factor < 0.0 {
            product.reset = ResetHint::Gauge;
        }
        product.compacted()
    }

    /// Every count and the sum by a divisor, as [`Histogram::times`]; by zero no buckets but the zero one are left.
    #[must_use]
    pub fn divided_by(&self, divisor: f64) -> Histogram {
        let mut quotient = self.clone().mapped(|number| number / divisor);
        if divisor < 0.0 {
            quotient.reset = ResetHint::Gauge;
        }
        if divisor == 0.0 {
            (quotient.positive, quotient.negative) = (Buckets::default(), Buckets::default());
        }
        quotient.compacted()
    }

    fn mapped(mut self, map: impl Fn(f64) -> f64) -> Histogram {
        for number in [&mut self.count, &mut self.sum, &mut self.zero_count] {
            *number = map(*number);
        }
        for side in [&mut self.positive, &mut self.negative] {
            side.counts.iter_mut().for_each(|count| *count = map(*count));
        }
        self
    }

    /// Equal to the bit, so that NaN equals NaN; what is known of resets does not count.
    #[must_use]
    pub fn same(&self, other: &Histogram) -> bool {
        let bits = |one: &[f64], other: &[f64]| {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits())
        };
        let side =
            |one: &Buckets, other: &Buckets| one.indices == other.indices && bits(&one.counts, &other.counts);
        let head = |h: &Histogram| [h.zero_threshold, h.zero_count, h.count, h.sum];
        self.schema == other.schema
            && bits(&head(self), &head(other))
            && side(&self.positive, &other.positive)
            && side(&self.negative, &other.negative)
            && bits(&self.custom_bounds, &other.custom_bounds)
    }
}
