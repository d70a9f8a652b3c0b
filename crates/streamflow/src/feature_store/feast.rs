//! A feature server of Feast, over HTTP.
//!
//! `POST /get-online-features` answers in columns: `results[i]` belongs to `metadata.feature_names[i]`, in an order of its
//! own, and has a value, a status and a time for each entity. An entity that the server does not know is not an error there: its
//! values are null and their statuses NOT_FOUND, or, in front of a Redis,
//! PRESENT with the time 1970-01-01T00:00:00Z.

use std::sync::Arc;

use reqwest::{Response, Url};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use streamflow_dataset::{EntityKey, KeyPart};
use streamflow_outbound::{Receiver, causes};

use super::Name;
use super::found::{Failure, Found, Known, Value};
use super::number;
use crate::config::FeaturesConfig;

/// Longest answer that is read.
const MAX_BYTES: usize = 64 << 20;
/// Most of an error's body that is repeated.
const SHOWN: usize = 300;

/// How the server is asked.
pub struct Feast {
    receiver: Receiver,
    columns: Vec<String>,
    /// `features` or `feature_service`, and its value.
    wanted: (&'static str, Json),
    /// The names of the features that are asked for one by one.
    references: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
    results: Vec<Column>,
}

#[derive(Deserialize)]
struct Metadata {
    feature_names: Vec<String>,
}

#[derive(Deserialize)]
struct Column {
    values: Vec<Json>,
    #[serde(default)]
    statuses: Vec<String>,
    #[serde(default)]
    event_timestamps: Vec<String>,
}

impl Feast {
    pub fn new(receiver: Receiver, config: &FeaturesConfig, key: &EntityKey) -> Self {
        let wanted = match &config.service {
            Some(service) => ("feature_service", json!(service)),
            None => ("features", json!(config.references)),
        };
        let name = |reference: &String| reference.split_once(':').map(|(_, name)| name.to_owned());
        let references = config.references.iter().filter_map(name).collect();
        Self { receiver, columns: key.columns().to_vec(), wanted, references }
    }

    pub fn shown_url(&self) -> String {
        self.receiver.shown_url()
    }

    /// What the server knows of each entity, in their order.
    pub async fn ask(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        let body = self.post(self.body(names)).await?;
        let answer = self.read(&body)?;
        self.check(&answer, names.len())?;
        self.check_content(&answer, names)?;
        let features: Vec<(Arc<str>, &Column)> = answer
            .metadata
            .feature_names
            .iter()
            .zip(&answer.results)
            .filter(|(name, _)| !self.columns.contains(name))
            .map(|(name, column)| (Arc::from(name.as_str()), column))
            .collect();
        (0..names.len()).map(|row| self.found(&features, row).map(Arc::new)).collect()
    }

    fn body(&self, names: &[Name]) -> Json {
        let column = |(place, column): (usize, &String)| {
            let values = names.iter().map(|name| match &name[place] {
                KeyPart::Text(text) => json!(text),
                KeyPart::Integer(number) => json!(number),
            });
            (column.clone(), values.collect())
        };
        let entities: Map<String, Json> = self.columns.iter().enumerate().map(column).collect();
        let mut body = json!({ "entities": entities, "full_feature_names": false });
        body[self.wanted.0] = self.wanted.1.clone();
        body
    }

