//! Drift of the requests themselves: every answered row goes into the minute of the version that answered, and every
//! minute into windows that are judged.
//!
//! [`Live`] is what the prediction plane fills and what pages and metrics read; [`Watch`] closes the minutes, keeps them
//! in the store and judges. The statistics are in the crate `streamflow-live`.

mod certificate;
mod document;
mod followed;
mod history;
mod pending;
mod reference;
mod status;
mod verdict;
mod watch;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use streamflow_dataset::KeyPart;
use streamflow_live::{Minute, OpenMinute, Reference, Status, Value, entity_hash, values_hash};
use streamflow_model::{Answer, FeatureValue, largest};

use crate::serving::{Entity, Serving};

pub use certificate::{Certificate, add_certificates, keep};
pub use document::{LiveDocument, LiveVersion, LiveWindow};
#[cfg(test)]
pub use document::{LiveDrift, LiveStatistic};
pub use history::{History, read};
pub use status::{Idle, LiveStatus, VersionStatus};
pub use verdict::LiveVerdict;
pub use watch::Watch;

/// The windows by their names, the shortest first.
pub const WINDOWS: [&str; 4] = ["15m", "1h", "6h", "24h"];

/// What the prediction plane tells, and what was made of it. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Live(Arc<Parts>);

#[derive(Default)]
struct Parts {
    /// The versions whose traffic is looked at, the served one first.
    open: ArcSwap<Vec<Arc<Open>>>,
    /// Requests by what they came to, since the last minute was closed.
    statuses: [AtomicU64; 4],
    seed: AtomicU64,
    status: ArcSwap<LiveStatus>,
}

/// The minute of one version.
struct Open {
    version: String,
    features: Vec<String>,
    reference: Arc<Reference>,
    minute: Mutex<OpenMinute>,
}

impl Open {
    fn minute(&self) -> MutexGuard<'_, OpenMinute> {
        // What a panic has left is a minute with one row more or less.
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the minute, and begins the next.
    fn close(&self, start: i64) -> Minute {
        let next = self.reference.open_minute();
        std::mem::replace(&mut *self.minute(), next).close(start)
    }
}

thread_local! {
    /// The classes of a row, before the minute is locked.
    static ROW: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Live {
    /// What is known, as of the last minute.
    pub fn status(&self) -> Arc<LiveStatus> {
        self.0.status.load_full()
    }

    /// Takes a row that was answered. It goes into the minute of its version, and of versions served before that have the
    /// same features; their outputs have no such row.
    pub fn row(
        &self,
        serving: &Serving,
        entity: Option<&Entity<'_>>,
        features: &[FeatureValue<'_>],
        answer: &Answer,
    ) {
        let all = self.0.open.load();
        if all.is_empty() {
            return;
        }
        let seed = self.0.seed.load(Ordering::Relaxed);
        let hash = hash_of(seed, entity, features);
        let at_ms = now_ms();
        for open in all.iter() {
            let is_own = open.version == serving.model_version;
            if !is_own && open.features != serving.features.names() {
                continue;
            }
            let outputs = outputs(serving, answer).into_iter().filter(|_| is_own);
            let values = features.iter().map(|value| value_of(*value)).chain(outputs);
            ROW.with_borrow_mut(|row| {
                open.reference.classify(values, row);
                open.minute().add_classes(hash, at_ms, row);
            });
        }
    }

    /// Counts a request by the status of its answer.
    pub fn request(&self, status: u16) {
        self.0.statuses[Status::of_code(status) as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// The hash of an entity; of a row that names none that of its features.
pub fn hash_of(seed: u64, entity: Option<&Entity<'_>>, features: &[FeatureValue<'_>]) -> u64 {
    match entity {
        // As `forget` is given it; of a text without writing it anew.
        Some(entity) => match entity.parts.as_slice() {
            [KeyPart::Text(text)] if entity.key.single().is_some() => entity_hash(seed, text.as_bytes()),
            _ => entity_hash(seed, entity.text().as_bytes()),
        },
        None => values_hash(seed, &features.iter().map(|value| value_of(*value)).collect::<Vec<_>>()),
    }
}

fn value_of(value: FeatureValue<'_>) -> Value<'_> {
    match value {
        FeatureValue::Missing => Value::Missing,
        FeatureValue::Number(number) => Value::Number(number),
        FeatureValue::Boolean(truth) => Value::Boolean(truth),
        FeatureValue::Text(text) => Value::Text(text),
    }
}

/// What the model says, in the order of the reference's outputs: score and class, or the value.
fn outputs<'a>(serving: &'a Serving, answer: &Answer) -> [Value<'a>; 2] {
    outputs_of(&serving.model, answer)
}

fn outputs_of<'a>(model: &'a streamflow_model::Model, answer: &Answer) -> [Value<'a>; 2] {
    match answer {
        Answer::Probability(p) => {
            [Value::Number(*p), Value::Text(if *p >= model.threshold() { "1" } else { "0" })]
        }
        Answer::Probabilities(all) => {
            let at = largest(all);
            let class = model.classes().get(at).map_or(Value::Missing, |class| Value::Text(class));
            [Value::Number(all.get(at).copied().unwrap_or(f64::NAN)), class]
        }
        Answer::Value(value) => [Value::Number(*value), Value::Missing],
    }
}

/// Now, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The present minute since 1970.
pub fn this_minute() -> i64 {
    i64::try_from(now_ms() / 60_000).unwrap_or(i64::MAX)
}
