//! A table in memory, column by column.

use crate::cell::date_text;

/// A table in memory. All columns have [`Frame::rows`] values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Frame {
    /// The columns, in order; names are unique.
    pub columns: Vec<Column>,
    /// The number of rows, which a frame without columns has too.
    pub rows: usize,
}

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values, one for each row.
    pub values: Values,
}

/// The code of a missing value in [`Values::Text`].
pub const MISSING: u32 = u32::MAX;

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// NaN is missing.
    Float(Vec<f64>),
    /// `None` is missing.
    Integer(Vec<Option<i64>>),
    /// `None` is missing.
    Boolean(Vec<Option<bool>>),
    /// Text as positions in a list of the distinct values.
    Text {
        /// Positions in `levels`; [`MISSING`] where missing.
        codes: Vec<u32>,
        /// The distinct values in the order in which they first occur.
        levels: Vec<String>,
    },
    /// Days since 1970-01-01; `None` is missing.
    Date(Vec<Option<i32>>),
}

impl Frame {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Values {
    /// The number of values, missing ones included.
    pub fn len(&self) -> usize {
        match self {
            Values::Float(values) => values.len(),
            Values::Integer(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text { codes, .. } => codes.len(),
            Values::Date(values) => values.len(),
        }
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of missing values. Linear.
    pub fn missing(&self) -> usize {
        match self {
            Values::Float(values) => values.iter().filter(|value| value.is_nan()).count(),
            Values::Integer(values) => values.iter().filter(|value| value.is_none()).count(),
            Values::Boolean(values) => values.iter().filter(|value| value.is_none()).count(),
            Values::Text { codes, .. } => codes.iter().filter(|code| **code == MISSING).count(),
            Values::Date(values) => values.iter().filter(|value| value.is_none()).count(),
        }
    }

    /// The value of a row as text, as a CSV file would have it; `None` where missing or past the end.
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Values::Float(values) => values.get(row).filter(|value| !value.is_nan()).map(f64::to_string),
            Values::Integer(values) => (*values.get(row)?).map(|value| value.to_string()),
            Values::Boolean(values) => (*values.get(row)?).map(|value| value.to_string()),
            Values::Text { codes, levels } => levels.get(*codes.get(row)? as usize).cloned(),
            Values::Date(values) => (*values.get(row)?).map(date_text),
        }
    }
}
