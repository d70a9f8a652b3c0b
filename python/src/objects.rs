//! Columns of objects: lists of Python's own values, of which all are of one kind.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int64Array, StringArray,
    UInt8Array,
};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::arrays;
use crate::error::{Class, Failure};

/// The ordinal of 1970-01-01 in Python's `date.toordinal`.
const EPOCH_ORDINAL: i64 = 719_163;

/// A column as Python hands it over.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct GivenColumn<'py> {
    /// Its name.
    pub name: String,
    /// `numbers`, `booleans`, `days`, `categories` or `objects`.
    kind: String,
    /// A buffer, or a list of objects.
    values: Bound<'py, PyAny>,
    /// The categories that codes stand for.
    categories: Option<Bound<'py, PyAny>>,
}

impl GivenColumn<'_> {
    /// The column as an array.
    ///
    /// # Errors
    /// Values of several kinds, or of one that a table has not.
    pub fn array(&self, what: &str) -> PyResult<ArrayRef> {
        let place = Place { what, column: &self.name };
        Ok(match self.kind.as_str() {
            "booleans" => {
                let bytes = self.buffer(&place)?;
                let bytes = bytes.as_any().downcast_ref::<UInt8Array>().ok_or_else(|| place.no_values())?;
                Arc::new(BooleanArray::from_unary(bytes, |byte| byte != 0))
            }
            "days" => Arc::new(self.integers(&place)?.iter().map(day).collect::<Date32Array>()),
            "categories" => {
                let codes = self.integers(&place)?;
                let codes: Int64Array = codes.iter().map(|code| code.filter(|code| *code >= 0)).collect();
                let categories = self.categories.as_ref().ok_or_else(|| place.no_values())?;
                let array = DictionaryArray::<Int64Type>::try_new(codes, objects(&place, categories)?);
                Arc::new(array.map_err(|error| place.failure(&error.to_string()))?)
            }
            "objects" => objects(&place, &self.values)?,
            _ => self.buffer(&place)?,
        })
    }

    fn buffer(&self, place: &Place<'_>) -> PyResult<ArrayRef> {
        Ok(arrays::numbers(&self.values)?.ok_or_else(|| place.no_values())?)
    }

    fn integers(&self, place: &Place<'_>) -> PyResult<Int64Array> {
        let array = self.buffer(place)?;
        let array = array.as_any().downcast_ref::<Int64Array>();
        Ok(array.cloned().ok_or_else(|| place.no_values())?)
    }
}

/// A day of numpy, whose least number is no day.
fn day(day: Option<i64>) -> Option<i32> {
    day.filter(|day| *day != i64::MIN).and_then(|day| i32::try_from(day).ok())
}

struct Place<'a> {
    what: &'a str,
    column: &'a str,
}

impl Place<'_> {
    fn failure(&self, reason: &str) -> Failure {
        let message = format!("{}, column {}: {reason}", self.what, self.column);
        Failure::of_column(Class::Table, self.column, message)
    }

    fn no_values(&self) -> Failure {
        self.failure("its values are of no type that a table has; convert it, as to float64, or drop it")
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Missing,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Day(i32),
}

/// What a column's objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Integer,
    Float,
    Text,
    Day,
}

impl Kind {
    fn of(value: &Value) -> Option<Kind> {
        Some(match value {
            Value::Missing => return None,
            Value::Boolean(_) => Kind::Boolean,
            Value::Integer(_) => Kind::Integer,
            Value::Float(_) => Kind::Float,
            Value::Text(_) => Kind::Text,
            Value::Day(_) => Kind::Day,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Kind::Boolean => "booleans",
            Kind::Integer | Kind::Float => "numbers",
            Kind::Text => "texts",
            Kind::Day => "dates",
        }
    }

    /// What values of both kinds are together.
    fn and(self, other: Kind) -> Option<Kind> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Kind::Integer, Kind::Float) | (Kind::Float, Kind::Integer) => Some(Kind::Float),
            _ => None,
        }
    }
}

