//! A row of the log, and the columns of its file.

use std::sync::Arc;

use streamflow_dataset::OutputType;

use super::packed::{Row, Value};

/// What all rows of a file have in common: the version that answered and its features.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    pub model: String,
    pub version: String,
    /// The snapshot the features were read from.
    pub as_of: String,
    /// The classes in the order of the model, where it tells several apart.
    pub classes: Vec<String>,
    /// The features in the order of the model, and whether each is a number.
    pub features: Vec<(String, bool)>,
}

/// A feature's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Missing,
    Number(f64),
    Text(Box<str>),
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Record {
    pub shape: Arc<Shape>,
    /// When it was answered, in microseconds since 1970.
    pub time_us: i64,
    pub request_id: Option<Box<str>>,
    pub entity: Option<Box<str>>,
    pub protocol: &'static str,
    pub latency_us: i64,
    /// The probability of two classes, that of the predicted one of several, or the number.
    pub score: f64,
    /// The predicted class; none of a regression.
    pub prediction: Option<Box<str>>,
    /// How many of the features came with the request; 0 in files of releases that did not keep it.
    pub features_sent: u32,
    /// The probability of each of the shape's classes; empty without any.
    pub probabilities: Box<[f64]>,
    /// In the order of the shape's features.
    pub values: Vec<Cell>,
}

impl Cell {
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text),
        }
    }
}

impl Record {
    /// What it says beside probabilities and features.
    pub fn row(&self) -> Row<'_> {
        Row {
            time_us: self.time_us,
            request_id: self.request_id.as_deref(),
            entity: self.entity.as_deref(),
            protocol: self.protocol,
            latency_us: self.latency_us,
            score: self.score,
            prediction: self.prediction.as_deref(),
            features_sent: self.features_sent,
        }
    }

    /// What in it no version answers; none where all is well.
    pub fn fault(&self) -> Option<String> {
        let (is_class, at) = (self.prediction.is_some(), self.time_us);
        let is_possible = |score: f64| match is_class {
            true => score.is_nan() || (0.0..=1.0).contains(&score),
            false => !score.is_infinite(),
        };
        let mut scores = std::iter::once(self.score).chain(self.probabilities.iter().copied());
        let wild = scores.find(|score| !is_possible(*score))?;
        Some(match is_class {
            true => format!("the answer of {at} µs has the probability {wild}; expected 0 to 1"),
            false => format!("the answer of {at} µs is {wild}; expected a finite number"),
        })
    }
}

/// How the columns of the probabilities of several classes begin, between these and those of the features.
pub const PROBABILITY: &str = "_probability_";

/// The columns whose values hardly ever come twice.
pub const DISTINCT: [&str; 4] = ["_time_us", "_request_id", "_latency_us", "_score"];

/// The column that files of earlier releases lack.
pub const FEATURES_SENT: &str = "_features_sent";

/// The first columns.
pub const COLUMNS: [(&str, OutputType); 11] = [
    ("_time_us", OutputType::Integer),
    ("_request_id", OutputType::Text),
    ("_entity", OutputType::Text),
    ("_protocol", OutputType::Text),
    ("_latency_us", OutputType::Integer),
    ("_model", OutputType::Text),
    ("_version", OutputType::Text),
    ("_as_of", OutputType::Text),
    ("_score", OutputType::Double),
    ("_prediction", OutputType::Text),
    (FEATURES_SENT, OutputType::Integer),
];

impl Shape {
    /// Whether rows of the other belong into the same file.
    pub fn is(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other) || self == other
    }

    /// All columns of a file.
    pub fn columns(&self) -> Vec<(String, OutputType)> {
        let own = COLUMNS.iter().map(|(name, kind)| ((*name).to_owned(), *kind));
        let features = self.features.iter().map(|(name, is_number)| {
            let kind = if *is_number { OutputType::Double } else { OutputType::Text };
            (column_of(name), kind)
        });
        let classes = self.classes.iter().map(|class| (format!("{PROBABILITY}{class}"), OutputType::Double));
        own.chain(classes).chain(features).collect()
    }
}

/// The column of a feature: one that is named like a column of the log's own has another underscore.
pub fn column_of(feature: &str) -> String {
    let is_own = COLUMNS.iter().any(|(name, _)| *name == feature) || feature.starts_with(PROBABILITY);
    if is_own { format!("_{feature}") } else { feature.to_owned() }
}
