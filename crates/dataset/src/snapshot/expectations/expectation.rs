//! What is configured of an expectation.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::cell::parse_date;
use crate::column_type::ColumnType;

/// One configured expectation. Which keys a rule takes stands in [`crate::EXPECTATIONS`]; their meaning is
/// Great Expectations'.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The name of the rule, such as `expect_column_values_to_be_between`.
    pub expect: String,
    /// The column that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The share of the values that must meet it, 0 to 1 (default 1: all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mostly: Option<f64>,
    /// The least value or count allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_value: Option<Scalar>,
    /// The greatest value or count allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_value: Option<Scalar>,
    /// Whether `min_value` itself is too little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_min: Option<bool>,
    /// Whether `max_value` itself is too much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_max: Option<bool>,
    /// The values allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_set: Option<Vec<Scalar>>,
    /// The type expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// The columns expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_set: Option<Vec<String>>,
    /// Whether there may be no column outside of `column_set` (default: there may not).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact_match: Option<bool>,
    /// The table in which the values must exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// A value in the configuration. Dates are quoted, `"2024-01-31"`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true`
    Boolean(bool),
    /// `3`
    Integer(i64),
    /// `2.5`
    Float(f64),
    /// `"DSL"`, or a date.
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl serde::de::Visitor<'_> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, a boolean or quoted text (quote dates too: \"2024-01-31\")")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Boolean(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_string()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl fmt::Display for Scalar {
    /// As the configuration has it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Scalar::Text(text) => write!(f, "{text:?}"),
            other => f.write_str(&other.name()),
        }
    }
}

impl Scalar {
    /// The value as a column of a frame says it in text.
    pub fn name(&self) -> String {
        match self {
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Float(value) => value.to_string(),
            Scalar::Text(text) => text.clone(),
        }
    }

    /// The number that it is, dates as days since 1970-01-01; `None` for other text and booleans.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Integer(value) => Some(*value as f64),
            Scalar::Float(value) => Some(*value).filter(|value| !value.is_nan()),
            Scalar::Text(text) => parse_date(text).map(f64::from),
            Scalar::Boolean(_) => None,
        }
    }

    pub(crate) fn fits(&self, column_type: ColumnType) -> bool {
        match (self, column_type) {
            (Scalar::Boolean(_), ColumnType::Boolean) => true,
            (Scalar::Integer(_) | Scalar::Float(_), ColumnType::Integer | ColumnType::Float) => {
                self.number().is_some()
            }
            (Scalar::Text(_), ColumnType::String) => true,
            (Scalar::Text(text), ColumnType::Date) => parse_date(text).is_some(),
            _ => false,
        }
    }
}

impl Expectation {
    /// The keys other than `expect`, as JSON.
    pub(crate) fn kwargs(&self) -> serde_json::Map<String, serde_json::Value> {
        let value = serde_json::to_value(self).expect("an expectation has text keys and plain values");
        let mut map = match value {
            serde_json::Value::Object(map) => map,
            _ => serde_json::Map::new(),
        };
        map.shift_remove("expect");
        map
    }
}
