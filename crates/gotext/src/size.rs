//! Sizes in bytes, and numbers with metric prefixes.

use crate::{Error, general};

/// Prefixes for a thousand and above; with an `i` behind them, for 1024 and above.
const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
/// Prefixes for a thousandth and below.
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
/// The prefixes of sizes; more bytes than `8EB` do not fit into 63 bits.
const SIZES: usize = 6;

/// Reads `10MB` or `1KiB`, multiples of 1024 under both spellings; `0` alone needs no unit.
///
/// # Errors
/// When the text is no size, or one of more than 63 bits.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    let fault = || Error::Size(text.to_owned());
    if text == "0" {
        return Ok(0);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fault)?;
    let number: f64 = text[..digits].parse().map_err(|_| fault())?;
    let unit = text[digits..].strip_suffix('B').ok_or_else(fault)?;
    let mut scale = 1.0;
    if !unit.is_empty() {
        let prefix = unit.strip_suffix('i').unwrap_or(unit);
        let mut prefixes = LARGE[..SIZES].iter();
        let place = prefixes.position(|large| large.to_ascii_uppercase() == prefix).ok_or_else(fault)?;
        scale = 1024_f64.powi(i32::try_from(place).map_err(|_| fault())? + 1);
    }
    let size = number * scale;
    #[expect(clippy::cast_precision_loss, reason = "2^63 is exact")]
    let limit = i64::MAX as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^63, never negative")]
    if size < limit { Ok(size as u64) } else { Err(fault()) }
}

/// Writes `1.235k`: four digits and a metric prefix.
#[must_use]
pub fn humanize(value: f64) -> String {
    let (scaled, prefix) = match value.abs() {
        size if size >= 1.0 => above_one(value, 1000.0),
        _ => below_one(value),
    };
    general(scaled, 4) + prefix
}

/// Writes `1.206ki`: four digits and a binary prefix; numbers below 1 have none.
#[must_use]
pub fn humanize_1024(value: f64) -> String {
    let (scaled, prefix) = above_one(value, 1024.0);
    general(scaled, 4) + prefix + if prefix.is_empty() { "" } else { "i" }
}

/// The number divided until it is below `base`, and the prefix for that.
fn above_one(mut value: f64, base: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in LARGE {
        if value.abs() < base || !value.is_finite() {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

/// The number multiplied until it is at least 1, and the prefix for that.
pub(crate) fn below_one(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value == 0.0 || value.is_nan() || value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    (value, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("5B", 5),
            ("1KB", 1 << 10),
            ("1KiB", 1 << 10),
            ("10MB", 10 << 20),
            ("1.5GB", 3 << 29),
            ("2TiB", 2 << 40),
            ("7EB", 7 << 60),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in
            ["", "5", "MB", "1mb", "1kB", "1iB", "1KiiB", "-1B", "1XB", "1ZB", "9EB9", "99EB", "1.2.3B"]
        {
            let message = format!("not a size: \"{text}\", expected one like 512KB or 10MB");
            assert_eq!(parse_size(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn numbers_are_humanized() {
        for (value, metric, binary) in [
            (0.0, "0", "0"),
            (1.0, "1", "1"),
            (-1.0, "-1", "-1"),
            (0.5, "500m", "0.5"),
            (1_234_567.0, "1.235M", "1.177Mi"),
            (1_048_576.0, "1.049M", "1Mi"),
            (1e3, "1k", "1000"),
            (1024.0, "1.024k", "1ki"),
            (0.123_456, "123.5m", "0.1235"),
            (1e-26, "0.01y", "1e-26"),
            (1e27, "1000Y", "827.2Yi"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            assert_eq!(humanize(value), metric);
            assert_eq!(humanize_1024(value), binary);
        }
    }
}
