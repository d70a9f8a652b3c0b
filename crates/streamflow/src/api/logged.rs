//! Answers on their way into the log of predictions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use streamflow_model::{Answer, FeatureValue, Kind, largest};

use super::observed::{Asked, ObservedRow, Observer};
use crate::predictions::{Cell, Naming, Record, Shape, Sink};
use crate::serving::Serving;

/// Sends a share of the answers to the log.
pub struct Logging {
    sink: Sink,
    naming: Naming,
    share: f64,
    answers: AtomicU64,
    shape: ArcSwapOption<Shape>,
}

impl Logging {
    /// What is sent to a log, how entities stand in it, and which share of the answers.
    #[must_use]
    pub fn new(sink: Sink, naming: Naming, share: f64) -> Self {
        Self { sink, naming, share, answers: AtomicU64::new(0), shape: ArcSwapOption::empty() }
    }

    /// Whether this answer is one of the share: they are spread evenly.
    fn is_due(&self) -> bool {
        let before = self.answers.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a count of answers stays far below 2^53")]
        let whole = |number: u64| (number as f64 * self.share).floor();
        whole(before + 1) > whole(before)
    }

    /// What the rows of the served version have in common; made when another is served.
    fn shape(&self, serving: &Serving) -> Arc<Shape> {
        let known = self.shape.load_full().filter(|known| {
            known.version == serving.model_version && known.as_of == serving.as_of.to_string()
        });
        known.unwrap_or_else(|| {
            let features = serving.model.schema().features.iter();
            let shape = Arc::new(Shape {
                model: serving.model_name.clone(),
                version: serving.model_version.clone(),
                as_of: serving.as_of.to_string(),
                features: features
                    .map(|found| (found.name.clone(), matches!(found.kind, Kind::Numerical)))
                    .collect(),
            });
            self.shape.store(Some(shape.clone()));
            shape
        })
    }
}

impl Observer for Logging {
    fn row(&self, row: &ObservedRow<'_>) {
        let (Some(answer), Some(features)) = (row.answer, row.features) else { return };
        if !self.is_due() {
            return;
        }
        let score = match answer {
            Answer::Probability(score) | Answer::Value(score) => *score,
            Answer::Probabilities(all) => all.get(largest(all)).copied().unwrap_or(f64::NAN),
        };
        self.sink.send(Record {
            shape: self.shape(row.serving),
            time_us: jiff::Timestamp::now().as_microsecond(),
            request_id: row.asked.request_id().map(Into::into),
            entity: row.entity.and_then(|entity| self.naming.of_entity(&entity.text())),
            protocol: row.asked.protocol,
            latency_us: i64::try_from(row.asked.latency().as_micros()).unwrap_or(i64::MAX),
            score,
            prediction: row.class().map(Into::into),
            values: features.iter().map(cell).collect(),
        });
    }

    fn request(&self, _asked: &Asked, _status: u16) {}
}

fn cell(value: &FeatureValue<'_>) -> Cell {
    match value {
        FeatureValue::Missing => Cell::Missing,
        FeatureValue::Number(number) => Cell::Number(*number),
        FeatureValue::Boolean(value) => Cell::Text(if *value { "true" } else { "false" }.into()),
        FeatureValue::Text(text) => Cell::Text((*text).into()),
    }
}
