//! Features that callers push to this server: in memory, by entity, each with the time at which it was true.
//!
//! Of two values of a feature the one that was true later stays; of two of one time the one that came later. Whether a value is
//! used is decided when an answer is made: the newest snapshot goes before what was true no later than it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts};

use super::found::Value;

/// What became of the values of a push.
const OUTCOMES: [&str; 4] = ["taken", "unchanged", "older", "forgotten"];

/// A value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct PushedValue {
    /// The name of the feature.
    pub feature: Arc<str>,
    /// Its value.
    pub value: Value,
    /// When it was true: microseconds since 1970.
    pub time_us: i64,
}

/// What was pushed of an entity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// In the order of their names.
    values: Vec<PushedValue>,
}

/// A value for an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The text that names it.
    pub entity: String,
    /// The value.
    pub value: PushedValue,
}

impl Row {
    /// The values that were true after a time.
    pub fn after(&self, time_us: i64) -> impl Iterator<Item = &PushedValue> {
        self.values.iter().filter(move |value| value.time_us > time_us)
    }

    fn put(&mut self, value: PushedValue) {
        match self.values.binary_search_by(|known| known.feature.cmp(&value.feature)) {
            Ok(place) if self.values[place].time_us <= value.time_us => self.values[place] = value,
            Ok(_) => {}
            Err(place) => self.values.insert(place, value),
        }
    }
}

/// The pushed features of all entities.
pub struct PushedFeatures {
    rows: RwLock<HashMap<String, Arc<Row>>>,
    /// Spares every prediction the look, where nothing was ever pushed.
    has_any: AtomicBool,
    values: IntCounterVec,
    entities: IntGauge,
    /// Predictions that a pushed feature went into.
    pub predictions: IntCounter,
    /// Entities whose pushed features were late.
    pub late: IntCounter,
}

impl Default for PushedFeatures {
    fn default() -> Self {
        let values = Opts::new(
            "features_pushed_total",
            "Values of features that were pushed, by what became of them.",
        );
        let values = IntCounterVec::new(values, &["outcome"]).expect("a valid name and label");
        OUTCOMES.iter().for_each(|outcome| drop(values.with_label_values(&[outcome])));
        let counter = |name, help| IntCounter::new(name, help).expect("a valid name");
        Self {
            rows: RwLock::default(),
            has_any: AtomicBool::new(false),
            values,
            entities: IntGauge::new("features_pushed_entities", "Entities with pushed features.")
                .expect("a valid name"),
            predictions: counter(
                "features_pushed_predictions_total",
                "Predictions that at least one pushed feature went into.",
            ),
            late: counter("features_pushed_late_total", "Predictions whose newest pushed feature was late."),
        }
    }
}

impl PushedFeatures {
    /// What was pushed of the entity that this text names.
    pub fn get(&self, entity: impl FnOnce() -> String) -> Option<Arc<Row>> {
        if !self.has_any.load(Ordering::Relaxed) {
            return None;
        }
        self.rows.read().unwrap_or_else(PoisonError::into_inner).get(&entity()).cloned()
    }

    /// Puts values in their places.
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        for Change { entity, value } in changes {
            // Whoever reads the row now keeps it as it is.
            Arc::make_mut(rows.entry(entity).or_default()).put(value);
        }
        self.tell(rows.len());
    }

    /// Puts these values in the place of all.
    pub fn replace(&self, values: impl IntoIterator<Item = Change>) {
        let mut all: HashMap<String, Arc<Row>> = HashMap::new();
        for Change { entity, value } in values {
            Arc::make_mut(all.entry(entity).or_default()).put(value);
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        *rows = all;
        self.tell(rows.len());
    }

    fn tell(&self, entities: usize) {
        self.has_any.store(entities > 0, Ordering::Relaxed);
        self.entities.set(i64::try_from(entities).unwrap_or(i64::MAX));
    }

    /// How many entities there would be with these.
    pub fn len_with<'a>(&self, entities: impl IntoIterator<Item = &'a str>) -> usize {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let new: HashSet<&str> = entities.into_iter().filter(|entity| !rows.contains_key(*entity)).collect();
        rows.len() + new.len()
    }

    /// Counts values by what became of them.
    pub fn count(&self, outcomes: [(&str, u64); 4]) {
        outcomes
            .iter()
            .for_each(|(outcome, values)| self.values.with_label_values(&[outcome]).inc_by(*values));
    }

    /// What is written for `/metrics`.
    pub fn collectors(&self) -> [&dyn Collector; 4] {
        [&self.values, &self.entities, &self.predictions, &self.late]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(entity: &str, feature: &str, number: f64, time_us: i64) -> Change {
        let value = PushedValue { feature: feature.into(), value: Value::Number(number), time_us };
        Change { entity: entity.into(), value }
    }

    fn shown(pushed: &PushedFeatures, entity: &str, after: i64) -> Vec<(String, f64)> {
        let row = pushed.get(|| entity.to_owned()).unwrap_or_default();
        let number = |value: &PushedValue| match value.value {
            Value::Number(number) => (value.feature.to_string(), number),
            _ => panic!("{value:?}"),
        };
        row.after(after).map(number).collect()
    }

    #[test]
    fn what_was_true_later_stays() {
        let pushed = PushedFeatures::default();
        assert_eq!(pushed.get(|| panic!("nobody looks where nothing is")), None);
        pushed.apply([change("u", "fee", 1.0, 10), change("u", "age", 5.0, 10), change("u", "fee", 2.0, 20)]);
        pushed.apply([change("u", "fee", 3.0, 15), change("v", "fee", 9.0, 1)]);
        assert_eq!(shown(&pushed, "u", 0), [("age".into(), 5.0), ("fee".into(), 2.0)]);
        pushed.apply([change("u", "fee", 4.0, 20)]);
        assert_eq!(shown(&pushed, "u", 10), [("fee".into(), 4.0)], "of one time the one that came later");
        assert_eq!(shown(&pushed, "u", 20), []);
        assert_eq!(pushed.len_with(["u", "w", "w"]), 3);
        pushed.replace([change("w", "fee", 1.0, 1)]);
        assert_eq!((shown(&pushed, "u", 0), shown(&pushed, "w", 0)), (vec![], vec![("fee".into(), 1.0)]));
    }

    proptest! {
        #[test]
        fn the_order_of_pushes_of_other_times_does_not_matter(times in prop::collection::hash_set(-50_i64..50, 1..20)) {
            let times: Vec<i64> = times.into_iter().collect();
            let pushed = PushedFeatures::default();
            pushed.apply(times.iter().map(|&time| change("u", "fee", time as f64, time)));
            let newest = *times.iter().max().unwrap();
            prop_assert_eq!(shown(&pushed, "u", i64::MIN), [("fee".to_owned(), newest as f64)]);
        }
    }
}
