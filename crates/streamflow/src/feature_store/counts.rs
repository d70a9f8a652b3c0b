//! What was asked of a feature store and what came of it, as metrics.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts};

const BUCKETS_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0];

/// What came of looking up an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The store knows it.
    Found,
    /// The store knows nothing of it.
    Unknown,
    /// What is kept is young enough.
    Cached,
    /// What is kept was used, and is asked for again.
    Stale,
    /// The store did not answer.
    Failed,
}

impl Outcome {
    const ALL: [Outcome; 5] = [Self::Found, Self::Unknown, Self::Cached, Self::Stale, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
            Self::Cached => "cached",
            Self::Stale => "stale",
            Self::Failed => "failed",
        }
    }
}

/// Counters of one feature store.
pub struct Counts {
    lookups: IntCounterVec,
    wait_seconds: Histogram,
    /// Predictions from the snapshot in the store's place.
    pub from_snapshot: IntCounter,
    /// Predictions from late features.
    pub late: IntCounter,
    /// Entities that were the same in Feast's tables and by its feature server when this server started; without a value
    /// where there is nothing to compare.
    compared: IntGaugeVec,
}

impl Default for Counts {
    fn default() -> Self {
        let lookups =
            Opts::new("feature_store_lookups_total", "Entities that were looked up, by what came of it.");
        let lookups = IntCounterVec::new(lookups, &["outcome"]).expect("a valid name and label");
        Outcome::ALL.iter().for_each(|outcome| drop(lookups.with_label_values(&[outcome.name()])));
        let wait = HistogramOpts::new(
            "feature_store_wait_seconds",
            "Time that the feature store took to answer, or to fail.",
        );
        let wait = wait.buckets(BUCKETS_SECONDS.to_vec());
        let counter = |name, help| IntCounter::new(name, help).expect("a valid name");
        Self {
            lookups,
            wait_seconds: Histogram::with_opts(wait).expect("ascending buckets"),
            from_snapshot: counter(
                "feature_store_snapshot_predictions_total",
                "Predictions from the newest snapshot, since the feature store failed, was late or knew nothing.",
            ),
            late: counter("feature_store_late_total", "Entities whose features were late."),
            compared: IntGaugeVec::new(
                Opts::new(
                    "feature_store_compared_entities",
                    "Entities whose features were the same in Feast's tables and by its feature server when this server started; 0 where nothing was compared.",
                ),
                &[],
            )
            .expect("a valid name"),
        }
    }
}

impl Counts {
    /// Counts entities.
    pub fn add(&self, outcome: Outcome, entities: usize) {
        self.lookups.with_label_values(&[outcome.name()]).inc_by(entities as u64);
    }

    /// Tells how many entities were the same in both.
    pub fn compared(&self, entities: usize) {
        self.compared.with_label_values::<&str>(&[]).set(i64::try_from(entities).unwrap_or(i64::MAX));
    }

    /// Counts a request to the store.
    pub fn waited(&self, time: Duration) {
        self.wait_seconds.observe(time.as_secs_f64());
    }

    /// How many entities came to this.
    #[cfg(test)]
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.lookups.with_label_values(&[outcome.name()]).get()
    }

    /// What is written for `/metrics`.
    pub fn collectors(&self) -> [&dyn Collector; 5] {
        [&self.lookups, &self.wait_seconds, &self.from_snapshot, &self.late, &self.compared]
    }
}
