//! What is known of the numbers of a series in one window.

use super::Resolution;
use crate::samples::is_stale;

/// What is known of the numbers of a series in one window. Of two that follow each other the same is known of both
/// together, exactly: of a counter what resets took, of its ends the samples themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregate {
    /// The windows that this is one of.
    pub resolution: Resolution,
    /// Time of the first sample; of the end of the series where there is no sample.
    pub first_ms: i64,
    /// Time of the last sample; of the end of the series where there is no sample.
    pub last_ms: i64,
    /// Time behind the last sample at which the series ended.
    pub ended_ms: Option<i64>,
    /// Samples, the markers of an end left out.
    pub count: u64,
    /// The first value.
    pub first: f64,
    /// The last value.
    pub last: f64,
    /// The smallest value; NaN where all are.
    pub min: f64,
    /// The largest value; NaN where all are.
    pub max: f64,
    /// The sum of the values.
    pub sum: f64,
    /// The sum of the values that were followed by a smaller one: what a counter lost in its resets. The increase of a
    /// counter is `last - first + lost`.
    pub lost: f64,
    /// Values that were followed by a smaller one.
    pub resets: u64,
    /// Values that were followed by another one.
    pub changes: u64,
}

impl Aggregate {
    /// One number by itself.
    #[must_use]
    pub fn of(resolution: Resolution, timestamp: i64, value: f64) -> Self {
        Self {
            resolution,
            first_ms: timestamp,
            last_ms: timestamp,
            ended_ms: None,
            count: 1,
            first: value,
            last: value,
            min: value,
            max: value,
            sum: value,
            lost: 0.0,
            resets: 0,
            changes: 0,
        }
    }

    /// A window in which a series ended, and had no sample.
    pub(crate) fn end(resolution: Resolution, timestamp: i64) -> Self {
        Self { ended_ms: Some(timestamp), count: 0, ..Self::of(resolution, timestamp, 0.0) }
    }

    /// First and last time that it knows something of.
    #[must_use]
    pub fn extent(&self) -> (i64, i64) {
        (self.first_ms, self.ended_ms.unwrap_or(self.last_ms).max(self.last_ms))
    }

    /// Takes what follows behind it into it.
    pub(crate) fn join(&mut self, next: &Self) {
        if next.count == 0 {
            self.ended_ms = next.ended_ms;
            return;
        }
        if self.count == 0 {
            *self = *next;
            return;
        }
        let (before, now) = (self.last, next.first);
        self.lost += next.lost;
        self.resets += next.resets;
        self.changes += next.changes;
        if now < before {
            self.lost += before;
            self.resets += 1;
        }
        self.changes += u64::from(now != before && !(now.is_nan() && before.is_nan()));
        self.min = if next.min < self.min || self.min.is_nan() { next.min } else { self.min };
        self.max = if next.max > self.max || self.max.is_nan() { next.max } else { self.max };
        self.sum += next.sum;
        self.count += next.count;
        (self.last_ms, self.last, self.ended_ms) = (next.last_ms, next.last, next.ended_ms);
    }
}

/// The aggregates of samples, ascending; those that are histograms are to be left out before.
pub(crate) fn aggregated(
    resolution: Resolution,
    samples: impl Iterator<Item = (i64, f64)>,
    into: &mut Vec<Aggregate>,
) {
    let mut sum = Sum::default();
    let mut window = None;
    for (timestamp, value) in samples {
        let stale = is_stale(value);
        let one = if stale {
            Aggregate::end(resolution, timestamp)
        } else {
            Aggregate::of(resolution, timestamp, value)
        };
        let end = resolution.window_end(timestamp);
        match into.last_mut().filter(|_| window == Some(end)) {
            Some(last) => last.join(&one),
            None => {
                (window, sum) = (Some(end), Sum::default());
                into.push(one);
            }
        }
        if !stale {
            sum.add(value);
        }
        if let Some(last) = into.last_mut() {
            last.sum = sum.get();
        }
    }
}

/// A sum with what rounding took of it (Neumaier, 1974), as PromQL adds.
#[derive(Debug, Default)]
struct Sum {
    sum: f64,
    compensation: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_infinite() {
            self.compensation = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.compensation += (self.sum - sum) + value;
        } else {
            self.compensation += (value - sum) + self.sum;
        }
        self.sum = sum;
    }

    fn get(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.compensation }
    }
}

