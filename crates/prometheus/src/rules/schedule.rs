//! When groups are evaluated: every interval, each group at its own offset so that not all come at once.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The times of one group, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval_ms: i64,
    offset_ms: i64,
}

impl Schedule {
    /// The same file, name and interval always give the same times.
    pub fn new(key: &(String, String), interval_ms: i64) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let interval_ms = interval_ms.max(1);
        let offset_ms = i64::try_from(hasher.finish() % interval_ms.unsigned_abs()).unwrap_or(0);
        Self { interval_ms, offset_ms }
    }

    /// The first time after `now_ms`.
    pub fn next(&self, now_ms: i64) -> i64 {
        let since = (now_ms - self.offset_ms).rem_euclid(self.interval_ms);
        now_ms - since + self.interval_ms
    }

    /// The time to evaluate for, and how many were missed since `previous_ms`: the latest that has come.
    pub fn due(&self, previous_ms: i64, now_ms: i64) -> (i64, u64) {
        let behind = (now_ms - previous_ms).div_euclid(self.interval_ms).max(1);
        (previous_ms + behind * self.interval_ms, behind.unsigned_abs() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let schedule = Schedule { interval_ms: 60_000, offset_ms: 10_000 };
        for (now_ms, next) in [(0, 10_000), (9_999, 10_000), (10_000, 70_000), (-1, 10_000)] {
            assert_eq!(schedule.next(now_ms), next, "{now_ms}");
        }
        for (previous, now, due) in [
            (10_000, 70_000, (70_000, 0)),
            (10_000, 70_500, (70_000, 0)),
            (10_000, 200_000, (190_000, 2)),
            // A clock that went back does not repeat a time.
            (10_000, -500_000, (70_000, 0)),
        ] {
            assert_eq!(schedule.due(previous, now), due, "{previous} {now}");
        }
    }

    #[test]
    fn groups_are_spread() {
        let offset = |name: &str| Schedule::new(&("f".to_owned(), name.to_owned()), 60_000).offset_ms;
        let offsets: std::collections::BTreeSet<i64> = (0..100).map(|n| offset(&format!("g{n}"))).collect();
        assert!(offsets.len() > 90);
        assert!(offsets.iter().all(|offset| (0..60_000).contains(offset)));
        assert_eq!(offset("g0"), offset("g0"));
    }
}
