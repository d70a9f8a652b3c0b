//! Numbers and truth values as the YAML of Prometheus spells them: YAML 1.1 with Go's numbers.
//!
//! `0x1f`, `0b11`, `0o17`, `017`, `1_000` and `1e3` are numbers, `yes` and `Off` are truth values, and what stands in
//! quotes is a text.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use crate::yaml::Tree;

/// What a field expects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Bool,
    /// Or a number with a fraction of nothing.
    Integer,
    Float,
}

/// Reads a scalar of `kind` for a visitor; `tree` tells texts in quotes from the others.
pub(crate) fn read<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    inner: D,
    visitor: V,
    kind: Kind,
    tree: Option<&Tree>,
) -> Result<V::Value, D::Error> {
    let is_text = matches!(tree, Some(Tree::Text(_)));
    inner.deserialize_str(Scalar { visitor, kind, is_text })
}

/// A whole number where no tree is at hand.
pub(crate) struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a whole number without quotes")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
        Ok(Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
        i64::try_from(value).map(Whole).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
        let is_whole = value.fract() == 0.0 && value.abs() < TOO_LARGE / 2.0;
        if is_whole {
            Ok(Whole(value as i64))
        } else {
            Err(E::invalid_value(Unexpected::Float(value), &self))
        }
    }
}

struct Scalar<V> {
    visitor: V,
    kind: Kind,
    is_text: bool,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Scalar<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self.kind {
            Kind::Bool => "true or false",
            Kind::Integer => "a whole number",
            Kind::Float => "a number",
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let (expected, value) = match self.kind {
            Kind::Bool => ("true or false", boolean(text).map(Value::Bool)),
            Kind::Integer => ("a whole number", integer(text)),
            Kind::Float => ("a number", float(text).map(Value::Float)),
        };
        match value {
            Some(_) if self.is_text => {
                Err(E::custom(format!("{text:?} is a text, expected {expected} without quotes")))
            }
            Some(Value::Bool(value)) => self.visitor.visit_bool(value),
            Some(Value::Unsigned(value)) => self.visitor.visit_u64(value),
            Some(Value::Signed(value)) => self.visitor.visit_i64(value),
            Some(Value::Float(value)) => self.visitor.visit_f64(value),
            None => Err(E::custom(format!("the value is {text:?}, expected {expected}"))),
        }
    }
}

enum Value {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Value> {
    if let Some(whole) = whole(text) {
        return match u64::try_from(whole) {
            Ok(value) => Some(Value::Unsigned(value)),
            Err(_) => i64::try_from(whole).ok().map(Value::Signed),
        };
    }
    let value = float(text)
        .filter(|value| value.fract() == 0.0 && *value < TOO_LARGE && *value > -TOO_LARGE / 2.0)?;
    Some(if value < 0.0 { Value::Signed(value as i64) } else { Value::Unsigned(value as u64) })
}

/// The first number that 64 bits do not hold.
const TOO_LARGE: f64 = 18_446_744_073_709_551_616.0;

/// A number in Go's notation of literals, in which underscores may stand anywhere.
fn whole(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (&lower[2..], 16),
        Some("0b") => (&lower[2..], 2),
        Some("0o") => (&lower[2..], 8),
        Some(start) if start.starts_with('0') => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    // The parser would take one more sign.
    let starts = digits.starts_with(|first: char| first.is_ascii_hexdigit());
    let value = i128::from_str_radix(digits, radix).ok().filter(|_| starts)?;
    Some(if is_negative { -value } else { value })
}

fn float(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    if let Some(whole) = whole(text) {
        return Some(whole as f64);
    }
    // Go's names of numbers, such as `Inf`, are texts in YAML.
    let text = text.replace('_', "");
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_go_reads_them() {
        for (text, expected) in [
            ("5", Some(5)),
            ("+5", Some(5)),
            ("-5", Some(-5)),
            ("0x1F", Some(31)),
            ("0b101", Some(5)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("08", Some(8)),
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("1e3", Some(1000)),
            ("5.0", Some(5)),
            ("18446744073709551615", Some(i128::from(u64::MAX))),
            ("18446744073709551616", None),
            ("1.8e19", Some(18_000_000_000_000_000_000)),
            ("1.8446744073709552e19", None),
            ("-1e19", None),
            ("-.Inf", None),
            ("1.5", None),
            ("--5", None),
            ("0x", None),
            ("0x-1", None),
            ("five", None),
            ("", None),
        ] {
            let found = integer(text).map(|value| match value {
                Value::Unsigned(value) => i128::from(value),
                Value::Signed(value) => i128::from(value),
                Value::Bool(_) | Value::Float(_) => panic!("{text:?}"),
            });
            assert_eq!(found, expected, "{text:?}");
        }
        assert_eq!(float("1.5e-1"), Some(0.15));
        assert_eq!(float("-.Inf"), Some(f64::NEG_INFINITY));
        assert_eq!([float("Inf"), float("nan"), float("1.5x")], [None; 3]);
    }
}
