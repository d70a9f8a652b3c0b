//! One side of a comparison: ascending values with multiplicities, sorted once and then only scanned.

use crate::counts::Counts;
use crate::error::Error;
use crate::sum::sum;

/// Ascending distinct values and how often each occurs.
///
/// Built from a slice of rows or from `(value, count)` pairs; both give the same sample, bit for bit, so every
/// statistic of this crate works on aggregated data too. Data without ties stores no counts. NaN is refused;
/// infinities are kept (rank statistics use them, the others return [`Error::Infinite`]). −0.0 becomes 0.0.
/// An empty sample is valid and statistics refuse it by their own rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    values: Vec<f64>,
    /// `None` when every value occurs once.
    counts: Option<Counts>,
    rows: u64,
}

/// Collects ascending pairs; a list of counts is begun with the first count above one.
#[derive(Default)]
struct Ascending {
    values: Vec<f64>,
    counts: Option<Counts>,
}

impl Ascending {
    /// Tells whether the value is not below the last one and was taken.
    #[inline]
    fn push(&mut self, value: f64, count: u64) -> bool {
        match self.values.last() {
            Some(last) if *last > value => return false,
            Some(last) if *last == value => {
                self.counts.get_or_insert_with(|| Counts::ones(self.values.len())).add_to_last(count);
                return true;
            }
            _ => {}
        }
        if count != 1 && self.counts.is_none() {
            self.counts = Some(Counts::ones(self.values.len()));
        }
        self.values.push(value);
        if let Some(counts) = &mut self.counts {
            counts.push(count);
        }
        true
    }

    fn finish(self, rows: u64) -> Sample {
        Sample { values: self.values, counts: self.counts, rows }
    }
}

impl Sample {
    /// The most rows a sample may count: beyond it a row count is no longer exact as a 64-bit float.
    pub const MAX_ROWS: u64 = 1 << 53;

    /// Sorts the rows, in linear time and with one scratch copy.
    ///
    /// # Errors
    /// [`Error::NotANumber`] with the position of the first NaN.
    pub fn new(mut values: Vec<f64>) -> Result<Self, Error> {
        for (index, value) in values.iter_mut().enumerate() {
            if value.is_nan() {
                return Err(Error::NotANumber { index });
            }
            *value += 0.0; // -0.0 and 0.0 are one value to every statistic.
        }
        radsort::sort(&mut values);
        let rows = values.len() as u64;
        let distinct = 1 + values.windows(2).filter(|pair| pair[0] != pair[1]).count();
        if values.len() <= distinct {
            return Ok(Self { values, counts: None, rows });
        }
        let counts = values.chunk_by(|left, right| left == right).map(|equal| equal.len() as u64).collect();
        values.dedup();
        values.shrink_to_fit();
        Ok(Self { values, counts: Some(counts), rows })
    }

    /// Collects `(value, count)` pairs in any order; equal values are merged and zero counts ignored. Ascending pairs
    /// take linear time and no memory beside the sample's.
    ///
    /// # Errors
    /// [`Error::NotANumber`] for a NaN value, [`Error::TooManyRows`] when the counts exceed [`Sample::MAX_ROWS`].
    pub fn from_counts(pairs: impl IntoIterator<Item = (f64, u64)>) -> Result<Self, Error> {
        let mut ascending = Ascending::default();
        let mut others = Vec::new();
        let mut rows = 0_u64;
        for (index, (value, count)) in pairs.into_iter().enumerate() {
            if value.is_nan() {
                return Err(Error::NotANumber { index });
            }
            rows = rows.saturating_add(count);
            if rows > Self::MAX_ROWS {
                return Err(Error::TooManyRows { side: "sample", limit: Self::MAX_ROWS });
            }
            if count > 0 && !ascending.push(value + 0.0, count) {
                others.push((value + 0.0, count));
            }
        }
        let sample = ascending.finish(rows);
        if others.is_empty() {
            return Ok(sample);
        }
        others.extend(sample.iter());
        others.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        Ok(Self::from_ascending(others.into_iter(), rows))
    }

    /// From ascending pairs with positive counts that sum to `rows`; equal neighbours are merged.
    pub(crate) fn from_ascending(pairs: impl Iterator<Item = (f64, u64)>, rows: u64) -> Self {
        let mut ascending = Ascending::default();
        for (value, count) in pairs {
            ascending.push(value, count);
        }
        ascending.finish(rows)
    }

    /// The rows of both samples.
    ///
    /// # Errors
    /// [`Error::TooManyRows`] when they exceed [`Sample::MAX_ROWS`].
    pub fn merge(&self, other: &Sample) -> Result<Self, Error> {
        let rows = self.rows.saturating_add(other.rows);
        if rows > Self::MAX_ROWS {
            return Err(Error::TooManyRows { side: "sample", limit: Self::MAX_ROWS });
        }
        Ok(Self::from_ascending(pooled(self, other).map(|(value, n, m)| (value, n + m)), rows))
    }

