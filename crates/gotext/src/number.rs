//! Numbers as Go's `strconv` reads and writes them.

use std::borrow::Cow;
use std::fmt;

use crate::Error;

/// The bits of Go's NaN. Those of Prometheus's stale marker differ, so no text can forge it.
const NAN: u64 = 0x7ff8_0000_0000_0001;
/// No float has more digits than this; further ones are zeros, and Rust formats no more than 65,535.
const DIGITS_MAX: usize = 1100;

/// Reads an integer as Go's `ParseInt` does with base 0: `0x1F`, `0b11`, `0o17`, `017` (octal), `1_000`, `-1`.
///
/// # Errors
/// When the text is no integer, or one that 64 bits do not hold.
pub fn parse_int(text: &str) -> Result<i64, Error> {
    const FUNCTION: &str = "ParseInt";
    let syntax = || Error::NumberSyntax { function: FUNCTION, text: text.to_owned() };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // The prefix counts as a digit, so an underscore may follow it.
    let digits = without_underscores(digits, digits.len() < unsigned.len(), radix).ok_or_else(syntax)?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(syntax());
    }
    let signed = if text.starts_with('-') { format!("-{digits}") } else { digits.into_owned() };
    i64::from_str_radix(&signed, radix)
        .map_err(|_| Error::NumberRange { function: FUNCTION, text: text.to_owned() })
}

/// Reads a float as Go's `ParseFloat` does: `1.5e3`, `1_000`, `+Inf`, `infinity` and `nan` in any case. The hexadecimal
/// form is left out, because nothing of Prometheus's writes it.
///
/// # Errors
/// When the text is no number, or one beyond the range of a float.
pub fn parse_float(text: &str) -> Result<f64, Error> {
    const FUNCTION: &str = "ParseFloat";
    let syntax = || Error::NumberSyntax { function: FUNCTION, text: text.to_owned() };
    let digits = without_underscores(text, false, 10).ok_or_else(syntax)?;
    match parse_decimal(&digits) {
        Some(value) => Ok(value),
        None if digits.parse::<f64>().is_ok_and(f64::is_infinite) => {
            Err(Error::NumberRange { function: FUNCTION, text: text.to_owned() })
        }
        None => Err(syntax()),
    }
}

/// Reads a float as expositions have it: [`parse_float`] without underscores. A signed `nan` and a number beyond the
/// range are none.
#[must_use]
pub fn parse_decimal(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    if value.is_nan() {
        return (!text.starts_with(['+', '-'])).then_some(f64::from_bits(NAN));
    }
    // Rust reads 1e999 as infinite.
    (value.is_finite() || text.contains(['n', 'N'])).then_some(value)
}

/// The text without its underscores; `None` where one does not stand between digits. `after_digit`: a digit stands
/// before the text.
fn without_underscores(text: &str, after_digit: bool, radix: u32) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let is_digit = |byte: u8| char::from(byte).is_digit(radix.max(10));
    for (at, _) in text.match_indices('_') {
        let before = if at == 0 { after_digit } else { is_digit(bytes[at - 1]) };
        if !before || !bytes.get(at + 1).is_some_and(|byte| is_digit(*byte)) {
            return None;
        }
    }
    Some(Cow::Owned(text.replace('_', "")))
}

/// A number with its shortest digits, to be displayed.
#[derive(Debug, Clone, Copy)]
pub struct Shortest {
    value: f64,
    /// The sizes that need no exponent begin here.
    plain_from: f64,
    /// They end below this.
    plain_below: f64,
}

/// Go's `%g`: an exponent below 1e-4 and from 1e6 on: `1e+06`, `0.001`, `+Inf`.
#[must_use]
pub fn shortest(value: f64) -> Shortest {
    Shortest { value, plain_from: 1e-4, plain_below: 1e6 }
}

/// Go's encoding of JSON numbers, as Prometheus's API has it: an exponent below 1e-6 and from 1e21 on.
#[must_use]
pub fn shortest_json(value: f64) -> Shortest {
    Shortest { value, plain_from: 1e-6, plain_below: 1e21 }
}

