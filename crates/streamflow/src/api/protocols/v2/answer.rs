//! The answer to an inference request, as JSON or with tensors as bytes behind it.

use axum::response::Response;
use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer};
use serde_json::json;
use streamflow_dataset::Cell;

use super::response;
use crate::api::error::ApiError;
use crate::api::json::shortened;
use crate::api::models::Target;
use crate::api::protocols::asked::{Output, PREDICT};
use crate::api::protocols::datatype::Datatype;
use crate::random::random_hex;
use crate::scoring::Answers;

/// The outputs that a request asks for, and whether each is to be bytes.
pub struct Wanted(pub Vec<(&'static str, bool)>);

impl Wanted {
    /// Those that are named, or the prediction where none is.
    ///
    /// # Errors
    /// One that the model does not have.
    pub fn of(outputs: &[(&str, Option<bool>)], is_binary: bool, target: &Target) -> Result<Self, ApiError> {
        if outputs.is_empty() {
            return Ok(Self(vec![(PREDICT, is_binary)]));
        }
        let known = target.outputs();
        let wanted = outputs.iter().map(|(name, says)| {
            let known_name = known.iter().map(|(known, ..)| *known).find(|known| known == name);
            known_name.map(|name| (name, says.unwrap_or(is_binary))).ok_or_else(|| {
                let quoted: Vec<String> = known.iter().map(|(name, ..)| format!("'{name}'")).collect();
                ApiError::Input(format!(
                    "Model {} only supports {} as outputs ({} was received)",
                    target.name(),
                    quoted.join(" and "),
                    shortened(name)
                ))
            })
        });
        // As many as there are: more would be the same again.
        Ok(Self(wanted.take(64).collect::<Result<_, _>>()?))
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_version: Option<&'a str>,
    id: &'a str,
    parameters: Empty,
    outputs: Vec<Tensor<'a>>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    shape: [usize; 2],
    datatype: &'static str,
    parameters: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

/// Values row after row.
struct Data<'a> {
    output: Output<'a>,
    rows: usize,
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let width = self.output.width();
        let is_single = self.output.datatype() == Datatype::Fp32;
        let mut list = serializer.serialize_seq(Some(self.rows * width))?;
        for row in 0..self.rows {
            for column in 0..width {
                match self.output.cell(row, column) {
                    Cell::Float(number) if is_single => list.serialize_element(&(number as f32))?,
                    Cell::Float(number) => list.serialize_element(&number)?,
                    Cell::Integer(number) => list.serialize_element(&number)?,
                    Cell::Text(text) => list.serialize_element(text)?,
                    _ => list.serialize_element(&())?,
                }
            }
        }
        list.end()
    }
}

/// A name for a request that has none.
///
/// # Errors
/// The system has no random bytes.
pub fn new_id() -> Result<String, ApiError> {
    let digits = random_hex::<16>().map_err(|_| ApiError::Internal)?;
    // A UUID of version 4.
    let parts = [&digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..]];
    Ok(format!("{}-{}-4{}-a{}-{}", parts[0], parts[1], parts[2], parts[3], parts[4]))
}

/// The answer to `rows` rows.
///
/// # Errors
/// An output that the model has for other rows and not for these.
pub fn written(
    target: &Target,
    id: Option<&str>,
    rows: usize,
    answers: &Answers,
    wanted: &Wanted,
) -> Result<Response, ApiError> {
    let id = id.map_or_else(new_id, |id| Ok(id.to_owned()))?;
    let mut raw = Vec::new();
    let mut outputs = Vec::with_capacity(wanted.0.len());
    for &(name, is_binary) in &wanted.0 {
        let output = Output::of(answers, name).ok_or(ApiError::Internal)?;
        let (width, datatype) = (output.width(), output.datatype());
        let mut parameters =
            json!({ "content_type": if datatype == Datatype::Bytes { "str" } else { "np" } });
        if is_binary {
            let before = raw.len();
            for row in 0..rows {
                (0..width).for_each(|column| datatype.write_raw(output.cell(row, column), &mut raw));
            }
            parameters["binary_data_size"] = (raw.len() - before).into();
        }
        let data = (!is_binary).then_some(Data { output, rows });
        outputs.push(Tensor { name, shape: [rows, width], datatype: datatype.name(), parameters, data });
    }
    let has_bytes = wanted.0.iter().any(|(_, is_binary)| *is_binary);
    let body = Body {
        model_name: target.name(),
        model_version: target.version(),
        id: &id,
        parameters: Empty {},
        outputs,
    };
    let mut text = Vec::with_capacity(256 + 20 * rows);
    serde_json::to_writer(&mut text, &body).expect("names are strings, and a vector takes all bytes");
    let json_length = has_bytes.then_some(text.len());
    text.extend(raw);
    Ok(response(text, json_length))
}
