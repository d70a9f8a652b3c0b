//! The body of `POST /features`.

use streamflow_dataset::{ColumnSpec, ColumnType, EntityKey, KeyPart};

use super::super::error::{ApiError, Invalid};
use super::super::json::{Json, NAME, shortened};
use super::super::request::timestamp;
use super::Columns;
use crate::feature_store::Value;
use crate::store::pushed::PushedFeature;

/// Most values of one request; more come in several.
const MOST_VALUES: usize = 20_000;
/// Most bytes of a text.
const MOST_TEXT_BYTES: usize = 1024;
/// How far the clock of who pushes may be ahead.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// Integers up to here are 64-bit floats exactly.
const EXACT: i64 = 1 << 53;
const ROWS: &str = "rows";
const TIME: &str = "time";
const FEATURES: &str = "features";

impl Columns {
    /// The values of a body, all or none.
    pub fn read(&self, body: &[u8], key: &EntityKey) -> Result<Vec<PushedFeature>, ApiError> {
        let read = Json::read(body)?;
        let list = match read.as_ref().and_then(|body| body.get(ROWS)) {
            Some(Json::List(list)) => list,
            Some(other) => {
                return Err(invalid("list_type", None, format!("expected a list, got {}", other.shown())));
            }
            None => return Err(invalid("missing", None, "field required".to_owned())),
        };
        let mut values = Vec::new();
        for (place, row) in list.iter().enumerate() {
            let read = self.row(row, key);
            values.extend(read.map_err(|message| invalid("value_error", Some(place), message))?);
            if values.len() > MOST_VALUES {
                let message = format!(
                    "expected at most {MOST_VALUES} values in a request; send the rest in another one"
                );
                return Err(invalid("too_long", None, message));
            }
        }
        Ok(values)
    }

    fn row(&self, given: &Json, key: &EntityKey) -> Result<Vec<PushedFeature>, String> {
        let members = given.object().ok_or_else(|| format!("expected an object, got {}", given.shown()))?;
        let is_known = |name: &str| key.has(name) || [TIME, FEATURES].contains(&name);
        if let Some((name, _)) = members.iter().find(|(name, _)| !is_known(name)) {
            let columns = key.columns().join(", ");
            return Err(format!(
                "{:?} is no field; expected {columns}, {TIME} and {FEATURES}",
                shortened(name)
            ));
        }
        let (entity, time_us) = (self.entity(given, key)?, time(given.get(TIME))?);
        let features = match given.get(FEATURES) {
            Some(Json::Object(features)) => features,
            Some(other) => return Err(format!("{FEATURES} is {}; expected an object", other.shown())),
            None => return Err(format!("{FEATURES} is missing")),
        };
        let mut values: Vec<PushedFeature> = Vec::with_capacity(features.len());
        for (name, value) in features {
            let Some((feature, spec)) = self.features.iter().find(|(known, _)| **known == **name) else {
                let known: Vec<&str> = self.features.iter().map(|(name, _)| &**name).collect();
                return Err(format!(
                    "{:?} is no feature of dataset.features; expected {}",
                    shortened(name),
                    known.join(", ")
                ));
            };
            if values.iter().any(|known| *known.feature == **feature) {
                return Err(format!("{feature} stands twice; expected one value"));
            }
            let value = value_of(value, spec).map_err(|message| format!("{feature} is {message}"))?;
            values.push(stored(&entity, feature, value, time_us));
        }
        Ok(values)
    }

