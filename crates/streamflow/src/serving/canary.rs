//! The candidate that answers a share of the entities, and what is counted of both versions.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts};
use streamflow_model::Task;

use super::Serving;
use crate::canary::{Counts, Share, place};

const DURATION_BUCKETS_SECONDS: [f64; 14] =
    [50e-6, 100e-6, 200e-6, 500e-6, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
const SCORE_BUCKETS: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
/// Numbers that are predicted, of any unit.
const VALUE_BUCKETS: [f64; 13] = [-1e4, -100.0, -1.0, 0.0, 1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1e3, 1e4, 1e6];

/// A version that is wanted for a share of the entities.
pub struct Canary {
    /// The number of its row in the store.
    pub id: i64,
    /// The number of its version.
    pub version: String,
    /// The share of the entities that it answers.
    pub share: Share,
    /// What answers; where it is not loaded, the version in production answers everybody.
    pub loaded: Result<Loaded, String>,
}

/// A candidate that answers.
pub struct Loaded {
    /// Its model, and the features of the snapshot of production.
    pub candidate: Arc<Serving>,
    /// What is counted of the version in production.
    pub production: Arc<Arm>,
    /// What is counted of the candidate.
    pub counted: Arc<Arm>,
    metrics: Arc<CanaryMetrics>,
}

/// What is counted of one of the two versions.
pub struct Arm {
    /// What is kept in the store.
    pub counts: Counts,
    requests: IntCounter,
    errors: IntCounter,
    duration_seconds: Histogram,
    score: Histogram,
}

/// Metrics by version; there are two.
struct CanaryMetrics {
    requests: IntCounterVec,
    errors: IntCounterVec,
    duration_seconds: HistogramVec,
    score: HistogramVec,
}

impl Canary {
    /// The candidate, where it answers this entity, and where that of the request is counted; none where it is not loaded.
    pub fn route(&self, key: &[u8]) -> Option<(Option<&Arc<Serving>>, &Arc<Arm>)> {
        let loaded = self.loaded.as_ref().ok()?;
        let is_taken = self.share.takes(place(&loaded.candidate.model_name, &self.version, key));
        Some(match is_taken {
            true => (Some(&loaded.candidate), &loaded.counted),
            false => (None, &loaded.production),
        })
    }

    /// The metrics of both versions.
    pub fn families(&self) -> Vec<MetricFamily> {
        let Ok(Loaded { metrics, .. }) = &self.loaded else { return Vec::new() };
        let collectors: [&dyn Collector; 4] =
            [&metrics.requests, &metrics.errors, &metrics.duration_seconds, &metrics.score];
        collectors.into_iter().flat_map(Collector::collect).collect()
    }
}

impl Loaded {
    /// A candidate beside a version in production; nothing is counted yet.
    pub fn new(candidate: Arc<Serving>, production: &str) -> Self {
        let metrics = Arc::new(CanaryMetrics::new(candidate.model.task()));
        Self::counting(candidate, production, metrics)
    }

    /// The same candidate with counts that begin anew; the metrics go on.
    pub fn again(&self, production: &str) -> Self {
        Self::counting(self.candidate.clone(), production, self.metrics.clone())
    }

    fn counting(candidate: Arc<Serving>, production: &str, metrics: Arc<CanaryMetrics>) -> Self {
        let arm = |version: &str, name: &str| Arc::new(metrics.arm(version, name));
        Self {
            production: arm(production, "production"),
            counted: arm(&candidate.model_version, "candidate"),
            candidate,
            metrics,
        }
    }
}

impl Arm {
    /// Counts a request that was answered.
    pub fn request(&self, is_error: bool, latency: Duration) {
        self.counts.request(is_error, latency);
        self.requests.inc();
        self.errors.inc_by(u64::from(is_error));
        self.duration_seconds.observe(latency.as_secs_f64());
    }

    /// Counts what was said of an entity.
    pub fn score(&self, entity_hash: u64, score: f64) {
        self.counts.score(entity_hash, score);
        self.score.observe(score);
    }
}

impl CanaryMetrics {
    fn new(task: Task) -> Self {
        const LABELS: [&str; 2] = ["version", "arm"];
        let counters = |name: &str, help: &str| {
            IntCounterVec::new(Opts::new(name, help), &LABELS).expect("a valid name and labels")
        };
        let histograms = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            HistogramVec::new(options, &LABELS).expect("ascending buckets and valid labels")
        };
        let of_score: &[f64] = if task == Task::Regression { &VALUE_BUCKETS } else { &SCORE_BUCKETS };
        Self {
            requests: counters(
                "canary_requests_total",
                "Requests while a canary answers a share of the entities, by the version that answered.",
            ),
            errors: counters(
                "canary_errors_total",
                "Those of them that were answered with an error, or with a row that the version does not take; unknown entities are none.",
            ),
            duration_seconds: histograms(
                "canary_request_duration_seconds",
                "Time to answer them.",
                &DURATION_BUCKETS_SECONDS,
            ),
            score: histograms(
                "canary_score",
                "What was said: the score of the class, or the number.",
                of_score,
            ),
        }
    }

    fn arm(&self, version: &str, name: &str) -> Arm {
        let labels = [version, name];
        Arm {
            counts: Counts::default(),
            requests: self.requests.with_label_values(&labels),
            errors: self.errors.with_label_values(&labels),
            duration_seconds: self.duration_seconds.with_label_values(&labels),
            score: self.score.with_label_values(&labels),
        }
    }
}
