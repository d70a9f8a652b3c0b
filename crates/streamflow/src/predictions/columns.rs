//! Rows of one shape, gathered as the columns of their file.

use std::sync::Arc;

use streamflow_dataset::{OutputColumn, TextColumn};

use super::packed::{Row, Unpacking, Value};
use super::record::{Cell, Record, Shape};

/// The columns, to which rows are added one after another.
pub struct Columns {
    shape: Arc<Shape>,
    time_us: Vec<i64>,
    request_id: TextColumn,
    entity: TextColumn,
    protocol: TextColumn,
    latency_us: Vec<i64>,
    score: Vec<f64>,
    prediction: TextColumn,
    features_sent: Vec<i64>,
    /// By class.
    probabilities: Vec<Vec<f64>>,
    features: Vec<Feature>,
}

enum Feature {
    Number(Vec<f64>),
    Text(TextColumn),
}

impl Columns {
    pub fn new(shape: Arc<Shape>) -> Self {
        let feature = |(_, is_number): &(String, bool)| match is_number {
            true => Feature::Number(Vec::new()),
            false => Feature::Text(TextColumn::default()),
        };
        Self {
            time_us: Vec::new(),
            request_id: TextColumn::default(),
            entity: TextColumn::default(),
            protocol: TextColumn::default(),
            latency_us: Vec::new(),
            score: Vec::new(),
            prediction: TextColumn::default(),
            features_sent: Vec::new(),
            probabilities: vec![Vec::new(); shape.classes.len()],
            features: shape.features.iter().map(feature).collect(),
            shape,
        }
    }

    /// The columns of some rows.
    pub fn of(shape: &Arc<Shape>, rows: &[Record]) -> Self {
        let mut columns = Self::new(shape.clone());
        rows.iter().for_each(|row| columns.push(row));
        columns
    }

    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    pub fn rows(&self) -> usize {
        self.time_us.len()
    }

    /// When the first row was answered; none without rows.
    pub fn first_us(&self) -> Option<i64> {
        self.time_us.first().copied()
    }

    /// Adds a row.
    pub fn push(&mut self, record: &Record) {
        self.push_own(&record.row());
        for (class, column) in self.probabilities.iter_mut().enumerate() {
            column.push(record.probabilities.get(class).copied().unwrap_or(f64::NAN));
        }
        for (place, column) in self.features.iter_mut().enumerate() {
            column.push(record.values.get(place).map_or(Value::Missing, Cell::value));
        }
    }

    /// Adds a row that was packed; what it lacks is missing.
    pub fn push_packed(&mut self, bytes: &[u8]) {
        let Some((row, mut rest)) = Unpacking::row(bytes) else { return };
        self.push_own(&row);
        let count = rest.count().unwrap_or(0) as usize;
        for place in 0..count.max(self.probabilities.len()) {
            let probability = if place < count { rest.number() } else { None };
            if let Some(column) = self.probabilities.get_mut(place) {
                column.push(probability.unwrap_or(f64::NAN));
            }
        }
        self.features.iter_mut().for_each(|column| column.push(rest.value().unwrap_or(Value::Missing)));
    }

    fn push_own(&mut self, row: &Row<'_>) {
        self.time_us.push(row.time_us);
        self.request_id.push(row.request_id);
        self.entity.push(row.entity);
        self.protocol.push(Some(row.protocol));
        self.latency_us.push(row.latency_us);
        self.score.push(row.score);
        self.prediction.push(row.prediction);
        self.features_sent.push(row.features_sent.into());
    }

    /// As they are written, in the order of [`Shape::columns`].
    pub fn into_output(self) -> Vec<OutputColumn> {
        let rows = self.rows();
        let same = |text: &str| {
            let mut column = TextColumn::default();
            (0..rows).for_each(|_| column.push(Some(text)));
            column.into_output()
        };
        let own = vec![
            OutputColumn::Integer(self.time_us),
            self.request_id.into_output(),
            self.entity.into_output(),
            self.protocol.into_output(),
            OutputColumn::Integer(self.latency_us),
            same(&self.shape.model),
            same(&self.shape.version),
            same(&self.shape.as_of),
            OutputColumn::Double(self.score),
            self.prediction.into_output(),
            OutputColumn::Integer(self.features_sent),
        ];
        let probabilities = self.probabilities.into_iter().map(OutputColumn::Double);
        let features = self.features.into_iter().map(|column| match column {
            Feature::Number(numbers) => OutputColumn::Double(numbers),
            Feature::Text(texts) => texts.into_output(),
        });
        own.into_iter().chain(probabilities).chain(features).collect()
    }
}

impl Feature {
    fn push(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::Number(column), Value::Number(number)) => column.push(number),
            (Self::Number(column), _) => column.push(f64::NAN),
            (Self::Text(column), Value::Text(text)) => column.push(Some(text)),
            (Self::Text(column), Value::Number(number)) => column.push(Some(&number.to_string())),
            (Self::Text(column), Value::Missing) => column.push(None),
        }
    }
}
