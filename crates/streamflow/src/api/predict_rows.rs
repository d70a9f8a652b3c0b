//! `POST /predict/batch` of a model file: rows as a list of objects of features, or as columns.

use axum::body::Bytes;
use serde_json::{Value as Answer, json};
use streamflow_inference::{self as inference, Value};

use super::ApiState;
use super::error::{ApiError, Invalid};
use super::explained;
use super::features::{FileModel, VERSION};
use super::json::{Json, shortened};

/// Rows as a list of objects.
const FEATURES: &str = "features";
/// Rows as columns.
const COLUMNS: &str = "columns";

impl FileModel {
    /// Answers every row of a body, or none.
    ///
    /// # Errors
    /// 422 with the row and the feature at fault: features must all be there and no others, as in a single prediction.
    pub fn answer_rows(&self, body: &Bytes, state: &ApiState, explains: bool) -> Result<Vec<u8>, ApiError> {
        let limit = state.0.settings.batch_limit.get();
        let read = Json::read(body)?;
        let given = |name: &str| read.as_ref().and_then(|body| body.get(name));
        let rows = match (given(FEATURES), given(COLUMNS)) {
            (Some(Json::List(rows)), None) => self.of_list(rows, limit)?,
            (None, Some(Json::Object(_))) => self.of_columns(given(COLUMNS).unwrap_or(&Json::Null), limit)?,
            (Some(other), None) => {
                let message = format!("expected a list of objects of features, got {}", other.shown());
                return Err(invalid("list_type", FEATURES, None, message));
            }
            (None, Some(other)) => {
                let message = format!("expected an object of lists, got {}", other.shown());
                return Err(invalid("dict_type", COLUMNS, None, message));
            }
            _ => {
                let message =
                    "expected either features, a list of objects, or columns, an object of lists".to_owned();
                return Err(Invalid { kind: "missing", message, ..Invalid::default() }.into());
            }
        };
        self.answer_values(&rows, state, explains)
    }

    fn answer_values(&self, values: &[Value], state: &ApiState, explains: bool) -> Result<Vec<u8>, ApiError> {
        let width = self.model().inputs().len();
        let predictions = self.model().predict(values).map_err(|error| {
            let of_row = |(row, values): (usize, &[Value])| Some((row, self.model().predict(values).err()?));
            match values.chunks_exact(width).enumerate().find_map(of_row) {
                Some((row, inference::Error::Value { feature, given, expected })) => {
                    invalid("value_error", &feature, Some(row), format!("expected {expected}, got {given}"))
                }
                Some((row, error)) => ApiError::Unpredictable(format!("row {row}: {error}")),
                None => ApiError::Unpredictable(error.to_string()),
            }
        })?;
        let explained = if explains { Some(self.explain(values)?) } else { None };
        let row = |row| {
            let mut answer = self.row(&predictions, row, &state.0.metrics);
            if let Some(found) = &explained {
                explained::add(&mut answer, self.model(), found, row);
            }
            Answer::Object(answer)
        };
        let rows = (0..values.len() / width).map(row);
        let mut answer = json!({ "predictions": rows.collect::<Vec<_>>() });
        let unseen: serde_json::Map<_, _> =
            self.unseen(&predictions).map(|(name, rows)| (name.to_owned(), json!(rows))).collect();
        if !unseen.is_empty() {
            answer["unseen_levels"] = Answer::Object(unseen);
        }
        answer["model"] = json!({ "name": self.name, "version": VERSION });
        Ok(serde_json::to_vec(&answer).expect("a JSON value can be written"))
    }

    /// The values of objects, row after row in the order of the model.
    fn of_list<'a>(&self, rows: &'a [Json<'a>], limit: usize) -> Result<Vec<Value<'a>>, ApiError> {
        check_rows(rows.len(), limit, FEATURES)?;
        let mut values = Vec::with_capacity(rows.len() * self.model().inputs().len());
        for (row, features) in rows.iter().enumerate() {
            let Some(members) = features.object() else {
                let message = format!("expected an object of features, got {}", features.shown());
                return Err(invalid("dict_type", FEATURES, Some(row), message));
            };
            if let Some((name, _)) = members.iter().find(|(name, _)| !self.places.contains_key(&**name)) {
                return Err(self.unknown(name, Some(row)));
            }
            for input in self.model().inputs() {
                let value = features.get(&input.name).ok_or_else(|| missing(input, Some(row)))?;
                values.push(value_of(value, input, row)?);
            }
        }
        Ok(values)
    }

    /// The same of columns.
    fn of_columns<'a>(&self, columns: &'a Json<'a>, limit: usize) -> Result<Vec<Value<'a>>, ApiError> {
        let members = columns.object().unwrap_or_default();
        if let Some((name, _)) = members.iter().find(|(name, _)| !self.places.contains_key(&**name)) {
            return Err(self.unknown(name, None));
        }
        let mut lists = Vec::with_capacity(self.model().inputs().len());
        for input in self.model().inputs() {
            let column = columns.get(&input.name).ok_or_else(|| missing(input, None))?;
            let list = column.list().ok_or_else(|| {
                invalid("list_type", &input.name, None, format!("expected a list, got {}", column.shown()))
            })?;
            lists.push(list);
        }
        let rows = lists.first().map_or(0, |list| list.len());
        check_rows(rows, limit, COLUMNS)?;
        if let Some((input, list)) =
            self.model().inputs().iter().zip(&lists).find(|(_, list)| list.len() != rows)
        {
            let message = format!("expected {rows} values, as the first column has, got {}", list.len());
            return Err(invalid("value_error", &input.name, None, message));
        }
        let mut values = Vec::with_capacity(rows * lists.len());
        for row in 0..rows {
            for (input, list) in self.model().inputs().iter().zip(&lists) {
                values.push(value_of(&list[row], input, row)?);
            }
        }
        Ok(values)
    }

    fn unknown(&self, name: &str, row: Option<usize>) -> ApiError {
        let message = format!("the model has no such feature; it takes {}", self.listed());
        invalid("extra_forbidden", &shortened(name), row, message)
    }
}

fn value_of<'a>(value: &'a Json<'a>, input: &inference::Input, row: usize) -> Result<Value<'a>, ApiError> {
    Ok(match value {
        Json::Null => Value::Missing,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Integer(number) => Value::Integer(*number),
        Json::Large(number) => Value::Number(*number as f64),
        Json::Number(number) => Value::Number(*number),
        Json::Text(text) => Value::Text(text),
        Json::List(_) | Json::Object(_) => {
            let message = format!("expected {}, got {}", input.kind.accepts(), value.shown());
            return Err(invalid("value_error", &input.name, Some(row), message));
        }
    })
}

fn missing(input: &inference::Input, row: Option<usize>) -> ApiError {
    invalid("missing", &input.name, row, "field required; null is a missing value".to_owned())
}

fn check_rows(rows: usize, limit: usize, field: &str) -> Result<(), ApiError> {
    if rows > limit {
        let message = format!("expected at most {limit} rows (api.batch_limit), got {rows}");
        return Err(invalid("too_long", field, None, message));
    }
    Ok(())
}

fn invalid(kind: &'static str, field: &str, index: Option<usize>, message: String) -> ApiError {
    Invalid { kind, field: Some(field.to_owned()), index, message, ..Invalid::default() }.into()
}
