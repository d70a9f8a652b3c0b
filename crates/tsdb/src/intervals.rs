//! Ranges of time that were deleted.

use std::sync::Arc;

use crate::chunk::Chunk;
use crate::samples::Samples;

/// Ranges of milliseconds, both ends inclusive, ascending, none touching another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Intervals(Arc<[(i64, i64)]>);

impl Intervals {
    /// `None` where the ranges are not as they are kept.
    pub(crate) fn read(ranges: Vec<(i64, i64)>) -> Option<Self> {
        let apart = |pair: &[(i64, i64)]| pair[0].1.checked_add(1).is_some_and(|next| next < pair[1].0);
        let valid = ranges.iter().all(|(min, max)| min <= max) && ranges.windows(2).all(apart);
        valid.then(|| Self(ranges.into()))
    }

    pub(crate) fn ranges(&self) -> &[(i64, i64)] {
        &self.0
    }

    /// These and one more.
    pub(crate) fn with(&self, min: i64, max: i64) -> Self {
        let (mut min, mut max) = (min, max);
        let touches = |range: &(i64, i64), min: i64, max: i64| {
            range.0 <= max.saturating_add(1) && range.1 >= min.saturating_sub(1)
        };
        let mut ranges = Vec::with_capacity(self.0.len() + 1);
        for range in self.0.iter() {
            if touches(range, min, max) {
                (min, max) = (min.min(range.0), max.max(range.1));
            } else {
                ranges.push(*range);
            }
        }
        ranges.insert(ranges.partition_point(|range| range.0 < min), (min, max));
        Self(ranges.into())
    }

    /// Tells whether all from `min` to `max` is deleted.
    pub(crate) fn covers(&self, min: i64, max: i64) -> bool {
        self.0.iter().any(|range| range.0 <= min && max <= range.1)
    }

    /// Tells whether any of it is.
    pub(crate) fn touches(&self, min: i64, max: i64) -> bool {
        self.0.iter().any(|range| range.0 <= max && range.1 >= min)
    }

    pub(crate) fn contains(&self, timestamp: i64) -> bool {
        let after = self.0.partition_point(|range| range.0 <= timestamp);
        after > 0 && timestamp <= self.0[after - 1].1
    }

    /// What is left of a chunk; `None` if nothing is. A chunk that cannot be decoded stays.
    pub(crate) fn strip(&self, chunk: Chunk) -> Option<Chunk> {
        if !self.touches(chunk.min_time, chunk.max_time) {
            return Some(chunk);
        }
        let mut samples = Samples::default();
        if chunk.decode(&mut samples).is_none() {
            return Some(chunk);
        }
        samples.delete(0, self);
        (!samples.is_empty()).then(|| Chunk::new(&samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_a_set_of_times(added in proptest::collection::vec((0_i64..60, 0_i64..9), 0..12)) {
            let mut intervals = Intervals::default();
            let mut times = BTreeSet::new();
            for (min, length) in added {
                intervals = intervals.with(min, min + length);
                times.extend(min..=min + length);
            }
            let known = Intervals::read(intervals.ranges().to_vec());
            prop_assert_eq!(known.as_ref(), Some(&intervals), "sorted and apart");
            for t in -1..80 {
                prop_assert_eq!(intervals.contains(t), times.contains(&t));
                for end in t..80 {
                    prop_assert_eq!(intervals.covers(t, end), (t..=end).all(|t| times.contains(&t)));
                    prop_assert_eq!(intervals.touches(t, end), (t..=end).any(|t| times.contains(&t)));
                }
            }
            let mut samples = Samples::default();
            (0..80).for_each(|t| samples.push(t, t as f64));
            let left = intervals.strip(Chunk::new(&samples));
            samples.clear();
            left.map(|chunk| chunk.decode(&mut samples));
            prop_assert!(samples.timestamps.iter().copied().eq((0..80).filter(|t| !times.contains(t))));
        }
    }

    #[test]
    fn the_ends_of_time_are_in_range() {
        let all = Intervals::default().with(i64::MIN, 5).with(6, i64::MAX);
        assert_eq!(all.ranges(), [(i64::MIN, i64::MAX)]);
        assert!(all.contains(i64::MIN) && all.contains(i64::MAX));
        assert!(Intervals::read(vec![(3, 2)]).is_none() && Intervals::read(vec![(0, 1), (2, 3)]).is_none());
        assert!(Intervals::read(vec![(0, i64::MAX), (5, 6)]).is_none());
    }
}
