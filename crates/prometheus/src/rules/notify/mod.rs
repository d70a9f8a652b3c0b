//! Tells others about alerts: Alertmanagers and plain webhooks, each with a bounded queue and a task of its own.

mod alertmanager;
mod destination;
mod managers;
mod webhook;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamflow_outbound::Receiver;
use streamflow_prometheus_yml::Relabel;
use streamflow_template::expression_link;
use streamflow_tsdb::Labels;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use destination::{DestinationStatus, Kind};
pub use managers::ManagerSet;
pub(super) use managers::{Found, Managers};

use super::alert::Alert;
use crate::relabeling::relabeled;
use destination::Destination;

/// Whom to tell, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// All are told everything.
    pub endpoints: Vec<Endpoint>,
    /// Where Alertmanagers are looked for, which are told everything too.
    pub managers: Vec<ManagerSet>,
    /// What is done to the labels of every alert, after the external labels were added.
    pub relabel: Vec<Relabel>,
    /// Alerts that wait for one endpoint; the oldest are dropped beyond.
    pub queue_capacity: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { endpoints: Vec::new(), managers: Vec::new(), relabel: Vec::new(), queue_capacity: 10_000 }
    }
}

/// A server that is told of alerts.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The protocol that it understands.
    pub kind: Kind,
    /// Where alerts are posted, for an Alertmanager with `/api/v2/alerts`.
    pub receiver: Receiver,
    /// Wait before the second try of a webhook; it doubles from try to try.
    pub retry_delay: Duration,
    /// What is done to the labels of alerts that go here, after all other changes.
    pub relabel: Vec<Relabel>,
}

/// Wait before the second try of a webhook, unless a test has less patience.
pub const RETRY_DELAY: Duration = Duration::from_secs(1);

/// An alert as others are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// External labels included.
    pub labels: Labels,
    /// Expanded.
    pub annotations: BTreeMap<String, String>,
    /// Since when it fires.
    pub starts_at_ms: i64,
    /// When it was resolved, or until when this may be believed.
    pub ends_at_ms: i64,
    /// Whether it no longer fires.
    pub resolved: bool,
    /// A page that shows the expression.
    pub generator_url: String,
}

/// The tasks that tell others.
#[derive(Debug, Default)]
pub struct Notifier {
    current: Mutex<Current>,
}

#[derive(Debug, Default)]
struct Current {
    settings: Settings,
    destinations: Vec<Arc<Destination>>,
    tasks: Vec<Task>,
}

#[derive(Debug)]
struct Task {
    cancel: watch::Sender<bool>,
    handle: JoinHandle<()>,
}

impl Notifier {
    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on tells the endpoints of these settings. What waits for one that stays is kept.
    pub async fn apply(&self, settings: Settings, external_url: &str) {
        self.stop_tasks().await;
        let mut current = self.current();
        let destinations: Vec<Arc<Destination>> = settings
            .endpoints
            .iter()
            .map(|endpoint| {
                let known = current.destinations.iter().find(|known| known.is_for(endpoint));
                known
                    .cloned()
                    .unwrap_or_else(|| Arc::new(Destination::new(endpoint, settings.queue_capacity)))
            })
            .collect();
        current.tasks = destinations
            .iter()
            .zip(&settings.endpoints)
            .map(|(destination, endpoint)| {
                let (cancel, cancelled) = watch::channel(false);
                let work = destination.clone().run(endpoint.clone(), external_url.to_owned(), cancelled);
                Task { cancel, handle: tokio::spawn(work) }
            })
            .collect();
        current.destinations = destinations;
        current.settings = settings;
    }

    /// Ends all tasks; a request under way is given up.
    pub async fn stop_tasks(&self) {
        let tasks = std::mem::take(&mut self.current().tasks);
        for task in &tasks {
            task.cancel.send_replace(true);
        }
        for task in tasks {
            if let Err(error) = task.handle.await {
                tracing::error!(%error, "a notifier failed");
            }
        }
    }

    /// Puts the alerts of one rule into the queues.
    pub fn send(
        &self,
        alerts: Vec<Alert>,
        query: &str,
        external_labels: &BTreeMap<String, String>,
        external_url: &str,
    ) {
        if alerts.is_empty() {
            return;
        }
        let current = self.current();
        let generator_url = format!("{}{}", external_url.trim_end_matches('/'), expression_link(query, 1));
        let notifications: Vec<Arc<Notification>> = alerts
            .into_iter()
            .filter_map(|alert| {
                notification(alert, &generator_url, external_labels, &current.settings.relabel)
            })
            .map(Arc::new)
            .collect();
        for destination in &current.destinations {
            destination.push_relabeled(&notifications);
        }
    }

    /// Each endpoint with its counts.
    pub fn status(&self) -> Vec<DestinationStatus> {
        self.current().destinations.iter().map(|destination| destination.status()).collect()
    }
}

fn notification(
    alert: Alert,
    generator_url: &str,
    external_labels: &BTreeMap<String, String>,
    relabel: &[Relabel],
) -> Option<Notification> {
    let mut labels = alert.labels;
    for (name, value) in external_labels {
        if labels.get(name).is_none() {
            labels = labels.with(name, value);
        }
    }
    Some(Notification {
        labels: relabeled(&labels, relabel)?,
        annotations: alert.annotations,
        starts_at_ms: alert.fired_at_ms.unwrap_or(alert.active_at_ms),
        ends_at_ms: alert.resolved_at_ms.unwrap_or(alert.valid_until_ms),
        resolved: alert.resolved_at_ms.is_some(),
        generator_url: generator_url.to_owned(),
    })
}

#[cfg(test)]
mod tests;
