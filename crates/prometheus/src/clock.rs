//! The time of day, and how far ahead of it samples may be.

use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Samples further ahead of this server's clock are refused, scraped or sent: the series would take none of the present
/// until that time.
const AHEAD_MAX_MS: i64 = 600_000;

/// The latest time that a sample may have at `now_ms`, both in milliseconds since 1970.
pub(crate) fn latest_ms(now_ms: i64) -> i64 {
    now_ms.saturating_add(AHEAD_MAX_MS)
}
