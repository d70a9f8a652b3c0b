//! One value of a table and how it is written in text.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use jiff::civil::Date;

use crate::column_type::ColumnType;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Missing,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A text.
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
        ColumnType::Date => parse_day(text).map(Cell::Date),
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

/// The day of `YYYY-MM-DD`, also with an ISO 8601 time of day after it, such as `2024-01-31T23:00:00.5+02:00`:
/// the day as it is written, whatever the offset from UTC.
pub(crate) fn parse_day(text: &str) -> Option<i32> {
    let (date, time) = text.split_at_checked(10)?;
    let day = parse_date(date)?;
    (time.is_empty() || is_time(time)).then_some(day)
}

/// Whether the text is a separator, `HH:MM`, perhaps seconds with a fraction, perhaps an offset.
fn is_time(text: &str) -> bool {
    let Some(time) = text.strip_prefix(['T', ' ']) else { return false };
    let (clock, offset) = time.find(['Z', '+', '-']).map_or((time, ""), |place| time.split_at(place));
    let mut parts = clock.splitn(3, ':');
    let (hours, minutes, seconds) = (parts.next(), parts.next(), parts.next());
    let (seconds, fraction) = match seconds.and_then(|seconds| seconds.split_once('.')) {
        Some((seconds, fraction)) => (Some(seconds), Some(fraction)),
        None => (seconds, None),
    };
    let is_fraction =
        |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
    hours.is_some_and(|hours| is_two_digits(hours, 24))
        && minutes.is_some_and(|minutes| is_two_digits(minutes, 60))
        && seconds.is_none_or(|seconds| is_two_digits(seconds, 61))
        && fraction.is_none_or(is_fraction)
        && is_offset(offset)
}

/// Nothing, `Z`, or hours and perhaps minutes with a sign.
fn is_offset(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(['+', '-']) else { return matches!(text, "" | "Z") };
    let Some((hours, minutes)) = digits.split_at_checked(2) else { return false };
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    is_two_digits(hours, 24) && (digits.len() == 2 || is_two_digits(minutes, 60))
}

fn is_two_digits(text: &str, below: u8) -> bool {
    text.len() == 2
        && text.bytes().all(|digit| digit.is_ascii_digit())
        && text.parse::<u8>().is_ok_and(|number| number < below)
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

    /// The whole value as a CSV file would have it; none where missing.
    pub fn text(self) -> Option<String> {
        match self {
            Cell::Missing => None,
            Cell::Boolean(value) => Some(value.to_string()),
            Cell::Integer(value) => Some(value.to_string()),
            Cell::Float(value) => Some(value.to_string()),
            Cell::Text(value) => Some(value.to_owned()),
            Cell::Date(days) => Some(date_text(days)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i32>) {
        assert_eq!(parse_day(text), expected, "{text:?}");
    }

    #[test]
    fn the_day_of_a_date_or_a_time() {
        for text in [
            "1970-01-02",
            "1970-01-02 00:00",
            "1970-01-02T23:59:59",
            "1970-01-02T23:59:60Z",
            "1970-01-02 12:00:00.123456789",
            "1970-01-02T23:00:00+02:00",
            "1970-01-02T01:00-0330",
            "1970-01-02T01:00+05",
        ] {
            check(text, Some(1));
        }
        for text in [
            "",
            "1970-01-0",
            "1970-13-01",
            "02.01.1970",
            "1970-01-02x",
            "1970-01-02T",
            "1970-01-02T24:00",
            "1970-01-02T12",
            "1970-01-02T12:60",
            "1970-01-02T12:00:",
            "1970-01-02T12:00:00.",
            "1970-01-02T12:00:00:00",
            "1970-01-02T12:00+2",
            "1970-01-02T12:00+02:",
            "1970-01-02T12:00+02:00:00",
            "1970-01-02é12:00",
        ] {
            check(text, None);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_day_or_none(text in "[0-9TZ:. +-]{0,30}|\\PC{0,20}|2024-01-31[T ][0-9:.Z+-]{0,16}") {
            let _ = parse_day(&text);
        }
    }
}
