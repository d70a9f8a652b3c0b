//! Values of literals, as Go writes them.

use super::syntax::Number;

/// The value of a number: whole, or a float where it has a point, an exponent, or is too large.
pub fn number(text: &str) -> Result<Number, String> {
    let bad = || format!("bad number syntax: {text:?}");
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        // A leading zero alone means octal too.
        _ if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|c| c.is_ascii_digit()) => {
            (8, &lower[1..])
        }
        _ => (10, lower.as_str()),
    };
    if let Ok(value) = i128::from_str_radix(body, radix) {
        let value = if negative { -value } else { value };
        return i64::try_from(value).map(Number::Int).map_err(|_| "integer overflow".to_owned());
    }
    if radix != 10 {
        return Err(bad());
    }
    lower.parse().map(|value: f64| Number::Float(if negative { -value } else { value })).map_err(|_| bad())
}

/// The code of a character constant such as `'x'`.
pub fn char(text: &str) -> Result<Number, String> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let value = unescape(inner, '\'').ok_or_else(|| format!("malformed character constant: {text}"))?;
    let mut characters = value.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) => Ok(Number::Int(i64::from(u32::from(c)))),
        _ => Err(format!("malformed character constant: {text}")),
    }
}

/// The text of `"…"` or `` `…` ``.
pub fn string(quoted: &str) -> Result<String, String> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if quoted.starts_with('`') {
        return Ok(inner.replace('\r', ""));
    }
    unescape(inner, '"').ok_or_else(|| format!("invalid syntax in string {quoted}"))
}

/// `None` where an escape is unknown or names no character; bytes that are no UTF-8 become U+FFFD.
fn unescape(text: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escaped = characters.next()?;
        let mut code = |digits: usize, radix: u32, first: u32| {
            (0..digits).try_fold(first, |code, _| Some(code * radix + characters.next()?.to_digit(radix)?))
        };
        let simple = match escaped {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            _ if escaped == quote => u8::try_from(quote).ok()?,
            'x' => u8::try_from(code(2, 16, 0)?).ok()?,
            '0'..='7' => u8::try_from(code(2, 8, escaped.to_digit(8)?)?).ok()?,
            'u' | 'U' => {
                let c = char::from_u32(code(if escaped == 'u' { 4 } else { 8 }, 16, 0)?)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        bytes.push(simple);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("1", Ok(Number::Int(1))),
            ("-1", Ok(Number::Int(-1))),
            ("1.5", Ok(Number::Float(1.5))),
            ("1e3", Ok(Number::Float(1000.0))),
            ("0x1F", Ok(Number::Int(31))),
            ("010", Ok(Number::Int(8))),
            ("1_000", Ok(Number::Int(1000))),
            ("99999999999999999999", Err("integer overflow".to_owned())),
            ("0xg", Err("bad number syntax: \"0xg\"".to_owned())),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn strings() {
        for (quoted, expected) in [
            (r#""a\tb""#, Some("a\tb")),
            (r#""\u00e9\x41\101""#, Some("éAA")),
            (r#""\"""#, Some("\"")),
            (r#""\'""#, None),
            (r#""\uD800""#, None),
            ("`a\\n`", Some("a\\n")),
        ] {
            assert_eq!(string(quoted).ok().as_deref(), expected, "{quoted}");
        }
        assert_eq!(char(r"'\n'"), Ok(Number::Int(10)));
        assert!(char("'ab'").is_err());
    }
}
