//! `ModelInfer`: tensors by typed contents or raw bytes, answered in the way they came.

use prost::Message as _;
use prost::bytes::Bytes;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use streamflow_dataset::Cell;

use super::messages::{Contents, ModelInferRequest, ModelInferResponse, Tensor as Message, content_type};
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::json::{Json, shortened};
use crate::api::models::Target;
use crate::api::observed::Asked;
use crate::api::protocols::asked::Output;
use crate::api::protocols::datatype::{Datatype, decode_base64, of_integer, utf8};
use crate::api::protocols::table::Block;
use crate::api::protocols::tensor::{self, Content, Tensor};
use crate::api::protocols::v2::{Wanted, new_id};
use crate::scoring::Answers;

/// Most inputs and outputs of a request: an empty one takes two bytes on the wire and a hundred times as many in memory.
const MOST_TENSORS: usize = 10_000;

/// Answers one message.
///
/// # Errors
/// What is no sound message, and what the model does not take.
pub fn answer(state: &ApiState, asked: &Asked, message: Bytes) -> Result<ModelInferResponse, ApiError> {
    let unsound =
        |error: prost::DecodeError| ApiError::Input(format!("the message is no sound protobuf: {error}"));
    let tensors = count_tensors(message.clone()).map_err(unsound)?;
    if tensors > MOST_TENSORS {
        return Err(ApiError::Input(format!(
            "the message has {tensors} inputs and outputs; expected at most {MOST_TENSORS}"
        )));
    }
    let mut request = ModelInferRequest::decode(message.clone()).map_err(unsound)?;
    let version = Some(request.model_version.as_str()).filter(|version| !version.is_empty());
    let target = state.0.models.answering(Some(&request.model_name), version, asked, &message)?;
    decode_texts(&mut request)?;
    let outputs: Vec<(&str, Option<bool>)> =
        request.outputs.iter().map(|output| (output.name.as_str(), None)).collect();
    let is_raw = !request.raw_input_contents.is_empty();
    let wanted = Wanted::of(&outputs, is_raw, &target)?;
    let tensors = read_tensors(&request)?;
    let table = tensor::table(tensors, Content::of(content_type(&request.parameters))?, &target)?;
    let rows = table.rows();
    let answers = target.score(&table, state, asked)?;
    let id = if request.id.is_empty() { new_id()? } else { request.id.clone() };
    written(&target, id, rows, &answers, &wanted)
}

/// The number of inputs and outputs, without taking any apart.
fn count_tensors(mut message: Bytes) -> Result<usize, prost::DecodeError> {
    let mut tensors = 0;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message)?;
        tensors += usize::from(matches!(tag, 5..=7));
        skip_field(wire_type, tag, &mut message, DecodeContext::default())?;
    }
    Ok(tensors)
}

/// Decodes the contents of inputs in base64, where they lie.
fn decode_texts(request: &mut ModelInferRequest) -> Result<(), ApiError> {
    for input in &mut request.inputs {
        if content_type(&input.parameters) != Some("base64") {
            continue;
        }
        let Some(contents) = &mut input.contents else { continue };
        for text in &mut contents.texts {
            let mut json = Json::Text(String::from_utf8_lossy(text).into_owned().into());
            decode_base64(&mut json).map_err(|reason| of_input(&input.name, &reason))?;
            *text = json.text().unwrap_or_default().as_bytes().to_vec().into();
        }
    }
    Ok(())
}

fn of_input(name: &str, reason: &str) -> ApiError {
    ApiError::Input(format!("input {:?}: {reason}", shortened(name)))
}

fn read_tensors(request: &ModelInferRequest) -> Result<Vec<Tensor<'_>>, ApiError> {
    let raw = &request.raw_input_contents;
    if !raw.is_empty() && raw.len() != request.inputs.len() {
        let (given, expected) = (raw.len(), request.inputs.len());
        return Err(ApiError::Input(format!(
            "raw_input_contents has {given} entries for {expected} inputs; expected one for each"
        )));
    }
    let mut tensors = Vec::with_capacity(request.inputs.len());
    for (place, input) in request.inputs.iter().enumerate() {
        let fault = |reason: String| of_input(&input.name, &reason);
        let datatype = Datatype::of(&input.datatype).ok_or_else(|| {
            let given = shortened(&input.datatype);
            fault(format!("datatype {given:?} is not known; expected {}", Datatype::names()))
        })?;
        let values = match (raw.get(place), &input.contents) {
            (Some(_), Some(contents)) if **contents != Contents::default() => {
                Err("it has contents and raw_input_contents; expected one of them".to_owned())
            }
            (Some(bytes), _) => datatype.read_raw(bytes),
            (None, Some(contents)) => of_contents(datatype, contents),
            (None, None) => Ok(Block::new()),
        };
        tensors.push(Tensor::new(&input.name, &input.shape, values.map_err(fault)?)?);
    }
    Ok(tensors)
}

