//! A table in memory, column by column.

use std::collections::HashMap;

use crate::cell::{Cell, date_text};
use crate::spec::ColumnType;

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

/// Collects the values of one column.
pub(crate) enum ValuesBuilder {
    Float(Vec<f64>),
    Integer(Vec<Option<i64>>),
    Boolean(Vec<Option<bool>>),
    Text { codes: Vec<u32>, positions: HashMap<Box<str>, u32> },
    Date(Vec<Option<i32>>),
}

impl ValuesBuilder {
    pub(crate) fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Float => ValuesBuilder::Float(Vec::new()),
            ColumnType::Integer => ValuesBuilder::Integer(Vec::new()),
            ColumnType::Boolean => ValuesBuilder::Boolean(Vec::new()),
            ColumnType::String => ValuesBuilder::Text { codes: Vec::new(), positions: HashMap::new() },
            ColumnType::Date => ValuesBuilder::Date(Vec::new()),
        }
    }

    /// Adds a value. One of another type is kept as far as the column can hold it (a whole number in a
    /// float column, anything as text) and is missing otherwise.
    pub(crate) fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (ValuesBuilder::Float(values), Cell::Float(value)) => values.push(value),
            (ValuesBuilder::Float(values), Cell::Integer(value)) => values.push(value as f64),
            (ValuesBuilder::Float(values), _) => values.push(f64::NAN),
            (ValuesBuilder::Integer(values), Cell::Integer(value)) => values.push(Some(value)),
            (ValuesBuilder::Integer(values), _) => values.push(None),
            (ValuesBuilder::Boolean(values), Cell::Boolean(value)) => values.push(Some(value)),
            (ValuesBuilder::Boolean(values), _) => values.push(None),
            (ValuesBuilder::Date(values), Cell::Date(value)) => values.push(Some(value)),
            (ValuesBuilder::Date(values), _) => values.push(None),
            (ValuesBuilder::Text { codes, .. }, Cell::Missing) => codes.push(MISSING),
            (ValuesBuilder::Text { codes, positions }, Cell::Text(text)) => {
                codes.push(position(positions, text))
            }
            (ValuesBuilder::Text { codes, positions }, other) => {
                codes.push(position(positions, &other.to_text()))
            }
        }
    }

    pub(crate) fn finish(self) -> Values {
        match self {
            ValuesBuilder::Float(values) => Values::Float(values),
            ValuesBuilder::Integer(values) => Values::Integer(values),
            ValuesBuilder::Boolean(values) => Values::Boolean(values),
            ValuesBuilder::Date(values) => Values::Date(values),
            ValuesBuilder::Text { codes, positions } => {
                let mut levels = vec![String::new(); positions.len()];
                for (text, position) in positions {
                    levels[position as usize] = text.into_string();
                }
                Values::Text { codes, levels }
            }
        }
    }
}

/// The code of a text; memory ends long before four thousand million distinct texts.
fn position(positions: &mut HashMap<Box<str>, u32>, text: &str) -> u32 {
    if let Some(position) = positions.get(text) {
        return *position;
    }
    let next = positions.len() as u32;
    positions.insert(text.into(), next);
    next
}
