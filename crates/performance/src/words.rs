//! Numbers in sentences.

/// A number in four significant digits: errors have the unit of the label, which may be of any size.
#[must_use]
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if (-6..=9).contains(&digits) {
        format!("{value:.*}", digits.max(0) as usize)
    } else {
        format!("{value:.3e}")
    }
}

/// The same with its sign, also where it is positive.
pub(crate) fn signed(value: f64) -> String {
    let sign = if value >= 0.0 { "+" } else { "" };
    format!("{sign}{}", significant(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_have_four_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (12.3456, "12.35"),
            (0.000_123_456, "0.0001235"),
            (123_456.7, "123457"),
            (-9.999_9, "-10.000"),
            (1.5e30, "1.500e30"),
            (1e-15, "1.000e-15"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(value), expected, "{value}");
        }
        assert_eq!((signed(0.5), signed(-2.0)), ("+0.5000".to_owned(), "-2.000".to_owned()));
    }
}
