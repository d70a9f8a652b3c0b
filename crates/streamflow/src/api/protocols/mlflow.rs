//! MLflow's scoring server, whose two routes are those of a SageMaker container too.

use std::io::{self, Write};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use serde_json::ser::Formatter;

use super::asked::{PREDICT, PREDICT_PROBA};
use super::csv;
use super::predictions::Predictions;
use super::table::{Block, Table, cell};
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::json::{Json as Value, shortened};
use crate::api::models::Target;
use crate::api::observed::Asked;

/// What metrics call it.
const PROTOCOL: &str = "mlflow";
/// The members of which a body has one.
const FORMS: [&str; 4] = ["dataframe_split", "dataframe_records", "instances", "inputs"];

pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ping", get(ping))
        .route("/version", get(async || env!("CARGO_PKG_VERSION")))
        .route("/invocations", post(invocations))
}

async fn ping(State(state): State<ApiState>) -> Result<&'static str, ApiError> {
    state.0.models.only().map(|_| "\n")
}

async fn invocations(State(state): State<ApiState>, request: Request) -> Response {
    let answer = super::answer(&state, PROTOCOL, request, |state, asked, headers, body| {
        let target = state.0.models.answering(None, None, asked, body)?;
        match media_type(headers).as_str() {
            "text/csv" => {
                let records = csv::records(body)?;
                scored(state, asked, &target, csv::table(&records)?, PREDICT)
            }
            "application/json" => of_json(state, asked, &target, body),
            other => Err(ApiError::ContentType(other.to_owned())),
        }
    });
    match answer.await {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => refusal(error),
    }
}

/// The media type without its parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn of_json(state: &ApiState, asked: &Asked, target: &Target, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let read = Value::read(body)?;
    let members = read.as_ref().and_then(Value::object).unwrap_or_default();
    let given: Vec<&str> =
        FORMS.into_iter().filter(|form| members.iter().any(|(name, _)| name == form)).collect();
    let (Some(read), [form]) = (&read, &given[..]) else {
        let names: Vec<String> =
            members.iter().take(10).map(|(name, _)| format!("'{}'", shortened(name))).collect();
        return Err(ApiError::Input(format!(
            "The input must be a JSON dictionary with exactly one of the input fields {{'dataframe_split', \
             'dataframe_records', 'instances', 'inputs'}}. Received dictionary with input fields: [{}].",
            names.join(", ")
        )));
    };
    let value = read.get(form).unwrap_or(&Value::Null);
    let method = read.get("params").and_then(|params| params.get("predict_method"));
    let output = match method.and_then(Value::text) {
        None | Some(PREDICT) => PREDICT,
        Some(PREDICT_PROBA) => PREDICT_PROBA,
        Some(other) => {
            let other = shortened(other);
            return Err(ApiError::Input(format!(
                "params.predict_method is {other:?}; expected \"predict\" or \"predict_proba\""
            )));
        }
    };
    let mut table = match (*form, value) {
        ("dataframe_split", split) => of_split(split)?,
        ("inputs", Value::Object(columns)) => of_columns(columns)?,
        (form, Value::List(rows)) => match rows.first() {
            Some(Value::Object(_)) => target.records(rows, form, state)?,
            _ => Table::of_lists(rows, None, form)?,
        },
        (form, other) => {
            let other = other.shown();
            return Err(ApiError::Input(format!("{form}: expected a list of rows, got {other}")));
        }
    };
    table.is_text = true;
    scored(state, asked, target, table, output)
}

fn of_split<'a>(split: &'a Value<'a>) -> Result<Table<'a>, ApiError> {
    let member = |name: &str| {
        split.get(name).and_then(Value::list).ok_or_else(|| {
            ApiError::Input(format!(
                "dataframe_split.{name}: expected a list; a split has \"columns\" and \"data\""
            ))
        })
    };
    let names = member("columns")?.iter().map(|name| {
        let given = name.shown();
        name.text()
            .ok_or_else(|| ApiError::Input(format!("dataframe_split.columns: expected names, got {given}")))
    });
    let names: Vec<&str> = names.collect::<Result<_, _>>()?;
    Table::of_lists(member("data")?, Some(names), "dataframe_split.data")
}

/// Columns by their names, each a list of values, or of lists of one value.
fn of_columns<'a>(columns: &'a [(std::borrow::Cow<'a, str>, Value<'a>)]) -> Result<Table<'a>, ApiError> {
    let mut blocks = Vec::with_capacity(columns.len());
    for (name, values) in columns {
        let place = || format!("inputs.{}", shortened(name));
        let block = match values.list() {
            None => vec![cell(values, place)?],
            Some(values) => {
                let one = |value: &'a Value<'a>| match value.list() {
                    Some([one]) => cell(one, place),
                    _ => cell(value, place),
                };
                values.iter().map(one).collect::<Result<Block, _>>()?
            }
        };
        blocks.push((&**name, block));
    }
    Table::of_columns(blocks)
}

fn scored(
    state: &ApiState,
    asked: &Asked,
    target: &Target,
    table: Table,
    output: &str,
) -> Result<Vec<u8>, ApiError> {
    let answers = target.score(&table, state, asked)?;
    Predictions::named(&answers, output, table.rows()).written(Spaced)
}

/// Python's spelling of JSON: a blank after commas and colons.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// A refusal in MLflow's form.
fn refusal(error: ApiError) -> Response {
    if let ApiError::ContentType(given) = &error {
        let text = format!(
            "This predictor only supports the following content types: Types: ['text/csv', 'application/json']. \
             Got '{given}'."
        );
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
    }
    let code = match &error {
        ApiError::Input(_) => "INVALID_PARAMETER_VALUE",
        ApiError::Invalid(_) => "BAD_REQUEST",
        _ => return error.into_response(),
    };
    let body = json!({
        "error_code": code, "message": error.to_string(), "error_class": "INVALID_PARAMETER_VALUE",
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
