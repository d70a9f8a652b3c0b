//! Answers on their way into the log of predictions.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use streamflow_dataset::Period;
use streamflow_model::{Answer, FeatureValue, Kind, Task, largest};

use super::observed::{Asked, ObservedRow, Observer};
use crate::predictions::{Cell, Naming, Record, Row, Shape, Sink, Value, pack};
use crate::serving::Serving;

/// Versions that are remembered: those in production, of a canary and of a shadow, and the ones before them.
const MOST_SHAPES: usize = 6;

/// Bytes of a row that a thread keeps room for.
const KEPT_BYTES: usize = 1 << 16;

thread_local! {
    /// Where a row is packed, so that none needs room of its own.
    static PACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

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

    /// The row of an answer; none where there was none that could be told.
    pub fn record(&self, row: &ObservedRow<'_>) -> Option<Record> {
        let (score, probabilities) = told(row)?;
        Some(Record {
            shape: self.shape(row.serving),
            time_us: jiff::Timestamp::now().as_microsecond(),
            request_id: row.asked.request_id().map(Into::into),
            entity: self.entity(row).map(|entity| entity.into_owned().into()),
            protocol: row.asked.protocol,
            latency_us: latency_us(row),
            score,
            prediction: row.class().map(Into::into),
            features_sent: features_sent(row),
            probabilities: probabilities.into(),
            values: row.features?.iter().map(cell).collect(),
        })
    }

    /// The same in bytes, which are handed on with the shape.
    fn packed(&self, row: &ObservedRow<'_>, hand_on: impl FnOnce(&Arc<Shape>, &[u8])) {
        let (Some((score, probabilities)), Some(features)) = (told(row), row.features) else { return };
        let entity = self.entity(row);
        let own = Row {
            time_us: jiff::Timestamp::now().as_microsecond(),
            request_id: row.asked.request_id(),
            entity: entity.as_deref(),
            protocol: row.asked.protocol,
            latency_us: latency_us(row),
            score,
            prediction: row.class(),
            features_sent: features_sent(row),
        };
        let shape = self.shape(row.serving);
        PACKED.with_borrow_mut(|bytes| {
            bytes.clear();
            pack(bytes, &own, probabilities, features.iter().map(value));
            hand_on(&shape, bytes);
            bytes.shrink_to(KEPT_BYTES);
        });
    }

    fn entity<'a>(&self, row: &ObservedRow<'a>) -> Option<Cow<'a, str>> {
        row.entity.and_then(|entity| self.naming.named(entity.text().into()))
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
            self.recorder.packed(row, |shape, bytes| self.sink.send(shape, bytes));
        }
    }

    fn request(&self, _asked: &Asked, _status: u16) {}
}

/// The score and the probabilities of several classes; none where nobody was told of an answer, or of a number that is
/// none.
fn told<'a>(row: &ObservedRow<'a>) -> Option<(f64, &'a [f64])> {
    let (score, probabilities) = match row.answer? {
        Answer::Probability(score) | Answer::Value(score) => (*score, &[][..]),
        Answer::Probabilities(all) => (all.get(largest(all)).copied().unwrap_or(f64::NAN), all.as_slice()),
    };
    score.is_finite().then_some((score, probabilities))
}

fn features_sent(row: &ObservedRow<'_>) -> u32 {
    u32::try_from(row.features_sent).unwrap_or(u32::MAX)
}

fn latency_us(row: &ObservedRow<'_>) -> i64 {
    i64::try_from(row.asked.latency().as_micros()).unwrap_or(i64::MAX)
}

fn value<'a>(value: &FeatureValue<'a>) -> Value<'a> {
    match value {
        FeatureValue::Missing => Value::Missing,
        FeatureValue::Number(number) => Value::Number(*number),
        FeatureValue::Boolean(truth) => Value::Text(if *truth { "true" } else { "false" }),
        FeatureValue::Text(text) => Value::Text(text),
    }
}

fn cell(given: &FeatureValue<'_>) -> Cell {
    match value(given) {
        Value::Missing => Cell::Missing,
        Value::Number(number) => Cell::Number(number),
        Value::Text(text) => Cell::Text(text.into()),
    }
}
