//! Columns as they come in: a name and plain values, missing values in place.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::profile::ColumnProfile;

/// The code of a missing value in [`Values::Text`].
pub const MISSING: u32 = u32::MAX;

/// One column of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Pairs the column with its counterpart.
    pub name: String,
    /// The values of its rows.
    pub values: Values,
}

/// The values of a column: one entry per row, or counted.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Decimal numbers; NaN is missing.
    Float(Vec<f64>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Truth values.
    Boolean(Vec<Option<bool>>),
    /// Strings: each row's code is an index into `levels`, or [`MISSING`].
    Text {
        /// One per row.
        codes: Vec<u32>,
        /// Distinct strings; an unused level is allowed, a repeated one is the same category.
        levels: Vec<String>,
    },
    /// Days since 1970-01-01. Dates are listed but not tested.
    Date(Vec<Option<i32>>),
    /// How often each value occurs, in place of the rows: a column of a [`crate::TableProfile`].
    Counted(ColumnProfile),
}

/// The shape of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Decimal numbers.
    Float,
    /// Whole numbers.
    Integer,
    /// Truth values.
    Boolean,
    /// Strings.
    Text,
    /// Dates.
    Date,
}

impl Kind {
    /// The word in a profile's JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::Date => "date",
        }
    }

    /// The kind of that word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        [Self::Float, Self::Integer, Self::Boolean, Self::Text, Self::Date]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// What the values are, for messages.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Float => "decimal numbers",
            Self::Integer => "whole numbers",
            Self::Boolean => "truth values",
            Self::Text => "strings",
            Self::Date => "dates",
        }
    }
}

/// How a column is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Ordered numbers.
    Numerical,
    /// Labels without an order.
    Categorical,
    /// Free text.
    Text,
    /// Listed, not tested.
    Ignore,
}

impl ColumnType {
    /// The word used on the command line and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numerical => "numerical",
            Self::Categorical => "categorical",
            Self::Text => "text",
            Self::Ignore => "ignore",
        }
    }
}

impl std::str::FromStr for ColumnType {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Numerical, Self::Categorical, Self::Text, Self::Ignore]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| {
                format!("unknown column type {word:?}, expected numerical, categorical, text or ignore")
            })
    }
}

impl Column {
    /// A column of decimal numbers; NaN is missing.
    #[must_use]
    pub fn float(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values: Values::Float(values) }
    }

    /// A column of whole numbers.
    #[must_use]
    pub fn integer(name: impl Into<String>, values: Vec<Option<i64>>) -> Self {
        Self { name: name.into(), values: Values::Integer(values) }
    }

    /// A column of truth values.
    #[must_use]
    pub fn boolean(name: impl Into<String>, values: Vec<Option<bool>>) -> Self {
        Self { name: name.into(), values: Values::Boolean(values) }
    }

    /// A column of strings, one per row.
    #[must_use]
    pub fn text<S: AsRef<str>>(name: impl Into<String>, rows: &[Option<S>]) -> Self {
        let mut levels = Vec::new();
        let mut index = std::collections::HashMap::new();
        let mut codes = Vec::with_capacity(rows.len());
        for row in rows {
            codes.push(row.as_ref().map_or(MISSING, |text| {
                *index.entry(text.as_ref()).or_insert_with(|| {
                    levels.push(text.as_ref().to_owned());
                    (levels.len() - 1) as u32
                })
            }));
        }
        Self { name: name.into(), values: Values::Text { codes, levels } }
    }

    /// How many rows the column has, missing ones included.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.values {
            Values::Float(values) => values.len(),
            Values::Integer(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text { codes, .. } => codes.len(),
            Values::Date(values) => values.len(),
            Values::Counted(profile) => profile.rows(),
        }
    }

    /// Refuses text codes that point past the levels.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let Values::Text { codes, levels } = &self.values else { return Ok(()) };
        match codes.iter().find(|&&code| code != MISSING && code as usize >= levels.len()) {
            Some(&code) => Err(Error::TextCode { name: self.name.clone(), code, levels: levels.len() }),
            None => Ok(()),
        }
    }

    /// The shape of the values.
    pub(crate) fn kind(&self) -> Kind {
        match &self.values {
            Values::Float(_) => Kind::Float,
            Values::Integer(_) => Kind::Integer,
            Values::Boolean(_) => Kind::Boolean,
            Values::Text { .. } => Kind::Text,
            Values::Date(_) => Kind::Date,
            Values::Counted(profile) => profile.kind(),
        }
    }

    /// How many rows hold a value: neither missing nor infinite.
    pub(crate) fn present(&self) -> usize {
        match &self.values {
            Values::Float(values) => values.iter().filter(|value| value.is_finite()).count(),
            Values::Integer(values) => values.iter().flatten().count(),
            Values::Boolean(values) => values.iter().flatten().count(),
            Values::Text { codes, .. } => codes.iter().filter(|&&code| code != MISSING).count(),
            Values::Date(values) => values.iter().flatten().count(),
            Values::Counted(profile) => profile.present(),
        }
    }

    /// How many values are infinite. They count as missing.
    pub(crate) fn infinite(&self) -> usize {
        match &self.values {
            Values::Float(values) => values.iter().filter(|value| value.is_infinite()).count(),
            Values::Counted(profile) => profile.infinite(),
            _ => 0,
        }
    }
}