    /// The distances |value − centre| of all rows, for a finite `centre`. Linear.
    #[must_use]
    pub fn distances_from(&self, centre: f64) -> Self {
        let split = self.values.partition_point(|value| *value < centre);
        let distance = |index: usize| {
            let count = self.count(index);
            ((self.values[index] - centre).abs(), count)
        };
        // Ascending away from the centre on both sides.
        let (mut below, mut above) = ((0..split).rev().peekable(), (split..self.values.len()).peekable());
        let nearest = std::iter::from_fn(|| {
            let left = below.peek().map(|index| distance(*index));
            let right = above.peek().map(|index| distance(*index));
            match (left, right) {
                (Some(left), Some(right)) if left.0 > right.0 => above.next().map(|_| right),
                (Some(left), _) => below.next().map(|_| left),
                (None, Some(right)) => above.next().map(|_| right),
                (None, None) => None,
            }
        });
        Self::from_ascending(nearest, self.rows)
    }

    /// Rows, that is the sum of the counts.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Tells whether there is no row at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Number of distinct values.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Distinct values, ascending, each with its count.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (f64, u64)> + Clone + '_ {
        self.values.iter().enumerate().map(|(index, &value)| (value, self.count(index)))
    }

    #[inline]
    fn count(&self, index: usize) -> u64 {
        self.counts.as_ref().map_or(1, |counts| counts.at(index))
    }

    /// Smallest value, `None` without rows.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.values.first().copied()
    }

    /// Largest value, `None` without rows.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.values.last().copied()
    }

    /// Arithmetic mean; NaN without rows or with infinities of both signs.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self.values.as_slice() {
            [] => f64::NAN,
            // Not left to rounding: a constant sample has exactly its constant as mean and no variance.
            [constant] => *constant,
            _ => sum(self.iter().map(|(value, count)| value * count as f64)) / self.rows as f64,
        }
    }

    /// Mean of `value - origin`: near `origin` it keeps digits that the mean itself rounds away.
    pub(crate) fn mean_about(&self, origin: f64) -> f64 {
        sum(self.iter().map(|(value, count)| (value - origin) * count as f64)) / self.rows as f64
    }

    /// Mean squared deviation with `rows - ddof` in the denominator; NaN unless `rows > ddof`.
    #[must_use]
    pub fn variance(&self, ddof: u64) -> f64 {
        if self.rows <= ddof {
            return f64::NAN;
        }
        let mean = self.mean();
        let squares = sum(self.iter().map(|(value, count)| (value - mean).powi(2) * count as f64));
        squares / (self.rows - ddof) as f64
    }

    /// The `q`-th quantile, `q` from 0 to 1, interpolated linearly between order statistics as
    /// `numpy.quantile(method="linear")` does; `None` without rows or with `q` outside its range. O(distinct).
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if self.is_empty() || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let position = (self.rows - 1) as f64 * q;
        let below = position.floor();
        let fraction = position - below;
        let low = self.order_statistic(below as u64);
        if fraction == 0.0 {
            return Some(low);
        }
        let high = self.order_statistic(below as u64 + 1);
        Some(interpolate(low, high, fraction))
    }

    /// The `rank`-th smallest row, from 0; the largest when `rank` is beyond the end.
    fn order_statistic(&self, rank: u64) -> f64 {
        if self.counts.is_none() {
            let index = usize::try_from(rank).unwrap_or(usize::MAX).min(self.values.len() - 1);
            return self.values[index];
        }
        let mut seen = 0;
        for (value, count) in self.iter() {
            seen += count;
            if rank < seen {
                return value;
            }
        }
        self.values[self.values.len() - 1]
    }

    /// Refuses a sample with fewer than `needed` rows.
    pub(crate) fn require_rows(&self, side: &'static str, needed: u64) -> Result<(), Error> {
        if self.rows < needed {
            return Err(Error::TooFewRows { side, rows: self.rows, needed });
        }
        Ok(())
    }

    /// Refuses infinities; they can only be at the ends.
    pub(crate) fn require_finite(&self, side: &'static str) -> Result<(), Error> {
        match [self.min(), self.max()].into_iter().flatten().find(|value| value.is_infinite()) {
            Some(value) => Err(Error::Infinite { side, value }),
            None => Ok(()),
        }
    }
}

/// `low + (high - low) * fraction`, exact at both ends and never NaN between equal infinities.
pub(crate) fn interpolate(low: f64, high: f64, fraction: f64) -> f64 {
    if low == high {
        low
    } else if fraction >= 0.5 {
        // numpy interpolates from the nearer end, which keeps the result monotone in the fraction.
        high - (high - low) * (1.0 - fraction)
    } else {
        low + (high - low) * fraction
    }
}

/// The union of two samples' values, ascending, each with its count in the reference and in the current side.
pub(crate) fn pooled<'a>(reference: &'a Sample, current: &'a Sample) -> Pooled<'a> {
    Pooled { reference, current, next_reference: 0, next_current: 0 }
}

/// See [`pooled`].
#[derive(Clone)]
pub(crate) struct Pooled<'a> {
    reference: &'a Sample,
    current: &'a Sample,
    next_reference: usize,
    next_current: usize,
}

