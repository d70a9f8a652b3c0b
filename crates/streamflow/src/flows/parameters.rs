//! The parameters of flows: declared in a table, read from words, checked before anything runs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Map, Value};
use streamflow_dataset::Period;
use streamflow_gotext::parse_duration_ms;
use utoipa::ToSchema;

use crate::canary::Share;
use crate::config::nearest;

/// A parameter of a flow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Parameter {
    pub name: &'static str,
    pub doc: &'static str,
    pub kind: Kind,
    /// True where there is no run without it.
    pub required: bool,
}

/// The folder of a drop, which a run may leave out where the configuration says where the tables are.
pub const DROP: Parameter = optional(
    "drop",
    Kind::Path,
    "Folder with one CSV or Parquet file a table [default: the tables that dataset.source names]",
);

impl Parameter {
    /// Whether there is no run without it; `has_source` says whether the configuration says where the tables are.
    pub fn is_needed(&self, has_source: bool) -> bool {
        self.required || (self.name == DROP.name && !has_source)
    }
}

/// What values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type", content = "values")]
#[schema(as = ParameterKind)]
pub enum Kind {
    /// `YYYY-MM-DD`, or `YYYY-MM-DDTHH:MM` in UTC.
    Date,
    /// A file or folder; relative ones start beside the configuration.
    Path,
    Number,
    Integer,
    /// `true` or `false`.
    Flag,
    /// A length of time, such as `30m`, `1h30m` or `0s`.
    Duration,
    /// Growing shares, such as `1%,10%,50%`.
    Shares,
    /// One of these.
    Word(&'static [&'static str]),
}

/// A parameter that a run may leave out.
pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Parameter {
    Parameter { name, doc, kind, required: false }
}

/// A parameter that every run needs.
pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Parameter {
    Parameter { name, doc, kind, required: true }
}

impl Kind {
    /// The value in the shape that runs are recorded with.
    fn read(self, value: &Value) -> Result<Value, &'static str> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        match self {
            Kind::Date => {
                let date: Period =
                    text.parse().map_err(|_| "a date, YYYY-MM-DD, or a time in UTC, YYYY-MM-DDTHH:MM")?;
                Ok(Value::String(date.to_string()))
            }
            Kind::Number => {
                let number: f64 = text.parse().map_err(|_| "a number")?;
                serde_json::Number::from_f64(number).map(Value::Number).ok_or("a finite number")
            }
            Kind::Integer => text.parse::<i64>().map(Value::from).map_err(|_| "a whole number"),
            Kind::Flag => text.parse::<bool>().map(Value::Bool).map_err(|_| "true or false"),
            Kind::Duration => match parse_duration_ms(&text) {
                Ok(ms) if ms >= 0 => Ok(Value::String(text)),
                _ => Err("a length of time, such as 30m, 1h or 0s"),
            },
            Kind::Shares => read_shares(&text)
                .map(|_| Value::String(text))
                .ok_or("growing shares of the entities above 0 % and up to 100 %, such as 1%,10%,50%"),
            Kind::Word(words) if words.contains(&text.as_str()) => Ok(Value::String(text)),
            Kind::Word(_) => Err("one of its words"),
            Kind::Path if text.is_empty() => Err("some text"),
            Kind::Path => Ok(Value::String(text)),
        }
    }

    /// What is expected, for an error.
    fn expected(self, reason: &'static str) -> String {
        match self {
            Kind::Word(words) => words.join(", "),
            _ => reason.to_owned(),
        }
    }
}

fn read_shares(text: &str) -> Option<Vec<Share>> {
    let shares: Vec<Share> = text.split(',').map(|share| share.parse().ok()).collect::<Option<_>>()?;
    shares.is_sorted_by(|one, next| one < next).then_some(shares)
}

/// Checks what was given for a flow and brings it into the order and shape of its table.
///
/// # Errors
/// A name that the flow does not have, a value of another kind, a parameter that is missing.
pub fn check(flow: &str, table: &[Parameter], given: &Map<String, Value>) -> anyhow::Result<Parameters> {
    let parameters = check_given(flow, table, given)?;
    match table.iter().find(|parameter| parameter.required && !parameters.0.contains_key(parameter.name)) {
        Some(missing) => bail!("flow {flow} needs {}: {}", missing.name, missing.doc),
        None => Ok(parameters),
    }
}

/// The same of parameters that others are given beside.
///
/// # Errors
/// As [`check`], but for what is missing.
pub fn check_given(
    flow: &str,
    table: &[Parameter],
    given: &Map<String, Value>,
) -> anyhow::Result<Parameters> {
    for name in given.keys() {
        if !table.iter().any(|parameter| parameter.name == name) {
            let names: Vec<&str> = table.iter().map(|parameter| parameter.name).collect();
            let hint = nearest(name, names.iter().copied()).map(|near| format!("; did you mean {near}?"));
            bail!(
                "flow {flow} has no parameter {name:?}; expected {}{}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") },
                hint.unwrap_or_default()
            );
        }
    }
    let mut checked = Map::new();
    for parameter in table {
        let value = match given.get(parameter.name) {
            None | Some(Value::Null) => continue,
            Some(value) => value,
        };
        let read = parameter.kind.read(value).map_err(|reason| {
            anyhow::anyhow!(
                "{} of flow {flow} is {value}; expected {}",
                parameter.name,
                parameter.kind.expected(reason)
            )
        })?;
        checked.insert(parameter.name.to_owned(), read);
    }
    Ok(Parameters(checked))
}