    /// The text that names the entity of a row.
    fn entity(&self, given: &Json, key: &EntityKey) -> Result<String, String> {
        let mut parts = Vec::with_capacity(self.key.len());
        for (column, kind) in key.columns().iter().zip(&self.key) {
            parts.push(match (given.get(column), kind) {
                (Some(Json::Integer(number)), ColumnType::Integer) => KeyPart::Integer(*number),
                (Some(Json::Text(text)), ColumnType::String) if text.len() > MOST_TEXT_BYTES => {
                    return Err(format!(
                        "{column} has {} bytes; expected at most {MOST_TEXT_BYTES}",
                        text.len()
                    ));
                }
                (Some(text), ColumnType::String) if text.name().is_some() => {
                    KeyPart::Text(text.name().unwrap_or_default().into())
                }
                (given, kind) => {
                    let expected = match kind {
                        ColumnType::Integer => "an integer",
                        _ => NAME,
                    };
                    let got = given.map_or("missing".to_owned(), Json::shown);
                    return Err(format!("{column} is {got}; expected {expected}"));
                }
            });
        }
        Ok(key.text(&parts))
    }
}

/// The time of a row in microseconds since 1970.
fn time(given: Option<&Json>) -> Result<i64, String> {
    let expected = "a time with its offset, such as 2024-03-01T12:00:00Z";
    let text = match given {
        Some(Json::Text(text)) => text,
        Some(other) => return Err(format!("{TIME} is {}; expected {expected}", other.shown())),
        None => return Err(format!("{TIME} is missing; expected {expected}")),
    };
    let at =
        timestamp(text).ok_or_else(|| format!("{TIME} is {:?}; expected {expected}", shortened(text)))?;
    let now = jiff::Timestamp::now();
    if at.duration_since(now) > AHEAD {
        return Err(format!(
            "{TIME} is {:?}; expected a time that has come: it is {now:.0} here, and ten minutes more are taken",
            shortened(text)
        ));
    }
    Ok(at.as_microsecond())
}

/// The value of a feature that has this type.
fn value_of(given: &Json, spec: &ColumnSpec) -> Result<Value, String> {
    let kind = spec.column_type;
    let expected = match kind {
        ColumnType::Integer => "an integer that a 64-bit float holds exactly",
        ColumnType::Float => "a finite number that a 64-bit float holds exactly",
        ColumnType::Boolean => "true or false",
        ColumnType::String | ColumnType::Date => "a text",
    };
    let number = |integer: i64| (integer.unsigned_abs() <= EXACT.unsigned_abs()).then_some(integer as f64);
    let value = match (given, kind) {
        (Json::Null, _) if spec.nullable => Some(Value::Missing),
        (Json::Integer(integer), ColumnType::Integer | ColumnType::Float) => {
            number(*integer).map(Value::Number)
        }
        (Json::Number(float), ColumnType::Float) if float.is_finite() => Some(Value::Number(*float)),
        (Json::Number(float), ColumnType::Integer) if float.fract() == 0.0 && float.abs() <= EXACT as f64 => {
            Some(Value::Number(*float))
        }
        (Json::Bool(truth), ColumnType::Boolean) => Some(Value::Boolean(*truth)),
        (Json::Text(text), ColumnType::String) if text.len() > MOST_TEXT_BYTES => {
            return Err(format!("a text of {} bytes; expected at most {MOST_TEXT_BYTES}", text.len()));
        }
        (Json::Text(text), ColumnType::String) => Some(Value::Text(text.to_string())),
        _ => None,
    };
    let why = match given {
        Json::Null => ", since the column is declared as not nullable",
        _ => "",
    };
    value.ok_or_else(|| format!("{}; expected {expected}{why}", given.shown()))
}

/// A value as the database has it.
fn stored(entity: &str, feature: &str, value: Value, time_us: i64) -> PushedFeature {
    let (kind, number, text) = match value {
        Value::Missing => ("missing", None, None),
        Value::Boolean(truth) => ("boolean", Some(f64::from(u8::from(truth))), None),
        // 0 and -0 are one number.
        Value::Number(number) => ("number", Some(number + 0.0), None),
        Value::Text(text) => ("text", None, Some(text)),
    };
    PushedFeature {
        entity: entity.to_owned(),
        feature: feature.to_owned(),
        kind: kind.to_owned(),
        number,
        text,
        time_us,
    }
}

fn invalid(kind: &'static str, index: Option<usize>, message: String) -> ApiError {
    Invalid { kind, field: Some(ROWS.to_owned()), index, message, ..Invalid::default() }.into()
}
