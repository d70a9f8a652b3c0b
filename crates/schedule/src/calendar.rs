//! Minutes of a clock as numbers: how many passed on it since 1970-01-01T00:00, whatever happened to the clock.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

pub(crate) const MINUTES_A_DAY: i64 = 24 * 60;

/// The date, and how many of its minutes passed; `None` outside of the calendar.
pub(crate) fn date_of(minute: i64) -> Option<(Date, i64)> {
    let midnight = minute.div_euclid(MINUTES_A_DAY) * MINUTES_A_DAY;
    let instant = Timestamp::from_second(midnight.checked_mul(60)?).ok()?;
    Some((Offset::UTC.to_datetime(instant).date(), minute - midnight))
}

/// The number of a minute; seconds are left out, and `None` stands for what is outside of the calendar.
pub(crate) fn minute_of(local: DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(local).ok()?.as_second().div_euclid(60))
}

/// The second that an instant is in.
pub(crate) fn second_of(instant: Timestamp) -> i64 {
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}
