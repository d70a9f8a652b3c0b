//! Durations as Prometheus writes them: `1h30m`, largest unit first.

const UNITS: &[(&str, i64)] = &[
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds; `0` needs no unit.
///
/// # Errors
/// A sentence with the text, where it is no duration or longer than 292 years (as Prometheus bounds it).
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    match text {
        "" => return Err("empty duration string".to_owned()),
        "0" => return Ok(0),
        _ => {}
    }
    let bad = || format!("not a valid duration string: {text:?}");
    let out_of_range = || "duration out of range".to_owned();
    let (mut rest, mut total, mut units) = (text, 0_i64, UNITS);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let letters =
            rest[digits..].len() - rest[digits..].trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = &rest[digits..digits + letters];
        let at = units.iter().position(|(name, _)| *name == unit).filter(|_| digits > 0).ok_or_else(bad)?;
        let number: i64 = rest[..digits].parse().map_err(|_| out_of_range())?;
        let part = number.checked_mul(units[at].1).ok_or_else(out_of_range)?;
        total = total.checked_add(part).ok_or_else(out_of_range)?;
        units = &units[at + 1..];
        rest = &rest[digits + letters..];
    }
    // Nanoseconds of 64 bits.
    if total > i64::MAX / 1_000_000 { Err(out_of_range()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_as_prometheus_does() {
        for (text, expected) in [
            ("0", Some(0)),
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("1y2w3d4h5m6s7ms", Some(31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_400_000 + 306_007)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("-5m", None),
            ("1m1h", None),
            ("1m1m", None),
            ("1.5h", None),
            ("1 h", None),
            ("é", None),
            ("300y", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(parse_duration_ms(text).ok(), expected, "{text}");
        }
    }
}