/// Aggregates of several sources, those that were written first in front, as one list: of two of a window that overlap the
/// one in front is right, two that follow each other become one.
pub(crate) fn united(rows: &mut Vec<Aggregate>) {
    let window = |row: &Aggregate| row.resolution.window_end(row.first_ms);
    let apart =
        |pair: &[Aggregate]| pair[0].extent().1 < pair[1].first_ms && window(&pair[0]) != window(&pair[1]);
    if rows.windows(2).all(apart) {
        return;
    }
    let mut ranked: Vec<(i64, usize, Aggregate)> =
        std::mem::take(rows).into_iter().enumerate().map(|(rank, row)| (window(&row), rank, row)).collect();
    ranked.sort_by_key(|(window, rank, _)| (*window, *rank));
    for same in ranked.chunk_by(|a, b| a.0 == b.0) {
        let mut taken: Vec<Aggregate> = Vec::new();
        for (_, _, row) in same {
            let (first, last) = row.extent();
            let meets = |other: &Aggregate| other.first_ms <= last && other.extent().1 >= first;
            if !taken.iter().any(meets) {
                taken.push(*row);
            }
        }
        taken.sort_by_key(|row| row.first_ms);
        let mut one = taken[0];
        taken[1..].iter().for_each(|row| one.join(row));
        rows.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::STALE_NAN;

    const RESOLUTION: Resolution = Resolution::FiveMinutes;

    fn rows(samples: &[(i64, f64)]) -> Vec<Aggregate> {
        let mut rows = Vec::new();
        aggregated(RESOLUTION, samples.iter().map(|(seconds, value)| (seconds * 1000, *value)), &mut rows);
        rows
    }

    #[test]
    fn a_counter_keeps_what_its_resets_took() {
        let found = rows(&[(1, 5.0), (60, 9.0), (120, 2.0), (300, 4.0), (301, 1.0), (500, STALE_NAN)]);
        assert_eq!(found.len(), 2);
        let first = found[0];
        assert_eq!((first.count, first.first, first.last, first.lost), (4, 5.0, 4.0, 9.0));
        assert_eq!((first.min, first.max, first.sum, first.resets, first.changes), (2.0, 9.0, 20.0, 1, 3));
        assert_eq!((first.first_ms, first.last_ms, first.ended_ms), (1_000, 300_000, None));
        assert_eq!((found[1].count, found[1].ended_ms), (1, Some(500_000)));
        let mut both = first;
        both.join(&found[1]);
        assert_eq!((both.last - both.first + both.lost, both.resets), (1.0 - 5.0 + 13.0, 2));
    }

    #[test]
    fn an_end_without_a_sample_and_a_beginning_behind_it() {
        let found = rows(&[(10, STALE_NAN), (20, 3.0), (400, STALE_NAN)]);
        assert_eq!((found[0].count, found[0].first_ms, found[0].ended_ms), (1, 20_000, None));
        assert_eq!((found[1].count, found[1].extent()), (0, (400_000, 400_000)));
    }

    #[test]
    fn nan_is_smaller_and_larger_than_nothing() {
        let found = rows(&[(1, f64::NAN), (2, 3.0), (3, f64::NAN), (4, f64::NAN)]);
        assert_eq!((found[0].min, found[0].max, found[0].changes), (3.0, 3.0, 2));
        assert!(found[0].sum.is_nan() && found[0].last.is_nan());
    }

    #[test]
    fn what_was_written_first_stays_and_what_follows_is_joined() {
        let (a, b) = (rows(&[(1, 1.0), (60, 2.0)]), rows(&[(120, 5.0), (180, 5.0)]));
        let again = rows(&[(30, 7.0), (310, 8.0)]);
        let mut all = [b, again, a].concat();
        united(&mut all);
        // The second stands behind the first and overlaps the third, which it was written before.
        assert_eq!(
            all.iter().map(|row| (row.count, row.first, row.last)).collect::<Vec<_>>(),
            [(3, 7.0, 5.0), (1, 8.0, 8.0)]
        );
    }
}
