//! Texts in quotes, as Go's `strconv` writes and reads them.

use std::fmt::Write as _;

use crate::Error;

/// Writes Go's `%q` of a text: `"a\n\"b\""`.
#[must_use]
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes())
}

/// Writes Go's `%q` of bytes that may not be UTF-8: what is not is `\xff`.
#[must_use]
pub fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            escape(c, '"', &mut out);
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect(GROWS);
        }
    }
    out.push('"');
    out
}

/// Writes Go's `%q` of a character: `'\n'`.
#[must_use]
pub fn quote_char(c: char) -> String {
    let mut out = String::from("'");
    escape(c, '\'', &mut out);
    out.push('\'');
    out
}

const GROWS: &str = "a string grows";

fn escape(c: char, mark: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        _ if c == mark => out.extend(['\\', mark]),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if is_printed(c) => out.push(c),
        _ => match u32::from(c) {
            code @ ..0x80 => write!(out, "\\x{code:02x}").expect(GROWS),
            code @ ..0x1_0000 => write!(out, "\\u{code:04x}").expect(GROWS),
            code => write!(out, "\\U{code:08x}").expect(GROWS),
        },
    }
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

/// The bytes that the text between two marks stands for; `\xff` may make them something other than UTF-8.
///
/// # Errors
/// When an escape is unknown or names no character. Of the two marks only the text's own can be escaped.
pub fn unescape(text: &str, mark: char) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let used = unescape_one(escaped, mark, &mut bytes).ok_or(Error::Escape)?;
        rest = &escaped[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Appends what the escape at the start of `rest` stands for; gives the bytes it takes, without its backslash.
fn unescape_one(rest: &str, mark: char, bytes: &mut Vec<u8>) -> Option<usize> {
    let first = rest.chars().next()?;
    let byte = match first {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' | '\'' if first == mark => rest.as_bytes()[0],
        '0'..='7' => {
            bytes.push(u8::try_from(code(rest.get(..3)?, 8)?).ok()?);
            return Some(3);
        }
        'x' => {
            bytes.push(u8::try_from(code(rest.get(1..3)?, 16)?).ok()?);
            return Some(3);
        }
        'u' | 'U' => {
            let end = if first == 'u' { 5 } else { 9 };
            let c = char::from_u32(code(rest.get(1..end)?, 16)?)?;
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(end);
        }
        _ => return None,
    };
    bytes.push(byte);
    Some(1)
}

/// The number of the digits, of which all must be digits: a sign is none.
fn code(digits: &str, radix: u32) -> Option<u32> {
    digits.chars().try_fold(0_u32, |code, c| code.checked_mul(radix)?.checked_add(c.to_digit(radix)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        // fmt.Sprintf("%q", …) of Go.
        for (text, expected) in [
            ("", r#""""#),
            ("a\"b\\c'd", r#""a\"b\\c'd""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{7f}", r#""\x00\x7f""#),
            ("é世\u{301}", "\"é世\u{301}\""),
            ("\u{85}\u{a0}\u{200b}", r#""\u0085\u00a0\u200b""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote_bytes(b"a\xc5z"), r#""a\xc5z""#);
        for (c, expected) in
            [('a', "'a'"), ('\'', r"'\''"), ('"', "'\"'"), ('\n', r"'\n'"), ('\u{301}', "'\u{301}'")]
        {
            assert_eq!(quote_char(c), expected);
        }
    }

    #[test]
    fn escapes_are_undone() {
        for (text, mark, expected) in [
            ("", '"', &b""[..]),
            (r"a\tb", '"', b"a\tb"),
            (r"\a\b\f\n\r\t\v\\", '"', b"\x07\x08\x0c\n\r\t\x0b\\"),
            (r"\u00e9\x41\101", '"', "éAA".as_bytes()),
            (r"\U0001F600", '"', "😀".as_bytes()),
            (r"\xff\377", '"', b"\xff\xff"),
            (r#"\""#, '"', b"\""),
            (r"\'", '\'', b"'"),
            ("é'", '"', "é'".as_bytes()),
        ] {
            assert_eq!(unescape(text, mark).as_deref(), Ok(expected), "{text}");
        }
        for (text, mark) in [
            (r"\'", '"'),
            (r#"\""#, '\''),
            (r"\", '"'),
            (r"\z", '"'),
            (r"\é", '"'),
            (r"\uD800", '"'),
            (r"\U00110000", '"'),
            (r"\UFFFFFFFF", '"'),
            (r"\u00", '"'),
            (r"\u+0e9", '"'),
            (r"\x4", '"'),
            (r"\x4é", '"'),
            (r"\400", '"'),
            (r"\18", '"'),
        ] {
            assert_eq!(unescape(text, mark), Err(Error::Escape), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_quoted_is_read_back(bytes: Vec<u8>) {
            let quoted = quote_bytes(&bytes);
            proptest::prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1], '"').unwrap(), bytes);
        }
    }
}
