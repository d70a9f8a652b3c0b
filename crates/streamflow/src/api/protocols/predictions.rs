//! `{"predictions": […]}`, as KServe's version 1 and MLflow have it: a value a row, or a list of values.

use serde::Serialize;
use serde::ser::{SerializeSeq as _, SerializeStruct as _, Serializer};
use serde_json::ser::Formatter;
use streamflow_dataset::Cell;

use super::asked::{Output, PREDICT};
use super::datatype::Datatype;
use crate::api::error::ApiError;
use crate::scoring::Answers;

/// The answers to rows.
pub struct Predictions<'a> {
    answers: &'a Answers,
    name: &'a str,
    rows: usize,
}

impl<'a> Predictions<'a> {
    /// The predicted classes or values.
    pub fn new(answers: &'a Answers, rows: usize) -> Self {
        Self::named(answers, PREDICT, rows)
    }

    /// The answers of this name.
    pub fn named(answers: &'a Answers, name: &'a str, rows: usize) -> Self {
        Self { answers, name, rows }
    }

    /// The body.
    ///
    /// # Errors
    /// The model has no such answers.
    pub fn written(&self, formatter: impl Formatter) -> Result<Vec<u8>, ApiError> {
        let output = Output::of(self.answers, self.name).ok_or_else(|| {
            ApiError::Input(format!("the model has no {}; it gives values, not classes", self.name))
        })?;
        let mut text = Vec::with_capacity(64 + 20 * self.rows);
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        let body = Body { output, rows: self.rows };
        body.serialize(&mut serializer).expect("numbers and texts, and a vector takes all bytes");
        Ok(text)
    }
}

struct Body<'a> {
    output: Output<'a>,
    rows: usize,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Body", 1)?;
        body.serialize_field("predictions", &All(self))?;
        body.end()
    }
}

struct All<'a>(&'a Body<'a>);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Body { output, rows } = *self.0;
        let mut list = serializer.serialize_seq(Some(rows))?;
        for row in 0..rows {
            match output.width() {
                1 => list.serialize_element(&One(output, row, 0))?,
                width => {
                    let values: Vec<One> = (0..width).map(|column| One(output, row, column)).collect();
                    list.serialize_element(&values)?;
                }
            }
        }
        list.end()
    }
}

/// A value by its row and column.
struct One<'a>(Output<'a>, usize, usize);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let One(output, row, column) = self;
        match output.cell(*row, *column) {
            Cell::Float(number) if output.datatype() == Datatype::Fp32 => {
                serializer.serialize_f32(number as f32)
            }
            Cell::Float(number) => serializer.serialize_f64(number),
            Cell::Integer(number) => serializer.serialize_i64(number),
            Cell::Text(text) => serializer.serialize_str(text),
            _ => serializer.serialize_unit(),
        }
    }
}