/// `NAME=VALUE` of the command line.
pub fn pair(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Value::String(value.to_owned()))),
        _ => Err("expected NAME=VALUE, such as as_of=2024-02-29".to_owned()),
    }
}

/// The checked parameters of a run.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Map<String, Value>);

impl Parameters {
    /// Those of a recorded run.
    pub fn of_run(value: &Value) -> Self {
        Self(value.as_object().cloned().unwrap_or_default())
    }

    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub fn to_map(&self) -> Map<String, Value> {
        self.0.clone()
    }

    /// Names and values as words.
    pub fn words(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(name, value)| {
            (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub fn date(&self, name: &str) -> anyhow::Result<Option<Period>> {
        let text = self.text(name);
        text.map(|text| text.parse().ok().with_context(|| format!("{name} {text:?} is no date"))).transpose()
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub fn duration(&self, name: &str) -> anyhow::Result<Option<Duration>> {
        let read = |text| -> anyhow::Result<Duration> {
            let ms =
                parse_duration_ms(text).with_context(|| format!("{name} {text:?} is no length of time"))?;
            Ok(Duration::from_millis(u64::try_from(ms)?))
        };
        self.text(name).map(read).transpose()
    }

    pub fn shares(&self, name: &str) -> anyhow::Result<Option<Vec<Share>>> {
        let read =
            |text| read_shares(text).with_context(|| format!("{name} {text:?} is no list of growing shares"));
        self.text(name).map(read).transpose()
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: [Parameter; 7] = [
        required("as_of", Kind::Date, "The month"),
        optional("drop", Kind::Path, "The folder"),
        optional("threshold", Kind::Number, "A share"),
        optional("replace", Kind::Flag, "Whether to replace"),
        optional("step_for", Kind::Duration, "How long"),
        optional("shares", Kind::Shares, "Which"),
        optional("promote", Kind::Word(&["yes", "ask", "no"]), "Whether to promote"),
    ];

    #[track_caller]
    fn check_case(given: Value, expected: Result<Value, &str>) {
        let found = check("monthly", &TABLE, given.as_object().unwrap());
        match expected {
            Ok(expected) => assert_eq!(found.unwrap().to_value(), expected),
            Err(expected) => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(expected), "{error}");
            }
        }
    }

    #[test]
    fn parameters_are_checked_against_the_table() {
        check_case(
            json!({"threshold": "0.3", "as_of": "2024-02-29", "replace": "true"}),
            Ok(json!({"as_of": "2024-02-29", "threshold": 0.3, "replace": true})),
        );
        check_case(
            json!({"as_of": "2024-02-29", "drop": "a b", "threshold": null, "promote": "ask"}),
            Ok(json!({"as_of": "2024-02-29", "drop": "a b", "promote": "ask"})),
        );
        for (given, expected) in [
            (json!({}), "needs as_of: The month"),
            (json!({"as_off": "2024-02-29"}), "did you mean as_of?"),
            (json!({"as_of": "2024-02-30"}), "as_of of flow monthly is \"2024-02-30\"; expected a date"),
            (json!({"as_of": "2024-02-29", "threshold": "many"}), "expected a number"),
            (json!({"as_of": "2024-02-29", "threshold": "inf"}), "expected a finite number"),
            (json!({"as_of": "2024-02-29", "replace": 1}), "expected true or false"),
            (json!({"as_of": "2024-02-29", "promote": "perhaps"}), "expected yes, ask, no"),
            (json!({"as_of": "2024-02-29", "drop": ""}), "expected some text"),
            (
                json!({"as_of": "2024-02-29", "step_for": "soon"}),
                "expected a length of time, such as 30m, 1h or 0s",
            ),
            (json!({"as_of": "2024-02-29", "step_for": 5}), "expected a length of time"),
            (json!({"as_of": "2024-02-29", "shares": "10%,1%"}), "expected growing shares"),
            (json!({"as_of": "2024-02-29", "shares": "10%,10%"}), "expected growing shares"),
            (json!({"as_of": "2024-02-29", "shares": "0%"}), "expected growing shares"),
            (json!({"as_of": "2024-02-29", "shares": ""}), "expected growing shares"),
        ] {
            check_case(given, Err(expected));
        }
    }

    #[test]
    fn a_pair_has_a_name_and_a_value() {
        assert_eq!(pair("drop=a=b"), Ok(("drop".to_owned(), json!("a=b"))));
        for text in ["", "=x", "as_of"] {
            assert!(pair(text).is_err(), "{text}");
        }
    }
}
