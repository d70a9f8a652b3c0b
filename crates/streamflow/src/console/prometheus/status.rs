//! What other parts of the process know and this API shows: plain data, in the words and fields of Prometheus.
//!
//! Each is asked for anew on every request through a closure of [`Sources`], so that nothing here is ever old.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use streamflow_tsdb::Labels;

use crate::rules::status::GroupStatus;

/// Something that is looked up when it is asked for.
pub type Source<T> = Arc<dyn Fn() -> T + Send + Sync>;
/// Reads the configuration anew; the error is told to whoever asked.
pub type Reload = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Where the API learns what is not in the sample store.
#[derive(Clone)]
pub struct Sources {
    /// Whether the server may be asked already: `/-/ready`.
    pub ready: Source<bool>,
    /// `POST /-/reload`; without it reloading is refused.
    pub reload: Option<Reload>,
    /// Targets that are scraped.
    pub targets: Source<Vec<Target>>,
    /// Targets that relabeling dropped.
    pub dropped_targets: Source<Vec<DroppedTarget>>,
    /// Type, help and unit of metrics, one entry for each target and metric.
    pub metadata: Source<Vec<MetricMetadata>>,
    /// Rule groups in the order of their files.
    pub rule_groups: Source<Vec<GroupStatus>>,
    /// Addresses alerts are sent to.
    pub alertmanagers: Source<Vec<String>>,
    /// The effective scrape configuration as YAML, without secrets.
    pub config_yaml: Source<String>,
    /// Settings under the names of Prometheus's flags.
    pub flags: Source<BTreeMap<String, String>>,
    /// The process.
    pub runtime: Source<Runtime>,
    /// Labels that mark the series of this server for others: `/federate` adds them.
    pub external_labels: Source<Labels>,
}

impl Default for Sources {
    /// A server that scrapes nothing, has no rules and cannot be reloaded.
    fn default() -> Self {
        Self {
            ready: Arc::new(|| true),
            reload: None,
            targets: Arc::new(Vec::new),
            dropped_targets: Arc::new(Vec::new),
            metadata: Arc::new(Vec::new),
            rule_groups: Arc::new(Vec::new),
            alertmanagers: Arc::new(Vec::new),
            config_yaml: Arc::new(String::new),
            flags: Arc::new(BTreeMap::new),
            runtime: Arc::new(Runtime::default),
            external_labels: Arc::new(Labels::default),
        }
    }
}

/// A target that is scraped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Before relabeling.
    #[serde(serialize_with = "as_map")]
    pub discovered_labels: Labels,
    /// After it.
    #[serde(serialize_with = "as_map")]
    pub labels: Labels,
    /// The job.
    pub scrape_pool: String,
    /// What is fetched.
    pub scrape_url: String,
    /// The same as others reach it.
    pub global_url: String,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// When it was, in milliseconds since 1970.
    #[serde(rename = "lastScrape", serialize_with = "as_time")]
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    #[serde(rename = "lastScrapeDuration", serialize_with = "as_number")]
    pub last_scrape_duration_s: f64,
    /// How it went.
    pub health: Health,
    /// As it is written in the configuration: `15s`.
    pub scrape_interval: String,
    /// As it is written in the configuration: `10s`.
    pub scrape_timeout: String,
}

/// How a scrape went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It answered.
    Up,
    /// It did not.
    Down,
    /// It was not asked yet.
    Unknown,
}

/// A target that relabeling dropped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DroppedTarget {
    /// Before relabeling.
    #[serde(serialize_with = "as_map")]
    pub discovered_labels: Labels,
    /// The job.
    pub scrape_pool: String,
}

/// What a target says of one of its metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricMetadata {
    /// Labels of the target.
    pub target: Labels,
    /// Name of the metric family.
    pub metric: String,
    /// `counter`, `gauge`, `histogram`, `summary`, `unknown` …
    pub kind: String,
    /// For people.
    pub help: String,
    /// Empty where the format has none.
    pub unit: String,
}

/// The process.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runtime {
    /// When it started, in milliseconds since 1970.
    pub start_ms: i64,
    /// Its working directory.
    pub working_directory: String,
    /// Whether the last reading of the configuration succeeded.
    pub reload_succeeded: bool,
    /// When that was, in milliseconds since 1970.
    pub last_reload_ms: i64,
    /// For how long samples are kept: `15d`.
    pub retention: String,
}

fn as_map<S: Serializer>(labels: &Labels, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter())
}

/// Whole numbers without a decimal point, as Go writes them.
#[expect(clippy::cast_possible_truncation, reason = "the value is whole and below 1e15")]
fn as_number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// RFC 3339; the year 1 where there is no time yet, as Go writes it.
pub(super) fn as_time<S: Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        Some(time) => serializer.collect_str(&time),
        None => serializer.serialize_str("0001-01-01T00:00:00Z"),
    }
}
