//! Aggregates: what is left of samples that are gone, a window of wall-clock time each.
//!
//! They are made of blocks in the moment in which these leave the store, and of nothing else, so that a sample is either
//! there or in an aggregate, and what was deleted before is in neither. They lie in blocks of their own beside those of
//! samples, one folder a [`Resolution`], and are read where no sample of their window is left.

mod older;
pub(crate) mod row;
mod thin;
mod tier;
mod upkeep;

pub use older::Older;
pub(crate) use older::OlderParts;
pub use row::Aggregate;
pub(crate) use tier::{AGGREGATES, Tier};

/// The length of the windows of aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// 5 minutes.
    FiveMinutes,
    /// 1 hour.
    OneHour,
}

impl Resolution {
    /// All of them, the finest first.
    pub const ALL: [Self; 2] = [Self::FiveMinutes, Self::OneHour];

    /// Milliseconds of a window.
    #[must_use]
    pub fn ms(self) -> i64 {
        match self {
            Self::FiveMinutes => 300_000,
            Self::OneHour => 3_600_000,
        }
    }

    /// As PromQL writes the duration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        }
    }

    /// The end of the window that a time lies in. As a range of PromQL, a window has its end and not its beginning.
    pub(crate) fn window_end(self, timestamp: i64) -> i64 {
        timestamp.saturating_sub(1).div_euclid(self.ms()).saturating_add(1).saturating_mul(self.ms())
    }
}

/// For how long aggregates are kept. What is not kept is not made; what was made before stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Downsampling {
    /// Age of the samples behind them after which aggregates of 5 minutes are deleted.
    pub five_minutes_ms: Option<i64>,
    /// Age of the samples behind them after which aggregates of 1 hour are deleted.
    pub one_hour_ms: Option<i64>,
}

impl Downsampling {
    pub(crate) fn keep_ms(&self, resolution: Resolution) -> Option<i64> {
        match resolution {
            Resolution::FiveMinutes => self.five_minutes_ms,
            Resolution::OneHour => self.one_hour_ms,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.five_minutes_ms.is_some() || self.one_hour_ms.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_their_end_and_not_their_beginning() {
        let end = |t| Resolution::FiveMinutes.window_end(t);
        assert_eq!([end(-1), end(0), end(1), end(300_000), end(300_001)], [0, 0, 300_000, 300_000, 600_000]);
        assert_eq!(end(-300_000), -300_000);
        // The ends of time do not panic.
        assert!(end(i64::MIN) <= end(0) && end(i64::MAX) >= end(0));
    }
}
