//! Numbers, times and durations as Go's JSON has them, and Prometheus with it.

use serde::Serializer;
use streamflow_gotext::format_duration_ms;

/// Whole numbers without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "the value is whole and below 2^53")]
pub fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// Below it every whole number is exact.
    const EXACT: f64 = 9e15;
    if value.fract() == 0.0 && value.abs() < EXACT {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// Milliseconds since 1970 as RFC 3339.
pub fn time<S: Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*ms))
}

/// Milliseconds as `1m30s`.
pub fn duration<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_duration_ms(i64::try_from(*ms).unwrap_or(i64::MAX)))
}

/// RFC 3339 with a fraction where it is not zero; the year 1 for no time.
pub fn rfc3339(time_ms: Option<i64>) -> String {
    match time_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        Some(time) => time.to_string(),
        None => "0001-01-01T00:00:00Z".to_owned(),
    }
}
