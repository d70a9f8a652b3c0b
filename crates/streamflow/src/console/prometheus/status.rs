//! What other parts of the process know and this API shows: plain data, in the words and fields of Prometheus.
//!
//! Each is asked for anew on every request through a closure of [`Sources`], so that nothing here is ever old.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use streamflow_tsdb::Labels;

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
    pub rule_groups: Source<Vec<RuleGroup>>,
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

/// Rules that are evaluated together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleGroup {
    /// Unique in its file.
    pub name: String,
    /// Path of the rule file.
    pub file: String,
    /// In order of evaluation.
    pub rules: Vec<Rule>,
    /// Seconds between evaluations.
    #[serde(rename = "interval", serialize_with = "as_number")]
    pub interval_s: f64,
    /// Most series or alerts of a rule; 0 for no limit.
    pub limit: u64,
    /// Seconds of the last evaluation.
    #[serde(rename = "evaluationTime", serialize_with = "as_number")]
    pub evaluation_s: f64,
    /// In milliseconds since 1970.
    #[serde(rename = "lastEvaluation", serialize_with = "as_time")]
    pub last_evaluation_ms: Option<i64>,
}

/// A rule and its state.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Rule {
    /// Alerts when its expression has series.
    Alerting(AlertingRule),
    /// Keeps the value of its expression as a series.
    Recording(RecordingRule),
}

impl Rule {
    /// Name of the alert or of the recorded series.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Alerting(rule) => &rule.name,
            Self::Recording(rule) => &rule.name,
        }
    }

    /// The labels it adds.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        match self {
            Self::Alerting(rule) => &rule.labels,
            Self::Recording(rule) => &rule.labels,
        }
    }
}

/// An alerting rule and its alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertingRule {
    /// The gravest of its alerts' states.
    pub state: AlertState,
    /// `alertname` of its alerts.
    pub name: String,
    /// PromQL.
    pub query: String,
    /// Seconds that the expression must hold: `for`.
    #[serde(rename = "duration", serialize_with = "as_number")]
    pub for_s: f64,
    /// Seconds that an alert stays after it does not: `keep_firing_for`.
    #[serde(rename = "keepFiringFor", serialize_with = "as_number")]
    pub keep_firing_for_s: f64,
    /// Added to its alerts, as templates.
    #[serde(serialize_with = "as_map")]
    pub labels: Labels,
    /// For people, as templates.
    #[serde(serialize_with = "as_map")]
    pub annotations: Labels,
    /// Pending and firing ones.
    pub alerts: Vec<Alert>,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why the last evaluation failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_error: String,
    /// Seconds of the last evaluation.
    #[serde(rename = "evaluationTime", serialize_with = "as_number")]
    pub evaluation_s: f64,
    /// In milliseconds since 1970.
    #[serde(rename = "lastEvaluation", serialize_with = "as_time")]
    pub last_evaluation_ms: Option<i64>,
}

/// A recording rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingRule {
    /// Of the series it keeps.
    pub name: String,
    /// PromQL.
    pub query: String,
    /// Added to its series.
    #[serde(serialize_with = "as_map", skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why the last evaluation failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_error: String,
    /// Seconds of the last evaluation.
    #[serde(rename = "evaluationTime", serialize_with = "as_number")]
    pub evaluation_s: f64,
    /// In milliseconds since 1970.
    #[serde(rename = "lastEvaluation", serialize_with = "as_time")]
    pub last_evaluation_ms: Option<i64>,
}

/// State of an alert; the later the graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Its expression has no series.
    Inactive,
    /// It has, but not for long enough.
    Pending,
    /// It has for long enough.
    Firing,
}

/// An alert of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Of the series and of the rule, `alertname` among them.
    #[serde(serialize_with = "as_map")]
    pub labels: Labels,
    /// For people.
    #[serde(serialize_with = "as_map")]
    pub annotations: Labels,
    /// Pending or firing.
    pub state: AlertState,
    /// Since when its expression holds, in milliseconds since 1970.
    #[serde(rename = "activeAt", serialize_with = "as_time")]
    pub active_at_ms: Option<i64>,
    /// Since when it is kept firing although its expression does not hold.
    #[serde(rename = "keepFiringSince", serialize_with = "as_time", skip_serializing_if = "Option::is_none")]
    pub keep_firing_since_ms: Option<i64>,
    /// Value of the expression.
    #[serde(serialize_with = "as_exponent")]
    pub value: f64,
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

/// `1.5e+00`: the exponent always stands.
fn as_exponent<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = Vec::new();
    if value.is_finite() {
        super::json::exponent(&mut text, *value);
    } else {
        super::json::number(&mut text, *value);
    }
    serializer.serialize_str(&String::from_utf8_lossy(&text))
}
