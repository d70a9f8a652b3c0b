//! Durations and sizes as `prometheus.yml` spells them: `1m30s`, `10MB`.

use std::time::Duration;

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// `1m30s`: whole numbers, each unit once, from the largest to the smallest; `0` alone needs none.
///
/// # Errors
/// With the text and what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let fault = || format!("not a duration: {text:?}, expected one like 30s, 1m30s or 2h");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut units, mut total) = (text, UNITS.iter(), 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let number: u64 = rest[..digits].parse().map_err(|_| fault())?;
        let behind = &rest[digits..];
        let unit = &behind[..behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len())];
        let (_, milliseconds) = units.find(|(name, _)| *name == unit).ok_or_else(fault)?;
        total =
            number.checked_mul(*milliseconds).and_then(|part| total.checked_add(part)).ok_or_else(fault)?;
        rest = &behind[unit.len()..];
    }
    // Prometheus counts nanoseconds in 63 bits.
    if text.is_empty() || total > i64::MAX as u64 / 1_000_000 {
        return Err(fault());
    }
    Ok(Duration::from_millis(total))
}

/// The spelling of a duration: `90 s` is `1m30s`; weeks and years only where nothing is left over.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_millis() as u64;
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let whole = matches!(unit, "y" | "w");
        if (whole && !rest.is_multiple_of(milliseconds)) || rest < milliseconds {
            continue;
        }
        text += &format!("{}{unit}", rest / milliseconds);
        rest %= milliseconds;
    }
    text
}

/// `10MB`, `1KiB`: multiples of 1024 under both spellings; `0` alone needs no unit.
///
/// # Errors
/// With the text and what was expected.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let fault = || format!("not a size: {text:?}, expected one like 512KB or 10MB");
    if text == "0" {
        return Ok(0);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fault)?;
    let number: f64 = text[..digits].parse().map_err(|_| fault())?;
    let power = match &text[digits..] {
        "B" => 0,
        unit => {
            let prefix = unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B')).ok_or_else(fault)?;
            1 + ["K", "M", "G", "T", "P", "E"].iter().position(|known| *known == prefix).ok_or_else(fault)?
                as i32
        }
    };
    let size = number * 1024_f64.powi(power);
    if size < i64::MAX as f64 { Ok(size as u64) } else { Err(fault()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds, spelled) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("15s", 15_000, "15s"),
            ("90s", 90_000, "1m30s"),
            ("1m30s", 90_000, "1m30s"),
            ("1500ms", 1500, "1s500ms"),
            ("2h", 7_200_000, "2h"),
            ("7d", 604_800_000, "1w"),
            ("8d", 691_200_000, "8d"),
            ("1y", 31_536_000_000, "1y"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(
                (duration.as_millis(), format_duration(duration).as_str()),
                (milliseconds, spelled),
                "{text}"
            );
        }
        for text in ["", "5", "1.5m", "-1s", "1s1m", "1s1s", "1 s", "s", "1x", "99999999999y", "300y"] {
            assert!(parse_duration(text).unwrap_err().contains("not a duration"), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("5B", 5), ("1KB", 1024), ("1KiB", 1024), ("10MB", 10 << 20), ("1.5GB", 3 << 29)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "5", "MB", "1mb", "-1B", "1XB", "9EB9", "99EB", "1.2.3B"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