fn objects(place: &Place<'_>, values: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    let date = values.py().import("datetime")?.getattr("date")?;
    let mut kind: Option<Kind> = None;
    let mut found = Vec::with_capacity(values.len().unwrap_or(0));
    for (row, object) in values.try_iter()?.enumerate() {
        let value = value(&object?, &date, row, place)?;
        if let Some(next) = Kind::of(&value) {
            let before = kind.unwrap_or(next);
            kind = Some(before.and(next).ok_or_else(|| {
                place.failure(&format!(
                    "row {row} is one of {} among {}; a column holds values of one kind: convert it, as by \
                     .astype(str), or drop it",
                    next.words(),
                    before.words()
                ))
            })?);
        }
        found.push(value);
    }
    Ok(array(kind, found))
}

/// The array of values that are all of this kind; the column of none is one of missing texts.
fn array(kind: Option<Kind>, values: Vec<Value>) -> ArrayRef {
    match kind {
        Some(Kind::Boolean) => Arc::new(
            of(values, |value| match value {
                Value::Boolean(value) => Some(value),
                _ => None,
            })
            .collect::<BooleanArray>(),
        ),
        Some(Kind::Integer) => Arc::new(
            of(values, |value| match value {
                Value::Integer(value) => Some(value),
                _ => None,
            })
            .collect::<Int64Array>(),
        ),
        Some(Kind::Float) => Arc::new(
            of(values, |value| match value {
                Value::Integer(value) => Some(value as f64),
                Value::Float(value) => Some(value),
                _ => None,
            })
            .collect::<Float64Array>(),
        ),
        Some(Kind::Day) => Arc::new(
            of(values, |value| match value {
                Value::Day(value) => Some(value),
                _ => None,
            })
            .collect::<Date32Array>(),
        ),
        Some(Kind::Text) | None => Arc::new(
            of(values, |value| match value {
                Value::Text(value) => Some(value),
                _ => None,
            })
            .collect::<StringArray>(),
        ),
    }
}

fn of<T>(values: Vec<Value>, value: fn(Value) -> Option<T>) -> impl Iterator<Item = Option<T>> {
    values.into_iter().map(value)
}

fn value(
    object: &Bound<'_, PyAny>,
    date: &Bound<'_, PyAny>,
    row: usize,
    place: &Place<'_>,
) -> PyResult<Value> {
    if let Some(value) = plain_value(object)? {
        return Ok(value);
    }
    if object.is_instance(date)? {
        let ordinal: i64 = object.call_method0("toordinal")?.extract()?;
        return Ok(day(Some(ordinal - EPOCH_ORDINAL)).map_or(Value::Missing, Value::Day));
    }
    // A scalar of numpy has the value of Python's own.
    if let Ok(item) = object.call_method0("item")
        && let Some(value) = plain_value(&item)?
    {
        return Ok(value);
    }
    let found = object.get_type().name()?;
    if found == "Decimal" {
        // A signaling NaN refuses to be a float, and is as missing as any other.
        return Ok(float(object.extract().unwrap_or(f64::NAN)));
    }
    let reason = format!(
        "row {row} is of the type {found}, which has no place in a flat table; convert the column, as by .astype(str), \
         or drop it"
    );
    Err(place.failure(&reason).into())
}

/// A value of one of Python's own types, or one of pandas' that is missing.
fn plain_value(object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Some(Value::Text(text.to_string_lossy().into_owned())));
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(Some(float(number.value())));
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Some(Value::Boolean(value.is_true())));
    }
    if object.cast::<PyInt>().is_ok() {
        let whole = object.extract().map(Value::Integer);
        // Numbers past 64 bits with a sign are floats, as they are in files.
        return whole.or_else(|_| object.extract().map(float)).map(Some);
    }
    if object.is_none() {
        return Ok(Some(Value::Missing));
    }
    let name = object.get_type().name()?;
    let is_missing = name == "NAType" || name == "NaTType";
    Ok(is_missing.then_some(Value::Missing))
}

fn float(number: f64) -> Value {
    if number.is_nan() { Value::Missing } else { Value::Float(number) }
}
