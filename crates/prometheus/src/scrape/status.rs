//! What is known of targets, for the API and the console.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use streamflow_prometheus_yml::LabelMap;
use streamflow_tsdb::Labels;

use super::metadata::{Families, Metadata};
use super::target::Target;
use crate::go_json;

/// How the last scrape of a target went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// The target was not scraped yet.
    #[default]
    Unknown,
    /// It answered.
    Up,
    /// It did not.
    Down,
}

/// A target with its last scrape; its JSON is that of `/api/v1/targets`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Labels before relabeling.
    pub discovered_labels: BTreeMap<String, String>,
    /// Labels after it.
    pub labels: BTreeMap<String, String>,
    /// The job.
    pub scrape_pool: String,
    /// The address that is fetched.
    pub scrape_url: String,
    /// The same address as others reach it.
    pub global_url: String,
    /// Why the last scrape failed; empty when it succeeded.
    pub last_error: String,
    /// Milliseconds since 1970; `None` before the first scrape.
    #[serde(rename = "lastScrape", serialize_with = "go_json::time")]
    pub last_scrape_ms: Option<i64>,
    /// Time from the request to the stored samples.
    #[serde(rename = "lastScrapeDuration", serialize_with = "go_json::number")]
    pub last_scrape_duration_s: f64,
    /// How the last scrape went.
    pub health: Health,
    /// Time between two scrapes.
    #[serde(rename = "scrapeInterval", serialize_with = "go_json::duration")]
    pub interval_ms: u64,
    /// Longest wait for an answer.
    #[serde(rename = "scrapeTimeout", serialize_with = "go_json::duration")]
    pub timeout_ms: u64,
    /// Samples of the last scrape, before metric relabeling. Not a field of Prometheus's API.
    #[serde(skip)]
    pub samples_scraped: u64,
    /// Samples of the last scrape that were refused for their time, or given twice. Not a field of Prometheus's API.
    #[serde(skip)]
    pub samples_refused: u64,
}

/// A target that relabeling dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DroppedTarget {
    /// Labels before relabeling.
    pub discovered_labels: BTreeMap<String, String>,
    /// The job.
    pub scrape_pool: String,
}

/// What one target says about one of its families.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetMetadata {
    /// Labels of the target.
    pub target: Labels,
    /// Name of the family.
    pub metric: String,
    /// Type, help and unit.
    pub metadata: Metadata,
}

/// The last scrape of one target.
#[derive(Debug, Default, Clone)]
pub(super) struct LastScrape {
    pub error: String,
    pub at_ms: Option<i64>,
    pub duration_s: f64,
    pub health: Health,
    pub scraped: u64,
    pub refused: u64,
}

/// What a scrape loop shares with those who ask.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub last: Mutex<LastScrape>,
    pub families: Mutex<Families>,
}

/// A lock whose holder cannot have left half-written state: every write is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The targets of one job.
#[derive(Debug, Default)]
pub(super) struct ShownPool {
    pub job: String,
    pub active: Vec<(Arc<Target>, Arc<Shown>)>,
    /// Up to `keep_dropped_targets`.
    pub dropped: Vec<LabelMap>,
    /// All that were dropped.
    pub dropped_count: u64,
}

impl ShownPool {
    pub fn statuses(&self) -> impl Iterator<Item = TargetStatus> {
        self.active.iter().map(|(target, shown)| {
            let last = lock(&shown.last).clone();
            let labels = target.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            TargetStatus {
                discovered_labels: target.discovered.clone(),
                labels: labels.collect(),
                scrape_pool: self.job.clone(),
                scrape_url: target.url.to_string(),
                global_url: target.url.to_string(),
                last_error: last.error,
                last_scrape_ms: last.at_ms,
                last_scrape_duration_s: last.duration_s,
                health: last.health,
                interval_ms: target.interval.as_millis() as u64,
                timeout_ms: target.timeout.as_millis() as u64,
                samples_scraped: last.scraped,
                samples_refused: last.refused,
            }
        })
    }

    /// What each of its targets says about `metric`, or about all families.
    pub fn metadata(&self, metric: Option<&str>) -> Vec<TargetMetadata> {
        let mut found = Vec::new();
        for (target, shown) in &self.active {
            let families = lock(&shown.families);
            let one = metric.and_then(|metric| families.get(metric).map(|metadata| (metric, metadata)));
            let all = metric.is_none().then(|| families.iter());
            let wanted = one.into_iter().chain(all.into_iter().flatten());
            found.extend(wanted.map(|(family, metadata)| TargetMetadata {
                target: target.labels.clone(),
                metric: family.to_owned(),
                metadata: metadata.clone(),
            }));
        }
        found
    }
}
