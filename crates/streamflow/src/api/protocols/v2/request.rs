//! The body of an inference request: what is wrong with its fields is told all at once, as FastAPI does, and what is
//! wrong with its tensors by the first of them.

use serde_json::Value;

use super::binary::Raw;
use crate::api::error::{ApiError, Detail};
use crate::api::json::{Json, shortened};
use crate::api::protocols::datatype::{Datatype, decode_base64};
use crate::api::protocols::table::Block;
use crate::api::protocols::tensor::{self, Content, Tensor};

/// Mistakes that an answer lists.
const MOST_DETAILS: usize = 50;

/// A sound request.
pub struct Inference<'a> {
    pub id: Option<&'a str>,
    pub tensors: Vec<Tensor<'a>>,
    pub content: Content,
    /// The outputs that are asked for, and whether each is to be bytes where it says so.
    pub outputs: Vec<(&'a str, Option<bool>)>,
    /// Whether outputs are bytes that do not say otherwise.
    pub is_binary: bool,
}

impl<'a> Inference<'a> {
    /// Reads a body, with the bytes behind it.
    ///
    /// # Errors
    /// 422 with the fields at fault; 400 with the first input whose data are not what it says.
    pub fn read(body: &'a mut Json<'_>, raw: Option<&'a [u8]>) -> Result<Self, ApiError> {
        let mut faults = Faults::default();
        faults.request(body);
        if !faults.0.is_empty() {
            faults.0.truncate(MOST_DETAILS);
            return Err(ApiError::Fields(faults.0));
        }
        decode_texts(body)?;
        let body: &'a Json<'_> = body;
        let mut raw = Raw(raw);
        let parameter = |of: &'a Json, name: &str| of.get("parameters").and_then(|all| all.get(name));
        let inputs = body.get("inputs").and_then(Json::list).unwrap_or_default();
        let tensors =
            inputs.iter().map(|input| read_tensor(input, &mut raw)).collect::<Result<Vec<_>, _>>()?;
        raw.end()?;
        let outputs = body.get("outputs").and_then(Json::list).unwrap_or_default();
        let output = |output: &'a Json| {
            let is_binary = parameter(output, "binary_data").map(|value| *value == Json::Bool(true));
            Some((output.get("name")?.text()?, is_binary))
        };
        Ok(Self {
            id: body.get("id").and_then(Json::text),
            tensors,
            content: Content::of(parameter(body, "content_type").and_then(Json::text))?,
            outputs: outputs.iter().filter_map(output).collect(),
            is_binary: parameter(body, "binary_data_output") == Some(&Json::Bool(true)),
        })
    }
}

/// Decodes the data of inputs in base64, where they lie.
fn decode_texts(body: &mut Json) -> Result<(), ApiError> {
    let Json::Object(members) = body else { return Ok(()) };
    let Some((_, Json::List(inputs))) = members.iter_mut().rev().find(|(name, _)| name == "inputs") else {
        return Ok(());
    };
    for input in inputs {
        let content_type =
            input.get("parameters").and_then(|all| all.get("content_type")).and_then(Json::text);
        if content_type != Some("base64") {
            continue;
        }
        let name = input.get("name").and_then(Json::text).unwrap_or_default().to_owned();
        let Json::Object(members) = input else { continue };
        if let Some((_, data)) = members.iter_mut().rev().find(|(name, _)| name == "data") {
            decode_base64(data).map_err(|reason| of_input(&name, &reason))?;
        }
    }
    Ok(())
}

fn read_tensor<'a>(input: &'a Json<'_>, raw: &mut Raw<'a>) -> Result<Tensor<'a>, ApiError> {
    let name = input.get("name").and_then(Json::text).unwrap_or_default();
    let fault = |reason: String| of_input(name, &reason);
    let datatype =
        input.get("datatype").and_then(Json::text).and_then(Datatype::of).ok_or(ApiError::Internal)?;
    let shape = input.get("shape").and_then(Json::list).unwrap_or_default();
    let shape: Vec<i64> = shape.iter().filter_map(dimension).collect();
    let size = input.get("parameters").and_then(|all| all.get("binary_data_size"));
    let values: Block = match (size, input.get("data")) {
        (Some(Json::Integer(size)), _) => {
            let size = usize::try_from(*size).map_err(|_| fault(format!("binary_data_size is {size}")))?;
            raw.take(size).and_then(|bytes| datatype.read_raw(bytes)).map_err(fault)?
        }
        (Some(other), _) => {
            return Err(fault(format!("binary_data_size is no number of bytes but {}", other.shown())));
        }
        (None, Some(data)) => tensor::values(datatype, data).map_err(fault)?,
        (None, None) => Block::new(),
    };
    Tensor::new(name, &shape, values)
}

