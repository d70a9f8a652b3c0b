//! One value of a table and how it is written in text.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use jiff::civil::Date;

use crate::column_type::ColumnType;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Missing,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    /// Days since 1970-01-01.
    Date(i32),
}

/// Reads the text of a field as a value of the type; `None` when it is not one.
///
/// An empty field is missing in every type, and so is one of spaces only in all but text. `nan` in a
/// float is missing too; `inf` is infinite. A whole number may be written with a fraction of zeros,
/// since pandas writes `5.0` once a column of whole numbers has a missing value.
pub(crate) fn parse(text: &str, column_type: ColumnType) -> Option<Cell<'_>> {
    if text.is_empty() {
        return Some(Cell::Missing);
    }
    if column_type == ColumnType::String {
        return Some(Cell::Text(text));
    }
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Some(Cell::Missing);
    }
    match column_type {
        ColumnType::String => Some(Cell::Text(text)),
        ColumnType::Integer => parse_integer(text).map(Cell::Integer),
        ColumnType::Float => {
            let number: f64 = text.parse().ok()?;
            Some(if number.is_nan() { Cell::Missing } else { Cell::Float(number) })
        }
        ColumnType::Boolean => match text {
            "true" | "True" | "TRUE" | "1" => Some(Cell::Boolean(true)),
            "false" | "False" | "FALSE" | "0" => Some(Cell::Boolean(false)),
            _ => None,
        },
        ColumnType::Date => parse_date(text).map(Cell::Date),
    }
}

fn parse_integer(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (whole, fraction) = text.split_once('.')?;
    if fraction.is_empty() || fraction.bytes().any(|digit| digit != b'0') {
        return None;
    }
    whole.parse().ok()
}

/// `YYYY-MM-DD` and nothing else: jiff alone would also take a time of day.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    if text.len() != 10 {
        return None;
    }
    let date: Date = text.parse().ok()?;
    Some(days_since_epoch(date))
}

pub(crate) fn days_since_epoch(date: Date) -> i32 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() as i32 / 24
}

/// The text of a date; a number of days outside of years -9999 to 9999 is written as such.
pub(crate) fn date_text(days: i32) -> String {
    let date = Date::constant(1970, 1, 1).checked_add(jiff::SignedDuration::from_hours(i64::from(days) * 24));
    date.map_or_else(|_| format!("day {days}"), |date| date.to_string())
}

impl Cell<'_> {
    /// The value as JSON; infinite numbers, which JSON lacks, as text.
    pub(crate) fn to_json(self) -> serde_json::Value {
        match self {
            Cell::Missing => serde_json::Value::Null,
            Cell::Boolean(value) => value.into(),
            Cell::Integer(value) => value.into(),
            Cell::Float(value) if value.is_finite() => value.into(),
            Cell::Float(value) => value.to_string().into(),
            Cell::Text(value) => shorten(value).into(),
            Cell::Date(days) => date_text(days).into(),
        }
    }

    /// The value as a person would write it.
    pub(crate) fn to_text(self) -> String {
        match self.to_json() {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }
    }
}

/// At most 60 characters of a value, for messages.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// A column of a batch in one of the five array types that snapshots have.
pub(crate) enum Cells<'a> {
    Boolean(&'a BooleanArray),
    Integer(&'a Int64Array),
    Float(&'a Float64Array),
    Text(&'a StringArray),
    Date(&'a Date32Array),
}

impl<'a> Cells<'a> {
    /// `None` when the array is of another type.
    pub(crate) fn new(array: &'a ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::Boolean => Some(Cells::Boolean(array.as_boolean())),
            DataType::Int64 => Some(Cells::Integer(array.as_primitive::<Int64Type>())),
            DataType::Float64 => Some(Cells::Float(array.as_primitive::<Float64Type>())),
            DataType::Utf8 => Some(Cells::Text(array.as_string::<i32>())),
            DataType::Date32 => Some(Cells::Date(array.as_primitive::<Date32Type>())),
            _ => None,
        }
    }

    /// The value of a row; the row must exist.
    pub(crate) fn get(&self, row: usize) -> Cell<'a> {
        match self {
            Cells::Boolean(array) if array.is_valid(row) => Cell::Boolean(array.value(row)),
            Cells::Integer(array) if array.is_valid(row) => Cell::Integer(array.value(row)),
            Cells::Float(array) if array.is_valid(row) => Cell::Float(array.value(row)),
            Cells::Text(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Cells::Date(array) if array.is_valid(row) => Cell::Date(array.value(row)),
            _ => Cell::Missing,
        }
    }
}

/// The array type of snapshots for a configured type.
pub(crate) fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::String => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
    }
}
