//! The values of numbers and quoted texts.

use streamflow_gotext::{Error, parse_float, parse_int, unescape};

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
