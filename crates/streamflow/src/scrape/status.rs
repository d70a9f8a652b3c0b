//! What is known of targets, for the API and the console.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use streamflow_prometheus_yml::LabelMap;

use super::metadata::{Families, Metadata};
use super::target::Target;

/// Whether the last scrape succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Not scraped yet.
    #[default]
    Unknown,
    /// It did.
    Up,
    /// It did not.
    Down,
}

impl Health {
    /// As the API spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

/// A target with its last scrape, as `/api/v1/targets` answers it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct TargetStatus {
    pub scrape_pool: String,
    pub discovered_labels: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub scrape_url: String,
    pub global_url: String,
    /// Empty when it succeeded.
    pub last_error: String,
    /// Milliseconds since 1970; `None` before the first scrape.
    pub last_scrape_ms: Option<i64>,
    pub last_scrape_duration_s: f64,
    pub health: Health,
    /// Milliseconds.
    pub interval_ms: u64,
    /// Milliseconds.
    pub timeout_ms: u64,
    /// Of the last scrape, before metric relabeling.
    pub samples_scraped: u64,
    /// Samples of the last scrape that were refused for their time, or given twice.
    pub samples_refused: u64,
}

/// A target that relabeling dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DroppedTarget {
    pub scrape_pool: String,
    pub discovered_labels: BTreeMap<String, String>,
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
    pub dropped: Vec<LabelMap>,
    /// All of them, also those over `keep_dropped_targets`.
    pub dropped_count: usize,
}

impl ShownPool {
    pub fn statuses(&self) -> impl Iterator<Item = TargetStatus> {
        self.active.iter().map(|(target, shown)| {
            let last = lock(&shown.last).clone();
            let labels = target.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            TargetStatus {
                scrape_pool: self.job.clone(),
                discovered_labels: target.discovered.clone(),
                labels: labels.collect(),
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

    /// Adds what its targets say about `metric`, or about all families, up to `limit` families.
    pub fn collect_metadata(
        &self,
        metric: Option<&str>,
        limit: Option<usize>,
        into: &mut BTreeMap<String, Vec<Metadata>>,
    ) {
        for (_, shown) in &self.active {
            let families = lock(&shown.families);
            let one = metric.and_then(|metric| families.get(metric).map(|metadata| (metric, metadata)));
            let all = metric.is_none().then(|| families.iter());
            for (family, metadata) in one.into_iter().chain(all.into_iter().flatten()) {
                if !into.contains_key(family) && limit.is_some_and(|limit| into.len() >= limit) {
                    continue;
                }
                let said = into.entry(family.to_owned()).or_default();
                if !said.contains(metadata) {
                    said.push(metadata.clone());
                }
            }
        }
    }
}
