//! The windows that end with the present minute.

use serde::Serialize;

/// Minutes of a block, in which older minutes are kept.
pub const BLOCK_MINUTES: i64 = 15;

/// Entities that a block keeps on its first day.
pub(crate) const BLOCK_ENTITIES: usize = 2048;

/// The block that a minute is in.
pub(crate) fn block_of(minute: i64) -> i64 {
    minute.div_euclid(BLOCK_MINUTES)
}

/// How far back a window reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Window {
    /// 15 minutes.
    #[serde(rename = "15m")]
    QuarterHour,
    /// 60 minutes.
    #[serde(rename = "1h")]
    Hour,
    /// 6 hours.
    #[serde(rename = "6h")]
    SixHours,
    /// 24 hours.
    #[serde(rename = "24h")]
    Day,
}

impl Window {
    /// All, the shortest first.
    pub const ALL: [Window; 4] = [Window::QuarterHour, Window::Hour, Window::SixHours, Window::Day];

    /// Its length in minutes.
    #[must_use]
    pub fn minutes(self) -> u32 {
        match self {
            Window::QuarterHour => 15,
            Window::Hour => 60,
            Window::SixHours => 360,
            Window::Day => 1440,
        }
    }

    /// Its name in metrics and on pages: `15m`, `1h`, `6h`, `24h`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Window::QuarterHour => "15m",
            Window::Hour => "1h",
            Window::SixHours => "6h",
            Window::Day => "24h",
        }
    }
}
