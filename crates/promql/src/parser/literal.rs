//! The values of numbers and quoted texts.

use streamflow_gotext::{Error, parse_float, parse_int, quote_bytes, unescape};

/// The value of `1.5`, `0x1F`, `017` (octal), `1_000`, `inf` or `nan`.
///
/// # Errors
/// When the text is no number, or one beyond the range of a float.
#[allow(clippy::cast_precision_loss, reason = "PromQL's numbers are 64-bit floats")]
pub(crate) fn number(text: &str) -> Result<f64, Error> {
    parse_int(text).map(|value| value as f64).or_else(|_| parse_float(text))
}

/// The bytes that a quoted text stands for. The lexer has seen to it that its escapes are well-formed; `\xFF` may make
/// it something other than UTF-8.
pub(super) fn unquote(quoted: &str) -> Vec<u8> {
    let inner = &quoted[1..quoted.len() - 1];
    let mark = char::from(quoted.as_bytes()[0]);
    let unescaped = if mark == '`' { None } else { unescape(inner, mark).ok() };
    unescaped.unwrap_or_else(|| inner.as_bytes().to_vec())
}

/// Where the stand-ins of single bytes begin: the end of a plane that Unicode leaves to private use.
const STAND_INS: u32 = 0x10_ff00;

/// The text that a quoted one stands for. A byte that is no UTF-8, as `\xFF` may be, has a character in its place that no
/// label has, so that matchers find nothing by it and [`written`] gives the byte again.
pub(super) fn text(quoted: &str) -> String {
    let mut text = String::new();
    for chunk in unquote(quoted).utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(STAND_INS + u32::from(*byte))));
    }
    text
}

fn byte_of(character: char) -> Option<u8> {
    let byte = u32::from(character).checked_sub(STAND_INS)?;
    // Bytes below are UTF-8 by themselves.
    u8::try_from(byte).ok().filter(|byte| *byte >= 0x80)
}

/// Go's `%q` of a text of a query.
pub(crate) fn written(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    quote_bytes(&bytes)
}

/// Whether a text of a query has no bytes but UTF-8.
pub(crate) fn is_utf8(text: &str) -> bool {
    text.chars().all(|character| byte_of(character).is_none())
}

/// A text of a query as an answer has it: with a replacement character for each byte that is no UTF-8.
#[must_use]
pub fn answered(text: &str) -> String {
    text.chars()
        .map(|character| byte_of(character).map_or(character, |_| char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf8_are_written_as_they_were() {
        for (quoted, expected, shown) in [
            (r#""a\xffb""#, r#""a\xffb""#, "a\u{fffd}b"),
            (r#""\xe6\x97\xa5\377""#, r#""日\xff""#, "日\u{fffd}"),
            (r"'\xe6\x97'", r#""\xe6\x97""#, "\u{fffd}\u{fffd}"),
            ("`\\xff`", r#""\\xff""#, "\\xff"),
            (r#""\U0010ff7f""#, r#""\U0010ff7f""#, "\u{10ff7f}"),
        ] {
            let text = text(quoted);
            assert_eq!(written(&text), expected, "{quoted}");
            assert_eq!(answered(&text), shown, "{quoted}");
        }
    }
}
