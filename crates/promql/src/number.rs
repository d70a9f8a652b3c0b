//! Numbers as Go writes them, which is what clients of Prometheus's API read.

/// Shortest decimal that reads back as `value`: plain from 1e-6 to below 1e21, else with an exponent of at least two
/// digits: `21.5`, `NaN`, `+Inf`, `1e-07`, `1e+21` (Go's encoding of JSON numbers, as Prometheus's API uses it).
#[must_use]
pub fn format_value(value: f64) -> String {
    shortest(value, -6, 21)
}

/// Go's `%g`: an exponent below 1e-4 and from 1e21.
pub(crate) fn format_g(value: f64) -> String {
    shortest(value, -4, 21)
}

/// Go's `%.2g`: two significant digits, an exponent from 100.
pub(crate) fn format_two_digits(value: f64) -> String {
    let rounded = format!("{value:.1e}").parse().unwrap_or(value);
    shortest(rounded, -4, 2)
}

/// Go's `'f', -1`: never an exponent.
pub(crate) fn format_plain(value: f64) -> String {
    if value.is_finite() { format!("{value}") } else { special(value).into() }
}

/// As OpenMetrics writes a bound: whole numbers keep a `.0`.
pub(crate) fn format_open_metrics(value: f64) -> String {
    let text = format_g(value);
    if value.is_finite() && !text.contains(['.', 'e']) { format!("{text}.0") } else { text }
}

fn special(value: f64) -> &'static str {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "+Inf",
        (false, false) => "-Inf",
    }
}

/// Plain where the decimal exponent lies in `from..below`.
fn shortest(value: f64, from: i32, below: i32) -> String {
    if !value.is_finite() {
        return special(value).into();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("scientific notation has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if (from..below).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_api() {
        let check = |value: f64, expected: &str| assert_eq!(format_value(value), expected);
        check(21.5, "21.5");
        check(0.0, "0");
        check(-0.0, "-0");
        check(f64::NAN, "NaN");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(1e-6, "0.000001");
        check(1e-7, "1e-07");
        check(1.5e-10, "1.5e-10");
        check(1e20, "100000000000000000000");
        check(1e21, "1e+21");
        check(-1.25e100, "-1.25e+100");
        check(f64::MAX, "1.7976931348623157e+308");
        check(5e-324, "5e-324");
        check(0.1 + 0.2, "0.30000000000000004");
    }

    #[test]
    fn values_of_messages_and_labels() {
        assert_eq!(format_g(1e-5), "1e-05");
        assert_eq!(format_g(-1.1), "-1.1");
        assert_eq!(format_two_digits(123.0), "1.2e+02");
        assert_eq!(format_two_digits(10.126), "10");
        assert_eq!(format_two_digits(0.0), "0");
        assert_eq!(format_open_metrics(1.0), "1.0");
        assert_eq!(format_open_metrics(0.99), "0.99");
        assert_eq!(format_plain(1e21), "1000000000000000000000");
        assert_eq!(format_plain(1e-7), "0.0000001");
        assert_eq!(format_plain(f64::INFINITY), "+Inf");
    }
}