/// The typed values of a tensor: those of its datatype's own list, and no others.
fn of_contents(datatype: Datatype, contents: &Contents) -> Result<Block<'_>, String> {
    let (block, name) = match datatype {
        Datatype::Bool => {
            (contents.bools.iter().map(|value| Cell::Boolean(*value)).collect(), "bool_contents")
        }
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => {
            (contents.ints.iter().map(|value| Cell::Integer(i64::from(*value))).collect(), "int_contents")
        }
        Datatype::Int64 => {
            (contents.int64s.iter().map(|value| Cell::Integer(*value)).collect(), "int64_contents")
        }
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => {
            (contents.uints.iter().map(|value| Cell::Integer(i64::from(*value))).collect(), "uint_contents")
        }
        Datatype::Uint64 => {
            (contents.uint64s.iter().map(|value| of_integer(i128::from(*value))).collect(), "uint64_contents")
        }
        Datatype::Fp32 => {
            (contents.fp32s.iter().map(|value| Cell::Float(f64::from(*value))).collect(), "fp32_contents")
        }
        Datatype::Fp64 => (contents.fp64s.iter().map(|value| Cell::Float(*value)).collect(), "fp64_contents"),
        Datatype::Bytes => {
            let texts = contents.texts.iter().enumerate().map(|(place, text)| utf8(text, place));
            (texts.collect::<Result<Block, String>>()?, "bytes_contents")
        }
        Datatype::Fp16 => return Err("FP16 has no typed contents; send raw_input_contents".to_owned()),
    };
    let given = [
        contents.bools.len(),
        contents.ints.len(),
        contents.int64s.len(),
        contents.uints.len(),
        contents.uint64s.len(),
        contents.fp32s.len(),
        contents.fp64s.len(),
        contents.texts.len(),
    ];
    if given.iter().sum::<usize>() != block.len() {
        return Err(format!("its contents are not those of {}; expected them in {name}", datatype.name()));
    }
    Ok(block)
}

fn written(
    target: &Target,
    id: String,
    rows: usize,
    answers: &Answers,
    wanted: &Wanted,
) -> Result<ModelInferResponse, ApiError> {
    let mut response = ModelInferResponse {
        model_name: target.name().to_owned(),
        model_version: target.version().unwrap_or_default().to_owned(),
        id,
        ..ModelInferResponse::default()
    };
    for &(name, is_raw) in &wanted.0 {
        let output = Output::of(answers, name).ok_or(ApiError::Internal)?;
        let (width, datatype) = (output.width(), output.datatype());
        let cells = || (0..rows).flat_map(move |row| (0..width).map(move |column| output.cell(row, column)));
        let mut tensor = Message {
            name: name.to_owned(),
            datatype: datatype.name().to_owned(),
            shape: vec![rows as i64, width as i64],
            ..Message::default()
        };
        if is_raw {
            let mut bytes = Vec::new();
            cells().for_each(|cell| datatype.write_raw(cell, &mut bytes));
            response.raw_output_contents.push(bytes);
        } else {
            tensor.contents = Some(Box::new(typed(cells(), datatype)));
        }
        response.outputs.push(tensor);
    }
    Ok(response)
}

fn typed<'a>(cells: impl Iterator<Item = Cell<'a>>, datatype: Datatype) -> Contents {
    let mut contents = Contents::default();
    for cell in cells {
        match cell {
            Cell::Float(number) if datatype == Datatype::Fp32 => contents.fp32s.push(number as f32),
            Cell::Float(number) => contents.fp64s.push(number),
            Cell::Integer(number) => contents.int64s.push(number),
            Cell::Text(text) => contents.texts.push(Bytes::copy_from_slice(text.as_bytes())),
            _ => {}
        }
    }
    contents
}
