//! Floats as text, the way Go's strconv and fmt write them.

/// No float has more digits than this; further ones are zeros, and Rust formats no more than 65,535.
const DIGITS_MAX: usize = 1100;

/// `%e`: `digits` after the point, or as few as tell the value apart.
pub fn exponential(value: f64, digits: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let shown = digits.map(|digits| digits.min(DIGITS_MAX));
    let text = match shown {
        Some(digits) => format!("{value:.digits$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = split(&text);
    with_exponent(&(mantissa.to_owned() + &zeros(digits)), exponent)
}

/// `%f`.
pub fn fixed(value: f64, digits: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    match digits {
        Some(shown) => format!("{value:.*}", shown.min(DIGITS_MAX)) + &zeros(digits),
        None => format!("{value}"),
    }
}

/// The digits that are asked for beyond those of any float.
fn zeros(digits: Option<usize>) -> String {
    "0".repeat(digits.unwrap_or(0).saturating_sub(DIGITS_MAX))
}

/// `%g`: `digits` in all, without zeros at the end; the exponent's form below 1e-4 and where the point would stand
/// after more digits than there are (from 1e6 without a precision).
pub fn general(value: f64, digits: Option<usize>) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let text = match digits {
        Some(digits) => format!("{value:.*e}", digits.clamp(1, DIGITS_MAX) - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = split(&text);
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let limit = match digits {
        None => 6,
        Some(digits) => i32::try_from(digits.max(1)).unwrap_or(i32::MAX),
    };
    if exponent < -4 || exponent >= limit {
        return with_exponent(mantissa, exponent);
    }
    let after_point = i32::try_from(significant).unwrap_or(i32::MAX) - 1 - exponent;
    // The text above is already rounded, and parses to a value whose fixed form has exactly these digits.
    let rounded: f64 = text.parse().unwrap_or(value);
    format!("{rounded:.*}", usize::try_from(after_point).unwrap_or(0))
}

/// `%x`: the mantissa in hexadecimal.
pub fn hexadecimal(value: f64) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let bits = value.to_bits();
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    let (mut fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52) & 0x7ff);
    let mut exponent = i64::try_from(biased).unwrap_or(0) - 1023;
    if biased == 0 {
        if fraction == 0 {
            return format!("{sign}0x0p+00");
        }
        // Subnormal: normalised as the rest.
        let shift = fraction.leading_zeros() - 11;
        fraction = (fraction << shift) & ((1 << 52) - 1);
        exponent = -1022 - i64::from(shift);
    }
    let digits = format!("{fraction:013x}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}0x1{point}{digits}p{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// Mantissa and exponent of Rust's form.
fn split(text: &str) -> (&str, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa, exponent.parse().unwrap_or(0))
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_without_end() {
        for write in [exponential, fixed, general] {
            let text = write(0.1, Some(1_000_000));
            assert!(text.starts_with("0.1") || text.starts_with("1."), "{}", &text[..10]);
        }
        assert_eq!(fixed(0.5, Some(100_000)).len(), 100_002);
        assert!(general(5e-324, Some(2_000)).ends_with("e-324"));
    }

    #[test]
    fn as_go_writes_them() {
        for (text, expected) in [
            (exponential(1.0, None), "1e+00"),
            (exponential(12345.678, Some(2)), "1.23e+04"),
            (fixed(1e6, Some(2)), "1000000.00"),
            (fixed(0.1, None), "0.1"),
            (general(0.00001, None), "1e-05"),
            (general(123_456.0, None), "123456"),
            (general(1_234_567.0, None), "1.234567e+06"),
            (general(0.0001, None), "0.0001"),
            (general(1234.5678, Some(4)), "1235"),
            (general(0.123_456, Some(4)), "0.1235"),
            (general(999.99, Some(4)), "1000"),
            (general(99999.0, Some(4)), "1e+05"),
            (general(0.0, Some(4)), "0"),
            (general(-0.0, None), "-0"),
            (general(f64::NAN, None), "NaN"),
            (general(f64::NEG_INFINITY, Some(4)), "-Inf"),
            (hexadecimal(1.0), "0x1p+00"),
            (hexadecimal(-255.5), "-0x1.ffp+07"),
            (hexadecimal(5e-324), "0x1p-1074"),
        ] {
            assert_eq!(text, expected);
        }
    }
}