    fn url(&self) -> Url {
        let mut url = self.receiver.url.clone();
        let path = format!("{}/get-online-features", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    async fn post(&self, body: Json) -> Result<Vec<u8>, Failure> {
        let unreachable = |reason: String| Failure::Unreachable { url: self.shown_url(), reason };
        let lost = |error: reqwest::Error| match error.is_timeout() {
            true => {
                let ms = self.receiver.timeout.as_millis().try_into().unwrap_or(u64::MAX);
                Failure::Timeout { url: self.shown_url(), ms }
            }
            false => unreachable(causes(error)),
        };
        let request = self.receiver.request(reqwest::Method::POST, self.url()).await;
        let request = request.map_err(|error| unreachable(error.to_string()))?;
        let mut response = request.json(&body).send().await.map_err(lost)?;
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if read.len() + chunk.len() > MAX_BYTES {
                return Err(self.unreadable(format!("more than {MAX_BYTES} bytes")));
            }
            read.extend_from_slice(&chunk);
        }
        if response.status().is_success() { Ok(read) } else { Err(self.refused(&response, &read)) }
    }

    fn refused(&self, response: &Response, body: &[u8]) -> Failure {
        let said: String = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
        Failure::Refused { url: self.shown_url(), status: response.status().as_u16(), said }
    }

    fn unreadable(&self, reason: String) -> Failure {
        Failure::Answer { url: self.shown_url(), reason }
    }

    fn read(&self, body: &[u8]) -> Result<Answer, Failure> {
        serde_json::from_slice(body).map_err(|error| self.unreadable(error.to_string()))
    }

    fn check(&self, answer: &Answer, entities: usize) -> Result<(), Failure> {
        let (names, columns) = (&answer.metadata.feature_names, &answer.results);
        if names.len() != columns.len() {
            let reason =
                format!("expected a column for each of {} names, got {}", names.len(), columns.len());
            return Err(self.unreadable(reason));
        }
        match names.iter().zip(columns).find(|(_, column)| column.values.len() != entities) {
            None => Ok(()),
            Some((name, column)) => {
                let got = column.values.len();
                Err(self.unreadable(format!("expected {entities} values of {name}, got {got}")))
            }
        }
    }

    /// # Errors
    /// Rows of other entities than those that were asked for, or in another order; a feature that was asked for by name
    /// and did not come.
    fn check_content(&self, answer: &Answer, names: &[Name]) -> Result<(), Failure> {
        let given = &answer.metadata.feature_names;
        for (name, column) in given.iter().zip(&answer.results) {
            let Some(place) = self.columns.iter().position(|key| key == name) else { continue };
            let is_it = |(value, asked): (&Json, &Name)| match &asked[place] {
                KeyPart::Text(text) => value.as_str() == Some(text),
                KeyPart::Integer(number) => value.as_i64() == Some(*number),
            };
            if let Some(row) = column.values.iter().zip(names).position(|pair| !is_it(pair)) {
                return Err(self.unreadable(format!(
                    "{name}: expected the entities that were asked for in their order, got another one in place {row}"
                )));
            }
        }
        match self.references.iter().find(|name| !given.contains(name)) {
            None => Ok(()),
            Some(lacking) => Err(self.unreadable(format!(
                "expected the feature {lacking}, which is in features.references, got {}",
                given.join(", ")
            ))),
        }
    }

    /// A time in milliseconds since 1970.
    fn time(&self, name: &str, text: &str) -> Result<i64, Failure> {
        let expected = || format!("{name}: expected a time such as 2024-01-31T00:00:00Z, got {text:?}");
        let time = text.parse::<jiff::Timestamp>().map_err(|_| self.unreadable(expected()))?;
        Ok(time.as_millisecond())
    }

    fn found(&self, features: &[(Arc<str>, &Column)], row: usize) -> Result<Found, Failure> {
        let mut found = Found { known: Known::Nothing, values: Vec::new(), newest_ms: None };
        for (name, column) in features {
            let mut value = value_of(&column.values[row])
                .map_err(|expected| self.unreadable(format!("{name}: expected {expected}")))?;
            match column.statuses.get(row).map_or("PRESENT", String::as_str) {
                "PRESENT" | "NULL_VALUE" => {
                    let at =
                        column.event_timestamps.get(row).map(|text| self.time(name, text)).transpose()?;
                    // In front of a Redis it says so too of entities that it does not have.
                    if value != Value::Missing || at != Some(0) {
                        found.known = Known::Something;
                        found.newest_ms = found.newest_ms.max(at);
                    }
                }
                // What the server says it has not, or has too old, is missing whatever stands there.
                "OUTSIDE_MAX_AGE" => (found.known, value) = (Known::Something, Value::Missing),
                "NOT_FOUND" => value = Value::Missing,
                other => {
                    return Err(self.unreadable(format!(
                        "{name}: expected the status PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE, got {other:?}"
                    )));
                }
            }
            found.values.push((name.clone(), value));
        }
        Ok(found)
    }
}

fn value_of(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Missing,
        Json::Bool(value) => Value::Boolean(*value),
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(given) => match (given.as_i64(), given.as_f64()) {
            (Some(integer), _) => Value::Number(number::exact(integer)?),
            (None, Some(float)) => Value::Number(number::as_written(float)),
            (None, None) => return Err("a number that a 64-bit float holds".to_owned()),
        },
        Json::Array(_) => return Err("a number, a text, true, false or null, got a list".to_owned()),
        Json::Object(_) => return Err("a number, a text, true, false or null, got an object".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_they_were_written() {
        for (text, expected) in [
            ("29.850000381469727", Value::Number(29.85)),
            ("29.85", Value::Number(29.85)),
            ("0.5", Value::Number(0.5)),
            ("0.10000000149011612", Value::Number(0.1)),
            ("0.1", Value::Number(0.1)),
            ("-7", Value::Number(-7.0)),
            ("16777217.0", Value::Number(16_777_217.0)),
            ("9007199254740992", Value::Number(9_007_199_254_740_992.0)),
            ("null", Value::Missing),
            ("true", Value::Boolean(true)),
            ("\"DSL\"", Value::Text("DSL".into())),
        ] {
            assert_eq!(value_of(&serde_json::from_str(text).unwrap()), Ok(expected), "{text}");
        }
        for text in ["9007199254740993", "[1]", "{}"] {
            assert!(value_of(&serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }
}
