//! One classic histogram at one time: cumulative counts up to ascending bounds.

use crate::annotations::Repair;

/// The count of observations up to `upper`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// Counts that fell with a rising bound and were raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decrease {
    min_bucket: f64,
    max_bucket: f64,
    max_difference: f64,
}

impl Decrease {
    pub(crate) fn at(self, time_ms: i64) -> Repair {
        Repair {
            min_bucket: self.min_bucket,
            max_bucket: self.max_bucket,
            max_difference: self.max_difference,
            min_time_ms: time_ms,
            max_time_ms: time_ms,
            count: 1,
        }
    }
}

/// Relative difference of two counts that is the rounding of sums and not a fall.
const ROUNDING: f64 = 1e-12;

/// The quantile, linear within its bucket; the lowest bucket begins at 0 if its bound is positive. In the highest
/// bucket it is the bound below. NaN without observations, with fewer than two buckets, or if the highest bound is not
/// +Inf. `buckets` ascend by bound and are not empty; equal bounds are added up.
pub(crate) fn quantile(q: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Decrease>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let decrease = make_monotonic(buckets);
    if buckets.len() < 2 {
        return (f64::NAN, None);
    }
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if observations == 0.0 {
        return (f64::NAN, None);
    }
    let mut rank = q * observations;
    // `!(>=)` and not `<`: a NaN rank lies in the highest bucket.
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    let place = buckets[..last].partition_point(|bucket| !(bucket.count >= rank));
    if place == last {
        return (buckets[last - 1].upper, decrease);
    }
    if place == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, decrease);
    }
    let (mut start, end, mut count) = (0.0, buckets[place].upper, buckets[place].count);
    if place > 0 {
        start = buckets[place - 1].upper;
        count -= buckets[place - 1].count;
        rank -= buckets[place - 1].count;
    }
    (start + (end - start) * (rank / count), decrease)
}

/// The share of observations between two values, linear within buckets. The same buckets give no share as give no
/// quantile; without a positive lowest bound the lowest bucket has no lower end.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return f64::NAN;
    }
    coalesce(buckets);
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank_of(upper, buckets, count) - rank_of(lower, buckets, count)) / count
}

/// How many observations lie below `value`.
fn rank_of(value: f64, buckets: &[Bucket], count: f64) -> f64 {
    let mut rank = 0.0;
    let mut start = if buckets[0].upper > 0.0 { 0.0 } else { f64::NEG_INFINITY };
    for bucket in buckets {
        if start >= value {
            return count.min(rank);
        }
        if bucket.upper > value {
            // A bucket without end has all its observations at its bound.
            let share = match (start.is_infinite(), bucket.upper.is_infinite()) {
                (true, _) => 1.0,
                (_, true) => 0.0,
                _ => (value - start) / (bucket.upper - start),
            };
            return count.min(rank + (bucket.count - rank) * share);
        }
        rank = bucket.count;
        start = bucket.upper;
    }
    count
}

/// Adds up buckets of the same bound.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
}

/// Raises counts below the one before; tiny differences are levelled without a word.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Decrease> {
    let mut decrease: Option<Decrease> = None;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let this = Decrease {
                min_bucket: bucket.upper,
                max_bucket: bucket.upper,
                max_difference: before - count,
            };
            let known = decrease.get_or_insert(this);
            known.min_bucket = known.min_bucket.min(this.min_bucket);
            known.max_bucket = known.max_bucket.max(this.max_bucket);
            known.max_difference = known.max_difference.max(this.max_difference);
        } else {
            before = count;
        }
    }
    decrease
}

fn almost_equal(a: f64, b: f64) -> bool {
    let (difference, sum) = ((a - b).abs(), a.abs() + b.abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < ROUNDING * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < ROUNDING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|&(upper, count)| Bucket { upper, count }).collect()
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles() {
        let check = |q: f64, pairs: &[(f64, f64)], expected: f64| {
            let (found, _) = quantile(q, &mut buckets(pairs));
            assert!(found == expected || (found.is_nan() && expected.is_nan()), "{q} of {pairs:?}: {found}");
        };
        let usual = [(1.0, 1.0), (2.0, 3.0), (INF, 4.0)];
        check(0.5, &usual, 1.5);
        check(0.0, &usual, 0.0);
        check(1.0, &usual, 2.0);
        check(-1.0, &usual, -INF);
        check(2.0, &usual, INF);
        check(f64::NAN, &usual, f64::NAN);
        check(0.5, &[(1.0, 1.0)], f64::NAN);
        check(0.5, &[(INF, 1.0)], f64::NAN);
        check(0.5, &[(1.0, 0.0), (INF, 0.0)], f64::NAN);
        check(0.1, &[(-1.0, 2.0), (INF, 4.0)], -1.0);
        check(0.5, &[(1.0, f64::NAN), (INF, f64::NAN)], 1.0);
        check(0.5, &[(1.0, 1.0), (1.0, 1.0), (INF, 2.0)], 0.5);
    }

    #[test]
    fn decreases_are_told_and_rounding_is_not() {
        let (value, decrease) = quantile(0.5, &mut buckets(&[(1.0, 4.0), (2.0, 3.0), (INF, 4.0)]));
        assert_eq!(value, 0.5);
        assert_eq!(decrease, Some(Decrease { min_bucket: 2.0, max_bucket: 2.0, max_difference: 1.0 }));
        let (_, decrease) = quantile(0.5, &mut buckets(&[(1.0, 1.0), (2.0, 1.0 - 1e-14), (INF, 1.0)]));
        assert_eq!(decrease, None);
    }

    #[test]
    fn fractions() {
        let check = |lower, upper, expected: f64| {
            let found = fraction(lower, upper, &mut buckets(&[(1.0, 1.0), (2.0, 3.0), (INF, 4.0)]));
            assert!(
                found == expected || (found.is_nan() && expected.is_nan()),
                "{lower} to {upper}: {found}"
            );
        };
        check(0.0, 1.0, 0.25);
        check(0.5, 1.5, 0.375);
        check(-INF, INF, 1.0);
        check(2.0, INF, 0.25);
        check(3.0, 2.0, 0.0);
        check(f64::NAN, 1.0, f64::NAN);
    }
}