/// OpenMetrics' spelling of bounds and quantiles: [`shortest`], but whole numbers keep a `.0`.
#[must_use]
pub fn open_metrics(value: f64) -> String {
    let text = shortest(value).to_string();
    if value.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

/// Fractions from here on
const FRACTION_FROM: f64 = 1e-4;
/// up to here are written without an exponent.
const FRACTION_BELOW: f64 = 1e15;

impl Shortest {
    /// Appends what [`fmt::Display`] writes.
    pub fn write(self, out: &mut Vec<u8>) {
        match self.fraction(&mut zmij::Buffer::new()) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => out.extend_from_slice(self.to_string().as_bytes()),
        }
    }

    /// Of two texts that are as short and as near, Go takes the one with the even digit, and Rust the larger one.
    fn fraction(self, buffer: &mut zmij::Buffer) -> Option<&str> {
        let plain = self.plain_from.max(FRACTION_FROM)..self.plain_below.min(FRACTION_BELOW);
        let is_fraction = plain.contains(&self.value.abs()) && self.value.trunc() != self.value;
        is_fraction.then(|| buffer.format_finite(self.value))
    }
}

impl fmt::Display for Shortest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.value.abs();
        if let Some(name) = special(self.value) {
            f.write_str(name)
        } else if let Some(text) = self.fraction(&mut zmij::Buffer::new()) {
            f.write_str(text)
        } else if size == 0.0 || (self.plain_from..self.plain_below).contains(&size) {
            write!(f, "{}", self.value)
        } else {
            f.write_str(&exponential(self.value, None))
        }
    }
}

/// `%e`: `digits` after the point, or as few as tell the value apart.
#[must_use]
pub fn exponential(value: f64, digits: Option<usize>) -> String {
    if let Some(name) = special(value) {
        return name.to_owned();
    }
    let text = match digits {
        Some(digits) => format!("{value:.*e}", digits.min(DIGITS_MAX)),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = split(&text);
    with_exponent(&(mantissa.to_owned() + &zeros(digits)), exponent)
}

/// `%f`: `digits` after the point, or as few as tell the value apart; never an exponent.
#[must_use]
pub fn fixed(value: f64, digits: Option<usize>) -> String {
    if let Some(name) = special(value) {
        return name.to_owned();
    }
    match digits {
        Some(shown) => format!("{value:.*}", shown.min(DIGITS_MAX)) + &zeros(digits),
        None => format!("{value}"),
    }
}

/// `%g` with a precision: so many `digits` in all, without zeros at the end; an exponent below 1e-4 and where the
/// point would stand behind more digits than there are.
#[must_use]
pub fn general(value: f64, digits: usize) -> String {
    if let Some(name) = special(value) {
        return name.to_owned();
    }
    let text = format!("{value:.*e}", digits.clamp(1, DIGITS_MAX) - 1);
    let (mantissa, exponent) = split(&text);
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if exponent < -4 || exponent >= i32::try_from(digits.max(1)).unwrap_or(i32::MAX) {
        return with_exponent(mantissa, exponent);
    }
    let after_point = i32::try_from(significant).unwrap_or(i32::MAX) - 1 - exponent;
    // The text above is already rounded, and parses to a value whose fixed form has exactly these digits.
    let rounded: f64 = text.parse().unwrap_or(value);
    format!("{rounded:.*}", usize::try_from(after_point).unwrap_or(0))
}

/// `%x`: the mantissa in hexadecimal.
#[must_use]
pub fn hexadecimal(value: f64) -> String {
    if let Some(name) = special(value) {
        return name.to_owned();
    }
    let bits = value.to_bits();
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    let (mut fraction, biased) = (bits & ((1 << 52) - 1), (bits >> 52) & 0x7ff);
    let mut exponent = i64::try_from(biased).unwrap_or(0) - 1023;
    if biased == 0 {
        if fraction == 0 {
            return format!("{sign}0x0p+00");
        }
        // A subnormal number is normalised as the rest are.
        let shift = fraction.leading_zeros() - 11;
        fraction = (fraction << shift) & ((1 << 52) - 1);
        exponent = -1022 - i64::from(shift);
    }
    let digits = format!("{fraction:013x}");
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}0x1{point}{digits}p{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// The name of a value that has no digits.
fn special(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ if value.is_nan() => Some("NaN"),
        _ => None,
    }
}

/// The digits that are asked for beyond those of any float.
fn zeros(digits: Option<usize>) -> String {
    "0".repeat(digits.unwrap_or(0).saturating_sub(DIGITS_MAX))
}

/// Mantissa and exponent of Rust's form.
fn split(text: &str) -> (&str, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa, exponent.parse().unwrap_or(0))
}

/// Go gives an exponent a sign and two digits.
fn with_exponent(mantissa: &str, exponent: i32) -> String {
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests;
