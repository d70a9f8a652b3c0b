//! Answers on their way into the log of predictions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use streamflow_dataset::Period;
use streamflow_model::{Answer, FeatureValue, Kind, Task, largest};

use super::observed::{Asked, ObservedRow, Observer};
use crate::predictions::{Cell, Naming, Record, Shape, Sink};
use crate::serving::Serving;

/// Versions that are remembered: those in production, of a canary and of a shadow, and the ones before them.
const MOST_SHAPES: usize = 6;

/// Sends a share of the answers to the log.
pub struct Logging {
    sink: Sink,
    recorder: Recorder,
    share: f64,
    answers: AtomicU64,
}

/// Makes rows of the log.
pub struct Recorder {
    naming: Naming,
    /// Of the versions and the snapshots that were served last, the newest first.
    shapes: ArcSwap<Vec<(Period, Arc<Shape>)>>,
}

impl Logging {
    /// What is sent to a log, how entities stand in it, and which share of the answers.
    #[must_use]
    pub fn new(sink: Sink, naming: Naming, share: f64) -> Self {
        Self { sink, recorder: Recorder::new(naming), share, answers: AtomicU64::new(0) }
    }

    /// Whether this answer is one of the share: they are spread evenly.
    fn is_due(&self) -> bool {
        let before = self.answers.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a count of answers stays far below 2^53")]
        let whole = |number: u64| (number as f64 * self.share).floor();
        whole(before + 1) > whole(before)
    }
}

impl Recorder {
    /// Entities stand in the rows as they are named here.
    #[must_use]
    pub fn new(naming: Naming) -> Self {
        Self { naming, shapes: ArcSwap::default() }
    }

    /// The row of an answer; none where there was none.
    pub fn record(&self, row: &ObservedRow<'_>) -> Option<Record> {
        let (answer, features) = (row.answer?, row.features?);
        let score = match answer {
            Answer::Probability(score) | Answer::Value(score) => *score,
            Answer::Probabilities(all) => all.get(largest(all)).copied().unwrap_or(f64::NAN),
        };
        Some(Record {
            shape: self.shape(row.serving),
            time_us: jiff::Timestamp::now().as_microsecond(),
            request_id: row.asked.request_id().map(Into::into),
            entity: row.entity.and_then(|entity| self.naming.of_entity(&entity.text())),
            protocol: row.asked.protocol,
            latency_us: i64::try_from(row.asked.latency().as_micros()).unwrap_or(i64::MAX),
            score,
            prediction: row.class().map(Into::into),
            probabilities: match answer {
                Answer::Probabilities(all) => all.as_slice().into(),
                Answer::Probability(_) | Answer::Value(_) => [].into(),
            },
            values: features.iter().map(cell).collect(),
        })
    }

    /// What the rows of the served version have in common; made when another is served.
    fn shape(&self, serving: &Serving) -> Arc<Shape> {
        let known = self.shapes.load();
        let is_it = |(as_of, shape): &&(Period, Arc<Shape>)| {
            *as_of == serving.as_of && shape.version == serving.model_version
        };
        if let Some((_, shape)) = known.iter().find(is_it) {
            return shape.clone();
        }
        let features = serving.model.schema().features.iter();
        let shape = Arc::new(Shape {
            model: serving.model_name.clone(),
            version: serving.model_version.clone(),
            as_of: serving.as_of.to_string(),
            classes: match serving.model.task() {
                Task::Multiclass => serving.model.classes().to_vec(),
                Task::Binary | Task::Regression => Vec::new(),
            },
            features: features
                .map(|found| (found.name.clone(), matches!(found.kind, Kind::Numerical)))
                .collect(),
        });
        let before = known.iter().take(MOST_SHAPES - 1).cloned();
        let newest = (serving.as_of, shape.clone());
        self.shapes.store(Arc::new(std::iter::once(newest).chain(before).collect()));
        shape
    }
}

impl Observer for Logging {
    fn row(&self, row: &ObservedRow<'_>) {
        if row.answer.is_some() && self.is_due() {
            self.recorder.record(row).into_iter().for_each(|record| self.sink.send(record));
        }
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
