//! Values of literals, as Go writes them.

use streamflow_gotext::{Error, parse_float, parse_int, unescape};

use super::syntax::Number;

/// The value of a number: whole, or a float where it has a point, an exponent, or is too large.
pub fn number(text: &str) -> Result<Number, String> {
    match parse_int(text) {
        Ok(value) => Ok(Number::Int(value)),
        Err(Error::NumberRange { .. }) => Err("integer overflow".to_owned()),
        Err(_) => parse_float(text).map(Number::Float).map_err(|_| format!("bad number syntax: {text:?}")),
    }
}

/// The code of a character constant such as `'x'`.
pub fn char(text: &str) -> Result<Number, String> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let value = unescaped(inner, '\'').ok_or_else(|| format!("malformed character constant: {text}"))?;
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
    unescaped(inner, '"').ok_or_else(|| format!("invalid syntax in string {quoted}"))
}

/// `None` where an escape is unknown or names no character; bytes that are no UTF-8 become U+FFFD.
fn unescaped(text: &str, mark: char) -> Option<String> {
    unescape(text, mark).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
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
