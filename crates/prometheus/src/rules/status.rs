//! What groups, rules and alerts look like from outside: the shapes of `/api/v1/rules` and `/api/v1/alerts`.

use std::collections::BTreeMap;

use serde::Serialize;
use streamflow_tsdb::Labels;

use crate::go_json;

/// A group and its rules after the last evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)] // the fields of Prometheus's API
pub struct GroupStatus {
    pub name: String,
    pub file: String,
    pub rules: Vec<RuleStatus>,
    /// Seconds.
    #[serde(serialize_with = "go_json::number")]
    pub interval: f64,
    /// 0 for none.
    pub limit: i64,
    /// Seconds.
    #[serde(serialize_with = "go_json::number")]
    pub evaluation_time: f64,
    /// RFC 3339; `0001-01-01T00:00:00Z` before the first.
    pub last_evaluation: String,
    /// Evaluations that did not take place because the ones before took too long. Not a field of Prometheus's API.
    #[serde(skip)]
    pub missed: u64,
    /// Evaluations that took place.
    #[serde(skip)]
    pub evaluations: u64,
}

/// A rule after its last evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum RuleStatus {
    #[serde(rename_all = "camelCase")]
    Alerting {
        /// The highest of its alerts'.
        state: AlertState,
        name: String,
        query: String,
        /// Seconds.
        #[serde(serialize_with = "go_json::number")]
        duration: f64,
        /// Seconds.
        #[serde(serialize_with = "go_json::number")]
        keep_firing_for: f64,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        alerts: Vec<AlertStatus>,
        health: Health,
        #[serde(skip_serializing_if = "String::is_empty")]
        last_error: String,
        /// Seconds.
        #[serde(serialize_with = "go_json::number")]
        evaluation_time: f64,
        last_evaluation: String,
        /// How often the evaluation failed. Not a field of Prometheus's API.
        #[serde(skip)]
        failures: u64,
    },
    #[serde(rename_all = "camelCase")]
    Recording {
        name: String,
        query: String,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        health: Health,
        #[serde(skip_serializing_if = "String::is_empty")]
        last_error: String,
        /// Seconds.
        #[serde(serialize_with = "go_json::number")]
        evaluation_time: f64,
        last_evaluation: String,
        /// How often the evaluation failed. Not a field of Prometheus's API.
        #[serde(skip)]
        failures: u64,
    },
}

impl RuleStatus {
    /// Name of the alert or of the recorded series.
    pub fn name(&self) -> &str {
        match self {
            Self::Alerting { name, .. } | Self::Recording { name, .. } => name,
        }
    }

    /// The labels it adds.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Alerting { labels, .. } | Self::Recording { labels, .. } => labels,
        }
    }
}

/// An alert that is pending or firing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct AlertStatus {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub state: AlertState,
    pub active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_firing_since: Option<String>,
    /// In the exponent's form, as `1e+00`.
    pub value: String,
}

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Its expression does not hold.
    Inactive,
    /// It holds, not yet long enough.
    Pending,
    /// It held long enough.
    Firing,
}

impl AlertState {
    /// The state as the label `alertstate` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// Whether the last evaluation of a rule worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// There was no evaluation.
    Unknown,
    /// It worked.
    Ok,
    /// It did not; the error says why.
    Err,
}

/// Labels as a map.
pub fn label_map(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
