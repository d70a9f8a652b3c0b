//! What must be true of a table, named and counted as Great Expectations does.
//!
//! The set is [`EXPECTATIONS`]: one row for each rule, from which validation, the documentation and
//! the evaluation derive. Evaluation is one pass over all rows of the table.

mod check;
mod result;
mod rules;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use check::{Entities, TableCheck, entity_key};
pub use result::{ExpectationResult, Unexpected, Validation};
pub use rules::{EXPECTATIONS, Rule};

use crate::cell::parse_date;
use crate::error::nearest;
use crate::spec::{ColumnType, TableSpec};

/// One configured expectation. Which keys a rule takes stands in [`EXPECTATIONS`]; their meaning is
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

impl Scalar {
    /// The number that it is, dates as days since 1970-01-01; `None` for other text and booleans.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Scalar::Integer(value) => Some(*value as f64),
            Scalar::Float(value) => Some(*value).filter(|value| !value.is_nan()),
            Scalar::Text(text) => parse_date(text).map(f64::from),
            Scalar::Boolean(_) => None,
        }
    }

    fn fits(&self, column_type: ColumnType) -> bool {
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

    pub(crate) fn rule(&self) -> Option<&'static Rule> {
        EXPECTATIONS.iter().find(|rule| rule.name == self.expect)
    }
}

/// What is wrong with an expectation of a table, in words.
pub(crate) fn problems(
    expectation: &Expectation,
    name: &str,
    table: &TableSpec,
    entity_table: &str,
) -> Vec<String> {
    let Some(rule) = expectation.rule() else {
        let names = EXPECTATIONS.iter().map(|rule| rule.name);
        let hint = nearest(&expectation.expect, names.clone()).map_or_else(
            || format!("; expected one of {}", names.collect::<Vec<_>>().join(", ")),
            |name| format!("; did you mean {name:?}?"),
        );
        return vec![format!("expect = {:?} is not an expectation{hint}", expectation.expect)];
    };
    let mut problems = Vec::new();
    let kwargs = expectation.kwargs();
    for key in rule.required.iter().filter(|key| !kwargs.contains_key(**key)) {
        problems.push(format!("{} needs {key}", rule.name));
    }
    for key in kwargs.keys().filter(|key| !rule.takes(key)) {
        let keys: Vec<&str> = rule.required.iter().chain(rule.optional).copied().collect();
        problems.push(format!("{} does not take {key}; it takes {}", rule.name, keys.join(", ")));
    }
    if rule.takes("min_value") && expectation.min_value.is_none() && expectation.max_value.is_none() {
        problems.push(format!("{} needs min_value or max_value", rule.name));
    }
    if let Some(mostly) = expectation.mostly
        && !(0.0..=1.0).contains(&mostly)
    {
        problems.push(format!("mostly = {mostly} is not a share; expected 0 to 1"));
    }
    if let Some(referred) = &expectation.table
        && referred != entity_table
    {
        problems.push(format!(
            "table = {referred:?} is not the entity table; only {entity_table:?} can be referred to"
        ));
    }
    if expectation.table.is_some() && name == entity_table {
        problems
            .push(format!("the entity table cannot refer to itself; use {} in the other tables", rule.name));
    }
    problems.extend(value_problems(expectation, table));
    problems
}

fn value_problems(expectation: &Expectation, table: &TableSpec) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(name) = &expectation.type_
        && rules::named_type(name).is_none()
    {
        problems.push(format!(
            "type_ = {name:?} is not a type; expected string, integer, float, boolean or date"
        ));
    }
    if let (Some(min), Some(max)) = (&expectation.min_value, &expectation.max_value)
        && let (Some(low), Some(high)) = (min.number(), max.number())
        && low > high
    {
        problems.push("min_value is greater than max_value".to_string());
    }
    let Some(column) = &expectation.column else {
        for (key, bound) in bounds(expectation) {
            if !matches!(bound, Scalar::Integer(0..)) {
                problems.push(format!("{key} is not a number of rows; expected 0 or more"));
            }
        }
        return problems;
    };
    let Some(spec) = table.columns.get(column) else {
        let hint = nearest(column, table.columns.keys().map(String::as_str));
        let hint = hint.map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
        problems.push(format!("column = {column:?} is not a column of this table{hint}"));
        return problems;
    };
    let name = spec.column_type.name();
    for (key, bound) in bounds(expectation) {
        if bound.number().is_none() || !bound.fits(spec.column_type) {
            problems.push(format!("{key} does not compare with {column}, which is {name}"));
        }
    }
    for value in expectation.value_set.iter().flatten().filter(|value| !value.fits(spec.column_type)) {
        let value = serde_json::to_string(value).unwrap_or_default();
        problems.push(format!("value_set has {value}, but {column} is {name}"));
    }
    problems
}

fn bounds(expectation: &Expectation) -> impl Iterator<Item = (&'static str, &Scalar)> {
    let bounds = [("min_value", &expectation.min_value), ("max_value", &expectation.max_value)];
    bounds.into_iter().filter_map(|(key, bound)| Some((key, bound.as_ref()?)))
}