fn of_input(name: &str, reason: &str) -> ApiError {
    ApiError::Input(format!("input {:?}: {reason}", shortened(name)))
}

/// A size of a shape, also one that is written as a text or with a fraction of zero.
fn dimension(value: &Json) -> Option<i64> {
    match value {
        Json::Integer(number) => Some(*number),
        Json::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        Json::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// What is wrong with the fields of a body.
#[derive(Default)]
struct Faults(Vec<Detail>);

impl Faults {
    fn add(&mut self, kind: &'static str, loc: &[Value], msg: &str) {
        if self.0.len() < MOST_DETAILS {
            let loc = std::iter::once("body".into()).chain(loc.iter().cloned()).collect();
            self.0.push(Detail { kind, loc, msg: msg.to_owned() });
        }
    }

    fn request(&mut self, body: &Json) {
        const OBJECT: &str = "Input should be a valid dictionary or object to extract fields from";
        if body.object().is_none() {
            return self.add("model_attributes_type", &[], OBJECT);
        }
        if !matches!(body.get("id"), None | Some(Json::Text(_) | Json::Null)) {
            self.add("string_type", &["id".into()], "Input should be a valid string");
        }
        match body.get("inputs") {
            None => self.add("missing", &["inputs".into()], "Field required"),
            Some(Json::List(inputs)) => {
                for (place, input) in inputs.iter().enumerate() {
                    let loc = ["inputs".into(), place.into()];
                    match input.object() {
                        Some(_) => self.input(&loc, input),
                        None => self.add("model_attributes_type", &loc, OBJECT),
                    }
                }
            }
            Some(_) => self.add("list_type", &["inputs".into()], "Input should be a valid list"),
        }
        match body.get("outputs") {
            None | Some(Json::Null) => {}
            Some(Json::List(outputs)) => {
                for (place, output) in outputs.iter().enumerate() {
                    self.name(&["outputs".into(), place.into()], output);
                }
            }
            Some(_) => self.add("list_type", &["outputs".into()], "Input should be a valid list"),
        }
    }

    fn name(&mut self, loc: &[Value], of: &Json) {
        let loc = [loc, &["name".into()]].concat();
        match of.get("name") {
            Some(Json::Text(_)) => {}
            None => self.add("missing", &loc, "Field required"),
            Some(_) => self.add("string_type", &loc, "Input should be a valid string"),
        }
    }

    fn input(&mut self, loc: &[Value], input: &Json) {
        self.name(loc, input);
        let at = |field: &str| [loc, &[field.into()]].concat();
        match input.get("shape") {
            None => self.add("missing", &at("shape"), "Field required"),
            Some(Json::List(sizes)) => {
                for (place, size) in sizes.iter().enumerate().filter(|(_, size)| dimension(size).is_none()) {
                    let loc = [&at("shape")[..], &[place.into()]].concat();
                    let kind = if matches!(size, Json::Text(_)) { "int_parsing" } else { "int_type" };
                    self.add(kind, &loc, "Input should be a valid integer");
                }
            }
            Some(_) => self.add("list_type", &at("shape"), "Input should be a valid list"),
        }
        match input.get("datatype") {
            None => self.add("missing", &at("datatype"), "Field required"),
            Some(Json::Text(name)) if Datatype::of(name).is_some() => {}
            Some(_) => self.add("enum", &at("datatype"), &format!("Input should be {}", Datatype::names())),
        }
        let is_binary = input.get("parameters").and_then(|all| all.get("binary_data_size")).is_some();
        if input.get("data").is_none() && !is_binary {
            self.add("missing", &at("data"), "Field required");
        }
    }
}
