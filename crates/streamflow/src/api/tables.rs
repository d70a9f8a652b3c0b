//! `POST /predict/batch` with a table of features, or of entities, as Arrow or Parquet, answered with a table in the same format.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use streamflow_dataset::{Batch, Cell, OutputFormat, OutputType, TableRows, TableWriter};
use streamflow_inference::Labels;

use super::ApiState;
use super::error::ApiError;
use super::models::Target;
use super::observed::Asked;
use super::protocols::asked::check_rows;
use super::table_entities::{Lookup, remedy};
use crate::scoring::{Answers, Refused, Rows};

/// What a table is called in messages.
const NAME: &str = "the body";
/// How many times the limit of a body the values of a table may take; a text that all rows share is counted in each.
const EXPANSION: u64 = 64;
const ARROW_FILE: &str = "application/vnd.apache.arrow.file";
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";

/// The format of a body that is declared as a table.
pub fn declared(headers: &HeaderMap) -> Option<OutputFormat> {
    let essence = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
    match essence.to_ascii_lowercase().as_str() {
        ARROW_FILE | ARROW_STREAM => Some(OutputFormat::Arrow),
        PARQUET => Some(OutputFormat::Parquet),
        _ => None,
    }
}

/// The content type of an answer.
pub fn content_type(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Parquet => PARQUET,
        OutputFormat::Arrow | OutputFormat::Csv => ARROW_FILE,
    }
}

/// Answers every row of a table, or none.
///
/// # Errors
/// What is no table, has too many rows, or lacks a feature and names no entities; a value that the model does not take, and
/// an entity that nothing is known about, with its row.
pub fn answer(
    target: &Target,
    body: &Bytes,
    format: OutputFormat,
    state: &ApiState,
    asked: &Asked,
) -> Result<Vec<u8>, ApiError> {
    let limit_bytes = EXPANSION.saturating_mul(state.0.settings.batch_body_limit_bytes.get() as u64);
    let table = TableRows::of_bytes(NAME, body.clone(), limit_bytes).map_err(input)?;
    let rows = usize::try_from(table.rows().unwrap_or(0)).unwrap_or(usize::MAX);
    check_rows(rows, state)?;
    let names: Vec<&str> = table.header().iter().map(String::as_str).collect();
    let lookup = Lookup::of(target, &names)?;
    let columns = match &lookup {
        Some(lookup) => lookup.columns.clone(),
        None => target.named_columns(&names).map_err(|error| match error {
            ApiError::Input(message) => ApiError::Input(message + &remedy(target)),
            other => other,
        })?,
    };
    let mut answered = Vec::new();
    table.read(&columns, |batch, _| -> Result<(), Fault> {
        answered.push(match &lookup {
            Some(lookup) => lookup.scored(batch, state, asked)?,
            None => scored(target, batch, state, asked)?,
        });
        Ok(())
    })?;
    if answered.is_empty() {
        // Without rows the answer has its columns all the same.
        let none = Rows { number: 0, is_text: false };
        answered.push(
            target
                .answers(none, |_, _| Cell::Missing, state, asked)
                .map_err(|refused| input(refused.error))?,
        );
    }
    answered.iter().for_each(|answers| target.count(answers, &state.0.metrics));
    written(answered, target.classes().as_ref(), format).map_err(input)
}

fn written(
    answered: Vec<Answers>,
    classes: Option<&Labels>,
    format: OutputFormat,
) -> Result<Vec<u8>, streamflow_dataset::Error> {
    let output = Shared::default();
    let mut writer: Option<TableWriter> = None;
    for answers in answered {
        let columns = answers.into_columns(classes);
        let types: Vec<(String, OutputType)> =
            columns.iter().map(|(name, column)| (name.clone(), column.output_type())).collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        match &mut writer {
            Some(writer) => writer.write(columns)?,
            none => none.insert(TableWriter::open(output.clone(), NAME, format, &types)?).write(columns)?,
        }
    }
    writer.map_or(Ok(()), TableWriter::finish)?;
    Ok(output.take())
}

fn scored(target: &Target, batch: &Batch, state: &ApiState, asked: &Asked) -> Result<Answers, ApiError> {
    let rows = Rows { number: batch.rows(), is_text: false };
    let answers = target.answers(rows, |row, column| batch.cell(column, row), state, asked);
    answers.map_err(|Refused { row, error }| {
        ApiError::Input(match row {
            Some(row) => format!("{}: {error}", batch.position(row)),
            None => error.to_string(),
        })
    })
}

fn input(error: impl ToString) -> ApiError {
    ApiError::Input(error.to_string())
}

/// Why a table is not answered.
struct Fault(ApiError);

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<streamflow_dataset::Error> for Fault {
    fn from(error: streamflow_dataset::Error) -> Self {
        Self(input(error))
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

/// Bytes that are written here and read there.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
