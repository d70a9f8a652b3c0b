//! Numbers as Go reads and writes them.

/// What a number that is none is stored as. The stale marker's bits differ, so no exposition can forge it.
const NAN: u64 = 0x7ff8_0000_0000_0001;

/// A number as Go's `strconv.ParseFloat` reads it, without the hexadecimal forms and underscores that Prometheus
/// refuses: `+Inf`, `infinity` and `nan` in any case, never a signed `nan`; a number beyond the range is none.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    if value.is_nan() {
        return (!text.starts_with(['+', '-'])).then_some(f64::from_bits(NAN));
    }
    // Rust reads 1e999 as infinite.
    (value.is_finite() || text.contains(['n', 'N'])).then_some(value)
}

/// Appends a number as expositions write it: the shortest digits that read back the same, with an exponent below
/// 1e-4 and from 1e6 on (Go's `%g`): `1e+06`, `0.001`, `+Inf`.
pub fn format_float(value: f64, out: &mut String) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        let start = out.len();
        let _ = write!(out, "{value:e}");
        let mark = out[start..].find('e').expect("the format has an exponent") + start;
        let exponent: i32 = out[mark + 1..].parse().expect("an exponent is a small integer");
        if (-4..6).contains(&exponent) {
            out.truncate(start);
            let _ = write!(out, "{value}");
        } else {
            out.truncate(mark);
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_go_reads_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("+1.", Some(1.0)),
            ("-.5e3", Some(-500.0)),
            ("1E5", Some(1e5)),
            ("Inf", Some(f64::INFINITY)),
            ("-infINITY", Some(f64::NEG_INFINITY)),
            ("4.9e-324", Some(5e-324)),
            ("1e-400", Some(0.0)),
            ("1e400", None),
            ("0x1p-2", None),
            ("0x10", None),
            ("1_000", None),
            ("+NaN", None),
            ("e5", None),
            (".", None),
            ("", None),
            ("1 ", None),
            ("infinit", None),
        ] {
            assert_eq!(parse_float(text), expected, "{text}");
        }
        for text in ["nan", "NaN", "NAN"] {
            assert_eq!(parse_float(text).unwrap().to_bits(), NAN, "{text}");
        }
    }

    #[test]
    fn numbers_as_go_writes_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456.0, "123456"),
            (1_000_000.0, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1.5e300, "1.5e+300"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut text = String::new();
            format_float(value, &mut text);
            assert_eq!(text, expected);
        }
    }
}
