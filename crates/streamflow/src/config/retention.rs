//! How many of a kind are kept, and how long: the keys of several sections.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// `[snapshots]`: how long ingested months are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotsConfig {
    /// Age of its date after which a month is deleted; none: at no age.
    pub keep_days: Option<NonZeroU32>,
    /// Months over which the oldest are deleted; none: any number is kept.
    pub keep_months: Option<NonZeroU32>,
}

/// What is kept of a kind of which the newest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub days: Option<NonZeroU32>,
    pub count: Option<NonZeroU32>,
}

impl Keep {
    /// True where nothing is ever deleted.
    pub fn is_everything(self) -> bool {
        self == Self { days: None, count: None }
    }

    /// Why something is not kept for its age in days or its place, 0 for the newest; none where it is kept.
    pub fn limit(self, age_days: i64, place: usize) -> Option<String> {
        if let Some(days) = self.days.filter(|days| age_days > i64::from(days.get())) {
            return Some(format!("it is older than {days} days"));
        }
        let count = self.count.filter(|count| place >= count.get() as usize)?;
        Some(format!("it is not among the newest {count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_or_more_than_is_kept_has_a_reason() {
        let keep = |days, count| Keep { days: NonZeroU32::new(days), count: NonZeroU32::new(count) };
        for (keep, age_days, place, expected) in [
            (keep(0, 0), 10_000, 10_000, None),
            (keep(90, 0), 90, 10_000, None),
            (keep(90, 0), 91, 0, Some("it is older than 90 days")),
            (keep(0, 3), 10_000, 2, None),
            (keep(0, 3), 0, 3, Some("it is not among the newest 3")),
            (keep(90, 3), 91, 3, Some("it is older than 90 days")),
        ] {
            assert_eq!(keep.limit(age_days, place).as_deref(), expected, "{keep:?} {age_days} {place}");
        }
    }
}
