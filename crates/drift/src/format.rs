//! Numbers as people read them. Machine-readable output never goes through here.

/// Three significant digits, thousands separated by thin spaces; very large and very small ones in powers of ten.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".into()
    } else if !value.is_finite() {
        value.to_string()
    } else if !(1e-4..1e9).contains(&size) {
        format!("{value:.2e}")
    } else if size >= 1000.0 {
        grouped(value.round() as i64)
    } else {
        // floor(log10) digits are before the point already.
        let decimals = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
        minus(trimmed(format!("{value:.decimals$}")))
    }
}

/// A share of one in percent, two significant digits below one percent.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.01 {
        "<0.01 %".into()
    } else if percent.abs() < 1.0 && percent != 0.0 {
        format!("{} %", minus(trimmed(format!("{percent:.2}"))))
    } else {
        format!("{} %", minus(trimmed(format!("{percent:.1}"))))
    }
}

/// A difference of two shares in percentage points, with its sign.
pub(crate) fn points(difference: f64) -> String {
    let size = difference.abs();
    // What a percentage only bounds: an end of an interval next to zero.
    let text =
        if size > 0.0 && size < 0.0001 { trimmed(format!("{:.4}", size * 100.0)) } else { percent(size) };
    let text = text.trim_end_matches(" %");
    let sign = if text == "0" {
        ""
    } else if difference < 0.0 {
        "−"
    } else {
        "+"
    };
    format!("{sign}{text}")
}

/// A p-value: four decimals, or that it is smaller than they can tell.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "<0.0001".into(),
        p if p > 0.99995 => "1".into(),
        p => format!("{p:.4}"),
    }
}

/// `12 rows`, `1 row`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n as i64), if n == 1 { "" } else { "s" })
}

/// The first names, quoted, and how many more there are.
pub(crate) fn list(names: &[&str], most: usize) -> String {
    let mut words: Vec<String> =
        names.iter().take(most).map(|name| format!("{:?}", crate::summary::shorten(name))).collect();
    if names.len() > most {
        words.push(format!("{} more", names.len() - most));
    }
    words.join(", ")
}

/// Thousands separated by a narrow no-break space.
pub(crate) fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "−" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A hyphen is no minus sign.
fn minus(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (0.204_990_961, "0.205"),
            (-2.5, "−2.5"),
            (29.141, "29.1"),
            (999.6, "1000"),
            (7043.0, "7\u{202f}043"),
            (1e12, "1.00e12"),
            (1.5e-7, "1.50e-7"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn shares_and_p_values_are_short() {
        assert_eq!(
            [0.0, 0.000_01, 0.0042, 0.0625, 1.0].map(percent),
            ["0 %", "<0.01 %", "0.42 %", "6.2 %", "100 %"]
        );
        assert_eq!(
            [-0.0239, 0.004, 0.0, -1.0, 0.000_02].map(points),
            ["−2.4", "+0.4", "0", "−100", "+0.002"]
        );
        assert_eq!([0.5, 0.000_099, 0.0].map(p_value), ["0.5000", "<0.0001", "<0.0001"]);
        assert_eq!(count(1, "row") + &count(2, "row"), "1 row2 rows");
        assert_eq!(list(&["a", "b", "c"], 2), "\"a\", \"b\", 1 more");
    }
}
