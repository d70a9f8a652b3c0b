//! A row of the log, and the columns of its file.

use std::sync::Arc;

use streamflow_dataset::{OutputColumn, OutputType};

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
    /// The probability of each of the shape's classes; empty without any.
    pub probabilities: Box<[f64]>,
    /// In the order of the shape's features.
    pub values: Vec<Cell>,
}

/// How the columns of the probabilities of several classes begin, between these and those of the features.
pub const PROBABILITY: &str = "_probability_";

/// The first columns.
pub const COLUMNS: [(&str, OutputType); 10] = [
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

/// Rows of one shape as columns.
pub fn columns(shape: &Shape, rows: &[Record]) -> Vec<OutputColumn> {
    fn text(rows: &[Record], of: impl Fn(&Record) -> Option<String>) -> OutputColumn {
        OutputColumn::Text(rows.iter().map(of).collect())
    }
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let mut columns = vec![
        OutputColumn::Integer(rows.iter().map(|row| row.time_us).collect()),
        text(rows, |row| owned(&row.request_id)),
        text(rows, |row| owned(&row.entity)),
        text(rows, |row| Some(row.protocol.to_owned())),
        OutputColumn::Integer(rows.iter().map(|row| row.latency_us).collect()),
        text(rows, |_| Some(shape.model.clone())),
        text(rows, |_| Some(shape.version.clone())),
        text(rows, |_| Some(shape.as_of.clone())),
        OutputColumn::Double(rows.iter().map(|row| row.score).collect()),
        text(rows, |row| owned(&row.prediction)),
    ];
    for class in 0..shape.classes.len() {
        let probability = |row: &Record| row.probabilities.get(class).copied().unwrap_or(f64::NAN);
        columns.push(OutputColumn::Double(rows.iter().map(probability).collect()));
    }
    for (place, (_, is_number)) in shape.features.iter().enumerate() {
        columns.push(if *is_number {
            let number = |row: &Record| match row.values.get(place) {
                Some(Cell::Number(number)) => *number,
                _ => f64::NAN,
            };
            OutputColumn::Double(rows.iter().map(number).collect())
        } else {
            text(rows, |row| match row.values.get(place) {
                Some(Cell::Text(text)) => Some(text.to_string()),
                Some(Cell::Number(number)) => Some(number.to_string()),
                _ => None,
            })
        });
    }
    columns
}
