//! What OTLP's JSON spells otherwise than serde: whole numbers of 64 bits as texts, numbers that are none as texts,
//! identifiers in hexadecimal digits, other bytes in base64.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};
use streamflow_gotext::parse_float;

use super::message::{List, Map};

/// A number as a number or as a text.
enum Number {
    Whole(i128),
    Float(f64),
    Missing,
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a number, or a text with one")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number::Whole(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number::Float(value))
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number::Missing)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Number::Whole(whole.into()));
        }
        if let Ok(whole) = text.parse::<u64>() {
            return Ok(Number::Whole(whole.into()));
        }
        match parse_float(text) {
            Ok(float) => Ok(Number::Float(float)),
            Err(_) => Err(E::custom(format!("{text:?} is no number"))),
        }
    }
}

impl Number {
    fn float(self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss)]
            Number::Whole(whole) => Some(whole as f64),
            Number::Float(float) => Some(float),
            Number::Missing => None,
        }
    }

    fn whole<T: TryFrom<i128>, E: Error>(self) -> Result<Option<T>, E> {
        match self {
            Number::Whole(whole) => match T::try_from(whole) {
                Ok(fits) => Ok(Some(fits)),
                Err(_) => Err(E::custom(format!("{whole} does not fit into its 64 bits"))),
            },
            Number::Float(float) => Err(E::custom(format!("{float} is no whole number"))),
            Number::Missing => Ok(None),
        }
    }
}

pub fn uint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Number::deserialize(deserializer)?.whole().map(Option::unwrap_or_default)
}

pub fn int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Number::deserialize(deserializer)?.whole()
}

pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Number::deserialize(deserializer).map(Number::float)
}

pub fn ints<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let numbers = Vec::<Number>::deserialize(deserializer)?.into_iter();
    numbers.map(|number| number.whole().map(Option::unwrap_or_default)).collect()
}

pub fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Number>::deserialize(deserializer)?.into_iter();
    Ok(numbers.map(|number| number.float().unwrap_or_default()).collect())
}

/// By number, or by name.
pub fn temporality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i32),
        Name(String),
        Other(IgnoredAny),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(number) => Ok(number),
        Written::Name(name) => match name.as_str() {
            "AGGREGATION_TEMPORALITY_UNSPECIFIED" => Ok(0),
            "AGGREGATION_TEMPORALITY_DELTA" => Ok(1),
            "AGGREGATION_TEMPORALITY_CUMULATIVE" => Ok(2),
            _ => Err(D::Error::custom(format!("{name:?} is no aggregation temporality"))),
        },
        Written::Other(_) => Err(D::Error::custom("an aggregation temporality is a number or a name")),
    }
}

pub fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let fault = || D::Error::custom(format!("{text:?} is not hexadecimal, expected two digits a byte"));
    let digits = digits.ok_or_else(fault)?;
    let (pairs, []) = digits.as_chunks::<2>() else { return Err(fault()) };
    Ok(pairs.iter().map(|[high, low]| u8::try_from(high * 16 + low).unwrap_or(u8::MAX)).collect())
}

pub fn bytes_of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let decoded = text.map(|text| STANDARD.decode(&text).map_err(|_| format!("{text:?} is not base64")));
    decoded.transpose().map_err(D::Error::custom)
}

pub fn bytes_of_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    Ok(Option::<List>::deserialize(deserializer)?.map(|list| list.encode_to_vec()))
}

pub fn bytes_of_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    Ok(Option::<Map>::deserialize(deserializer)?.map(|map| map.encode_to_vec()))
}
