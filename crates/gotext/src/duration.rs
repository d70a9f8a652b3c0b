//! Lengths of time as Prometheus's `model.Duration` and templates spell them.

use std::fmt::Write as _;

use crate::size::below_one;
use crate::{Error, general};

/// Units in the order in which a duration has them, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * DAY_MS),
    ("w", 7 * DAY_MS),
    ("d", DAY_MS),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
const DAY_MS: i64 = 86_400_000;
/// The longest duration: what 64 bits hold as nanoseconds, about 292 years.
const LONGEST_MS: i64 = i64::MAX / 1_000_000;

/// Reads `1h30m`: whole numbers, each unit at most once, larger ones first; `0` alone needs no unit.
///
/// # Errors
/// When the text is empty or no duration, or the duration is longer than 292 years.
pub fn parse_duration_ms(text: &str) -> Result<i64, Error> {
    match text {
        "" => return Err(Error::DurationEmpty),
        "0" => return Ok(0),
        _ => {}
    }
    let syntax = || Error::DurationSyntax(text.to_owned());
    let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0_i64);
    let mut in_range = true;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).filter(|_| digits > 0).ok_or_else(syntax)?;
        let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*unit_ms));
        match part.and_then(|part| total.checked_add(part)) {
            Some(sum) => total = sum,
            None => in_range = false,
        }
        rest = &rest[digits + letters..];
    }
    if in_range && total <= LONGEST_MS { Ok(total) } else { Err(Error::DurationRange) }
}

/// Writes `1h30m`, `0s` or `-5m`; years and weeks only where nothing is left over.
#[must_use]
pub fn format_duration_ms(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::from(if ms < 0 { "-" } else { "" });
    let mut rest = ms.unsigned_abs();
    for (unit, unit_ms) in UNITS {
        let (unit_ms, whole) = (unit_ms.unsigned_abs(), matches!(unit, "y" | "w"));
        if rest < unit_ms || (whole && !rest.is_multiple_of(unit_ms)) {
            continue;
        }
        write!(text, "{}{unit}", rest / unit_ms).expect("a string grows");
        rest %= unit_ms;
    }
    text
}

/// Writes `1d 2h 3m 4s` of seconds, four digits below a minute, a metric prefix below a second.
#[must_use]
pub fn humanize_duration(seconds: f64) -> String {
    let size = seconds.abs();
    if !seconds.is_finite() {
        return general(seconds, 4);
    }
    if size < 1.0 {
        let (scaled, prefix) = below_one(seconds);
        return format!("{}{prefix}s", general(scaled, 4));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let whole = size as i64;
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", general(size, 4)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, ..) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("15s", 15_000),
            ("90s", 90_000),
            ("1m30s", 90_000),
            ("1h30m", 5_400_000),
            ("1500ms", 1_500),
            ("7d", 7 * DAY_MS),
            ("1y2w3d4h5m6s7ms", 365 * DAY_MS + 17 * DAY_MS + 14_706_007),
            ("292y", 292 * 365 * DAY_MS),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(expected), "{text}");
        }
        for text in ["5", "-5m", "1.5h", "1m1h", "1m1m", "1s1m", "1 s", "s", "1x", "1S", "é", "1é", "00"] {
            let message = format!("not a valid duration string: \"{text}\"");
            assert_eq!(parse_duration_ms(text).unwrap_err().to_string(), message);
        }
        for text in ["300y", "99999999999999999999s", "9223372036854775807y"] {
            assert_eq!(parse_duration_ms(text), Err(Error::DurationRange), "{text}");
        }
        assert_eq!(
            parse_duration_ms("99999999999999999999s1"),
            Err(Error::DurationSyntax("99999999999999999999s1".into()))
        );
        assert_eq!(parse_duration_ms(""), Err(Error::DurationEmpty));
    }

    #[test]
    fn durations_are_written() {
        for (ms, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (1_500, "1s500ms"),
            (90_000, "1m30s"),
            (7_200_000, "2h"),
            (7 * DAY_MS, "1w"),
            (8 * DAY_MS, "8d"),
            (14 * DAY_MS, "2w"),
            (365 * DAY_MS, "1y"),
            (366 * DAY_MS, "366d"),
            (-300_000, "-5m"),
            (i64::MIN, "-106751991167d7h12m55s808ms"),
        ] {
            assert_eq!(format_duration_ms(ms), expected);
        }
    }

    #[test]
    fn durations_are_humanized() {
        for (seconds, expected) in [
            (0.0, "0s"),
            (1.0, "1s"),
            (60.0, "1m 0s"),
            (3_600.0, "1h 0m 0s"),
            (86_400.0, "1d 0h 0m 0s"),
            (86_400.0 + 3_600.0, "1d 1h 0m 0s"),
            (-(86_400.0 * 2.0 + 3_600.0 * 3.0 + 60.0 * 4.0 + 5.0), "-2d 3h 4m 5s"),
            (899.99, "14m 59s"),
            (0.1, "100ms"),
            (0.0001, "100us"),
            (0.12345, "123.5ms"),
            (60.1, "1m 0s"),
            (1.2345, "1.234s"),
            (12.345, "12.35s"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(humanize_duration(seconds), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(ms in 0..=LONGEST_MS) {
            proptest::prop_assert_eq!(parse_duration_ms(&format_duration_ms(ms)), Ok(ms));
        }
    }
}
