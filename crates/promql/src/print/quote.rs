//! Texts and durations as Go prints them.

use std::fmt::Write;

/// Go's `%q` of a text: `"a\n\"b\""`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        escape(c, '"', &mut out);
    }
    out.push('"');
    out
}

/// Go's `%q` of bytes that may not be UTF-8: what is not is `\xff`.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape(c, '"', &mut out);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// Go's `%q` of a character; of the end of the input, a replacement character.
pub(crate) fn quote_char(c: Option<char>) -> String {
    let mut out = String::from("'");
    escape(c.unwrap_or(char::REPLACEMENT_CHARACTER), '\'', &mut out);
    out.push('\'');
    out
}

fn escape(c: char, mark: char, out: &mut String) {
    // Writing to a text cannot fail.
    let _ = match c {
        '\\' => out.write_str("\\\\"),
        _ if c == mark => write!(out, "\\{mark}"),
        '\u{7}' => out.write_str("\\a"),
        '\u{8}' => out.write_str("\\b"),
        '\u{c}' => out.write_str("\\f"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{b}' => out.write_str("\\v"),
        _ if is_printed(c) => out.write_char(c),
        _ => match u32::from(c) {
            code @ ..0x80 => write!(out, "\\x{code:02x}"),
            code @ ..0x1_0000 => write!(out, "\\u{code:04x}"),
            code => write!(out, "\\U{code:08x}"),
        },
    };
}

/// Whether Go prints a character as it is. Rust's own escaping knows the same property, but also escapes a combining
/// mark at the start of a text, so it is asked with a letter before.
fn is_printed(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut with_letter = String::from("a");
    with_letter.push(c);
    with_letter.escape_debug().count() == 2
}

/// Whether a label or metric of this name needs no quotes. `colon`: metrics may have colons.
pub(crate) fn is_plain_name(name: &str, colon: bool) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic() || (colon && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Milliseconds as Prometheus prints a duration: `1h30m`, `0s`; years and weeks only where nothing is left over.
pub(crate) fn duration(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::from(if ms < 0 { "-" } else { "" });
    let mut rest = ms.unsigned_abs();
    for (unit, length, whole) in [
        ("y", 365 * 86_400_000, true),
        ("w", 7 * 86_400_000, true),
        ("d", 86_400_000, false),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1_000, false),
        ("ms", 1, false),
    ] {
        let count = rest / length;
        if count == 0 || (whole && !rest.is_multiple_of(length)) {
            continue;
        }
        let _ = write!(out, "{count}{unit}");
        rest -= count * length;
    }
    out
}

/// A number without an exponent: Go's `strconv.FormatFloat(v, 'f', -1, 64)`.
pub(crate) fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ if value.is_nan() => "NaN".to_owned(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, number, quote, quote_bytes};

    #[test]
    fn texts_are_quoted_as_go_does() {
        // fmt.Sprintf("%q", …) of Go 1.24.
        for (text, expected) in [
            ("", r#""""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{7f}", r#""\x00\x7f""#),
            ("é世\u{301}", "\"é世\u{301}\""),
            ("\u{a0}\u{200b}", r#""\u00a0\u200b""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote_bytes(b"a\xc5z"), r#""a\xc5z""#);
    }

    #[test]
    fn durations_are_printed_as_prometheus_does() {
        for (ms, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (90_000, "1m30s"),
            (7 * 86_400_000, "1w"),
            (8 * 86_400_000, "8d"),
            (365 * 86_400_000, "1y"),
            (366 * 86_400_000, "366d"),
            (-300_000, "-5m"),
            (i64::MIN, "-106751991167d7h12m55s808ms"),
        ] {
            assert_eq!(duration(ms), expected);
        }
    }

    #[test]
    fn numbers_have_no_exponent() {
        for (value, expected) in [
            (1e21, "1000000000000000000000"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
