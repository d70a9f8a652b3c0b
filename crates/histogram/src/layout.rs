//! Histograms brought to the same buckets: coarser schemas, wider zero buckets, common bounds.

use std::borrow::Cow;

use crate::bounds::{coarser_index, entries, exponential_bound};
use crate::kahan::kahan_add;
use crate::{Buckets, Histogram};

/// Buckets with what was lost in the rounding of their counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Side {
    pub(crate) indices: Vec<i32>,
    pub(crate) counts: Vec<f64>,
    /// As many as counts.
    pub(crate) lost: Vec<f64>,
}

impl Side {
    pub(crate) fn of(buckets: &Buckets) -> Self {
        Self {
            indices: buckets.indices.clone(),
            counts: buckets.counts.clone(),
            lost: vec![0.0; buckets.counts.len()],
        }
    }

    fn push(&mut self, index: i32, count: f64, lost: f64) {
        if self.indices.last() == Some(&index) {
            let last = self.counts.len() - 1;
            kahan_add(count, &mut self.counts[last], &mut self.lost[last]);
            self.lost[last] += lost;
        } else {
            self.indices.push(index);
            self.counts.push(count);
            self.lost.push(lost);
        }
    }

    /// Gives every bucket the index that `place` says; those of the same index become one.
    pub(crate) fn regroup(&mut self, place: impl Fn(i32) -> i32) {
        let before = std::mem::take(self);
        for ((index, count), lost) in before.indices.into_iter().zip(before.counts).zip(before.lost) {
            self.push(place(index), count, lost);
        }
    }

    /// Adds each count of the other side, times `sign`.
    pub(crate) fn add(&mut self, other: &Buckets, sign: f64) {
        if self.indices == other.indices {
            for ((count, lost), more) in self.counts.iter_mut().zip(&mut self.lost).zip(&other.counts) {
                kahan_add(sign * more, count, lost);
            }
            return;
        }
        let before = std::mem::take(self);
        let mut mine = before.indices.iter().zip(before.counts.iter().zip(&before.lost)).peekable();
        for (index, count) in entries(other) {
            while let Some((&at, (&known, &lost))) = mine.next_if(|(at, _)| **at <= index) {
                self.push(at, known, lost);
            }
            self.push(index, sign * count, 0.0);
        }
        for (&at, (&known, &lost)) in mine {
            self.push(at, known, lost);
        }
    }

    /// Takes away the buckets that begin below the threshold, and gives their counts to `absorb`.
    pub(crate) fn absorb(&mut self, threshold: f64, schema: i32, absorb: &mut impl FnMut(f64, f64)) {
        let below = self.indices.partition_point(|&index| exponential_bound(index - 1, schema) < threshold);
        for (count, lost) in self.counts.drain(..below).zip(self.lost.drain(..below)) {
            absorb(count, lost);
        }
        self.indices.drain(..below);
    }

    pub(crate) fn into_buckets(self, compensated: bool) -> Buckets {
        let mut counts = self.counts;
        if compensated {
            counts.iter_mut().zip(&self.lost).for_each(|(count, lost)| *count += lost);
        }
        Buckets { indices: self.indices, counts }
    }
}

/// The smallest zero threshold from `wanted` on that lies in no bucket with observations. The sides are indices and
/// counts of an exponential schema.
pub(crate) fn fitting_threshold(sides: [(&[i32], &[f64]); 2], schema: i32, mut wanted: f64) -> f64 {
    loop {
        let before = wanted;
        for (indices, counts) in sides {
            let at = indices.partition_point(|&index| exponential_bound(index, schema) <= wanted);
            let straddles = indices.get(at).is_some_and(|&index| {
                exponential_bound(index - 1, schema) < wanted && counts.get(at).is_some_and(|&n| n != 0.0)
            });
            if straddles {
                wanted = exponential_bound(indices[at], schema);
            }
        }
        if wanted == before {
            return wanted;
        }
    }
}

/// The bounds that both have.
pub(crate) fn common_bounds(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().copied().filter(|bound| other.contains(bound)).collect()
}

/// The place among `common` of the bucket that has what was in bucket `index` of `bounds`.
pub(crate) fn common_index(index: i32, bounds: &[f64], common: &[f64]) -> i32 {
    let upper = usize::try_from(index).ok().and_then(|index| bounds.get(index));
    let place = upper.map_or(common.len(), |upper| common.partition_point(|bound| bound < upper));
    place as i32
}

impl Histogram {
    /// With a zero bucket of at least this width, in an exponential schema.
    pub(crate) fn widened(&self, threshold: f64) -> Cow<'_, Histogram> {
        if threshold <= self.zero_threshold {
            return Cow::Borrowed(self);
        }
        let sides = [&self.positive, &self.negative].map(|side| (&side.indices[..], &side.counts[..]));
        let threshold = fitting_threshold(sides, self.schema, threshold);
        let mut wide = self.clone();
        let mut absorb = |count: f64, _: f64| wide.zero_count += count;
        let [mut positive, mut negative] = [&self.positive, &self.negative].map(Side::of);
        positive.absorb(threshold, self.schema, &mut absorb);
        negative.absorb(threshold, self.schema, &mut absorb);
        wide.zero_threshold = threshold;
        (wide.positive, wide.negative) = (positive.into_buckets(false), negative.into_buckets(false));
        Cow::Owned(wide)
    }

    /// With buckets of an exponential schema that is at most as fine.
    #[must_use]
    pub fn coarsened(&self, schema: i32) -> Cow<'_, Histogram> {
        if self.schema <= schema {
            return Cow::Borrowed(self);
        }
        let mut coarse = self.regrouped(|index| coarser_index(index, self.schema, schema));
        coarse.schema = schema;
        Cow::Owned(coarse)
    }

    /// With the bounds that `common` has of its own.
    pub(crate) fn with_common_bounds(&self, common: &[f64]) -> Histogram {
        let mut reconciled = self.regrouped(|index| common_index(index, &self.custom_bounds, common));
        reconciled.custom_bounds = common.to_vec();
        reconciled
    }

    fn regrouped(&self, place: impl Fn(i32) -> i32) -> Histogram {
        let regroup = |buckets: &Buckets| {
            let mut side = Side::of(buckets);
            side.regroup(&place);
            side.into_buckets(false)
        };
        Histogram { positive: regroup(&self.positive), negative: regroup(&self.negative), ..self.clone() }
    }

    /// Without buckets that are empty.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        for side in [&mut self.positive, &mut self.negative] {
            if side.counts.contains(&0.0) {
                let kept = entries(side).filter(|&(_, count)| count != 0.0);
                (side.indices, side.counts) = kept.unzip();
            }
        }
        self
    }
}