impl Iterator for Pooled<'_> {
    type Item = (f64, u64, u64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let left = self.reference.values.get(self.next_reference).copied();
        let right = self.current.values.get(self.next_current).copied();
        let value = match (left, right) {
            (None, None) => return None,
            (Some(left), None) => left,
            (None, Some(right)) => right,
            (Some(left), Some(right)) => left.min(right),
        };
        let count = |sample: &Sample, next: &mut usize| {
            let count = sample.count(*next);
            *next += 1;
            count
        };
        let of_reference =
            if left == Some(value) { count(self.reference, &mut self.next_reference) } else { 0 };
        let of_current = if right == Some(value) { count(self.current, &mut self.next_current) } else { 0 };
        Some((value, of_reference, of_current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_pairs_give_the_same_sample() {
        let rows = Sample::new(vec![2.0, -0.0, 2.0, 5.0, 0.0]).unwrap();
        let pairs = Sample::from_counts([(5.0, 1), (0.0, 1), (2.0, 2), (-0.0, 1), (9.0, 0)]).unwrap();
        assert_eq!(rows, pairs);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [(0.0, 2), (2.0, 2), (5.0, 1)]);
        assert_eq!((rows.len(), rows.distinct(), rows.min(), rows.max()), (5, 3, Some(0.0), Some(5.0)));
        let continuous = Sample::new(vec![3.0, 1.0]).unwrap();
        assert!(continuous.counts.is_none());
        assert_eq!(continuous, Sample::from_counts([(1.0, 1), (3.0, 1)]).unwrap());
    }

    #[test]
    fn nan_and_too_many_rows_are_refused() {
        assert_eq!(Sample::new(vec![1.0, f64::NAN]), Err(Error::NotANumber { index: 1 }));
        assert_eq!(Sample::from_counts([(f64::NAN, 1)]), Err(Error::NotANumber { index: 0 }));
        let error = Sample::from_counts([(1.0, u64::MAX), (2.0, u64::MAX)]).unwrap_err();
        assert_eq!(error, Error::TooManyRows { side: "sample", limit: Sample::MAX_ROWS });
    }

    #[test]
    fn moments_and_quantiles_of_degenerate_samples() {
        let empty = Sample::new(vec![]).unwrap();
        assert!(empty.mean().is_nan() && empty.variance(0).is_nan() && empty.quantile(0.5).is_none());
        let constant = Sample::new(vec![0.1; 1000]).unwrap();
        assert_eq!((constant.mean(), constant.variance(1), constant.quantile(0.3)), (0.1, 0.0, Some(0.1)));
        let single = Sample::new(vec![7.0]).unwrap();
        assert!(single.variance(1).is_nan());
        let infinite = Sample::new(vec![f64::INFINITY, f64::NEG_INFINITY, 1.0]).unwrap();
        assert!(infinite.mean().is_nan());
        assert_eq!(infinite.quantile(1.0), Some(f64::INFINITY));
        assert_eq!(infinite.quantile(1.5), None);
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy 2.4.6: numpy.quantile([1, 2, 2, 4, 7, 7, 7, 9], [0, .1, .25, .5, .75, .9, 1])
        let sample = Sample::new(vec![9.0, 2.0, 7.0, 1.0, 7.0, 2.0, 4.0, 7.0]).unwrap();
        let expected = [1.0, 1.7, 2.0, 5.5, 7.0, 7.6, 9.0];
        for (q, expected) in [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0].into_iter().zip(expected) {
            let found = sample.quantile(q).unwrap();
            assert!((found - expected).abs() < 1e-12, "q={q}: {found} instead of {expected}");
        }
    }

    #[test]
    fn merging_and_distances_are_those_of_the_rows() {
        let check = |left: &[f64], right: &[f64]| {
            let sample = |rows: &[f64]| Sample::new(rows.to_vec()).unwrap();
            let both = [left, right].concat();
            assert_eq!(sample(left).merge(&sample(right)).unwrap(), sample(&both));
            for centre in [0.0, 2.0, 2.5, 1e9] {
                let distances: Vec<f64> = both.iter().map(|value| (value - centre).abs()).collect();
                assert_eq!(
                    sample(&both).distances_from(centre),
                    sample(&distances),
                    "{both:?} from {centre}"
                );
            }
        };
        check(&[], &[]);
        check(&[1.0, 2.0, 3.0], &[]);
        check(&[1.0, 2.0, 2.0, 7.5], &[-1.0, 2.0, 5.0, 3.0]);
        check(&[f64::NEG_INFINITY, 4.0], &[f64::INFINITY, -0.0]);
    }

    #[test]
    fn pooled_walks_both_sides_once() {
        let reference = Sample::new(vec![1.0, 1.0, 3.0, f64::INFINITY]).unwrap();
        let current = Sample::new(vec![0.0, 1.0, 4.0]).unwrap();
        let walked: Vec<_> = pooled(&reference, &current).collect();
        assert_eq!(walked, [(0.0, 0, 1), (1.0, 2, 1), (3.0, 1, 0), (4.0, 0, 1), (f64::INFINITY, 1, 0)]);
    }
}
