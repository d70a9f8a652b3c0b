//! The values of numbers, durations and quoted texts.

use crate::print::quote;

/// The most milliseconds of a duration: what fits into 64 bits as nanoseconds, about 292 years.
const DURATION_MAX_MS: i64 = i64::MAX / 1_000_000;
/// Units in the order in which a duration has them.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The value of `1.5`, `0x1F`, `017` (octal), `1_000`, `inf` or `nan`; else the reason, as Go's `strconv` words it.
pub(super) fn number(text: &str) -> Result<f64, String> {
    if let Some(value) = integer(text) {
        return Ok(value);
    }
    let error = |reason: &str| {
        Err(format!("error parsing number: strconv.ParseFloat: parsing {}: {reason}", quote(text)))
    };
    match text.to_ascii_lowercase().as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    if !underscores_separate_digits(text) {
        return error("invalid syntax");
    }
    match text.replace('_', "").parse::<f64>() {
        Ok(value) if value.is_infinite() => error("value out of range"),
        Ok(value) => Ok(value),
        Err(_) => error("invalid syntax"),
    }
}

/// What fits into 64 bits as an integer of Go's syntax.
#[allow(clippy::cast_precision_loss, reason = "PromQL's numbers are 64-bit floats")]
fn integer(text: &str) -> Option<f64> {
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        _ => (10, text),
    };
    // An underscore may follow the prefix.
    let digits = if radix == 10 { digits } else { digits.strip_prefix('_').unwrap_or(digits) };
    if digits.starts_with(['_', '+', '-']) || !underscores_separate_digits(digits) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), radix).ok().map(|value| value as f64)
}

fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').all(|(at, _)| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        at > 0 && digit(bytes.get(at - 1)) && digit(bytes.get(at + 1))
    })
}

/// The milliseconds of `1h30m`: each unit at most once, larger ones first; else the reason.
pub(super) fn duration_ms(text: &str) -> Result<i64, String> {
    let (mut rest, mut total, mut next_unit) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        let (count, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let position = UNITS.iter().position(|(name, _)| *name == unit);
        let Some(index) = position.filter(|index| *index >= next_unit && digits > 0) else {
            return Err(format!("not a valid duration string: {}", quote(text)));
        };
        next_unit = index + 1;
        let value = count.parse::<i64>().ok().and_then(|count| count.checked_mul(UNITS[index].1));
        total = value
            .and_then(|value| total.checked_add(value))
            .filter(|total| *total <= DURATION_MAX_MS)
            .ok_or_else(|| "duration out of range".to_owned())?;
        rest = &rest[digits + letters..];
    }
    Ok(total)
}

/// The bytes that a quoted text stands for. The lexer has seen to it that its escapes are well-formed; `\xFF` may make
/// it something other than UTF-8.
pub(super) fn unquote(quoted: &str) -> Vec<u8> {
    let inner = &quoted[1..quoted.len() - 1];
    if quoted.starts_with('`') {
        return inner.as_bytes().to_vec();
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let used = escaped(rest, &mut bytes);
        rest = &rest[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Appends what the escape at the start of `rest` stands for; the bytes it takes, without its backslash.
fn escaped(rest: &str, bytes: &mut Vec<u8>) -> usize {
    let code = |digits: &str, radix| u32::from_str_radix(digits, radix).unwrap_or(0);
    let first = rest.as_bytes()[0];
    match first {
        b'a' => bytes.push(0x07),
        b'b' => bytes.push(0x08),
        b'f' => bytes.push(0x0c),
        b'n' => bytes.push(b'\n'),
        b'r' => bytes.push(b'\r'),
        b't' => bytes.push(b'\t'),
        b'v' => bytes.push(0x0b),
        b'0'..=b'7' => {
            bytes.push(code(&rest[..3], 8).to_le_bytes()[0]);
            return 3;
        }
        b'x' => {
            bytes.push(code(&rest[1..3], 16).to_le_bytes()[0]);
            return 3;
        }
        b'u' | b'U' => {
            let end = if first == b'u' { 5 } else { 9 };
            let c = char::from_u32(code(&rest[1..end], 16)).unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return end;
        }
        // The backslash and the quotes stand for themselves.
        other => bytes.push(other),
    }
    1
}
