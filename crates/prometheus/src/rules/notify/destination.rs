//! One endpoint: its queue, its counts and the loop that posts to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use streamflow_outbound::failure;
use streamflow_prometheus_yml::Relabel;
use tokio::sync::{Notify, watch};

use super::webhook::Memory;
use super::{Endpoint, Notification, alertmanager, webhook};
use crate::relabeling::relabeled;

/// Alerts in one request.
const BATCH: usize = 64;
/// Tries of one request to a webhook.
const TRIES: u32 = 5;

/// What an endpoint understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The API v2 of Alertmanager. A failed request is not tried again: every alert is sent again each minute.
    Alertmanager,
    /// Alertmanager's webhook message, on changes only, with retries.
    Webhook,
}

/// An endpoint with its counts since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DestinationStatus {
    /// What it understands.
    pub kind: Kind,
    /// Where, without its password.
    pub url: String,
    /// Alerts that it took.
    pub sent: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Alerts that it was never told of, because the queue was full or it refused them.
    pub dropped: u64,
    /// Alerts that wait.
    pub queue_length: usize,
    /// Most that may wait.
    pub queue_capacity: usize,
    /// Why the last request failed; empty once one works.
    pub last_error: String,
}

/// An endpoint, over all changes of its settings.
#[derive(Debug)]
pub struct Destination {
    kind: Kind,
    /// Its URL without its password.
    name: String,
    capacity: usize,
    relabel: Vec<Relabel>,
    queue: Mutex<VecDeque<Arc<Notification>>>,
    more: Notify,
    sent: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
    last_error: Mutex<String>,
    memory: tokio::sync::Mutex<Memory>,
}

/// Why a request failed, and whether another try may help.
struct Refusal {
    message: String,
    retry: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Destination {
    pub fn new(endpoint: &Endpoint, capacity: usize) -> Self {
        Self {
            kind: endpoint.kind,
            name: endpoint.receiver.shown_url(),
            capacity: capacity.max(1),
            relabel: endpoint.relabel.clone(),
            queue: Mutex::default(),
            more: Notify::new(),
            sent: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            last_error: Mutex::default(),
            memory: tokio::sync::Mutex::default(),
        }
    }

    pub fn is_for(&self, endpoint: &Endpoint) -> bool {
        self.kind == endpoint.kind
            && self.name == endpoint.receiver.shown_url()
            && self.relabel == endpoint.relabel
    }

    /// Appends what the rules of this endpoint leave of the notifications.
    pub fn push_relabeled(&self, notifications: &[Arc<Notification>]) {
        if self.relabel.is_empty() {
            return self.push(notifications);
        }
        let kept = notifications.iter().filter_map(|notification| {
            let labels = relabeled(&notification.labels, &self.relabel)?;
            Some(Arc::new(Notification { labels, ..Notification::clone(notification) }))
        });
        self.push(&kept.collect::<Vec<_>>());
    }

    /// Appends; the oldest give way.
    fn push(&self, notifications: &[Arc<Notification>]) {
        let mut queue = lock(&self.queue);
        queue.extend(notifications.iter().cloned());
        let over = queue.len().saturating_sub(self.capacity);
        queue.drain(..over);
        drop(queue);
        if over > 0 {
            self.drop_alerts(over, "the queue is full");
        }
        self.more.notify_one();
    }

    fn drop_alerts(&self, count: usize, reason: &str) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        tracing::warn!(url = self.name, count, reason, "alerts dropped");
    }

    pub fn status(&self) -> DestinationStatus {
        DestinationStatus {
            kind: self.kind,
            url: self.name.clone(),
            sent: self.sent.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            queue_length: lock(&self.queue).len(),
            queue_capacity: self.capacity,
            last_error: lock(&self.last_error).clone(),
        }
    }

    /// Posts what comes until cancelled.
    pub async fn run(
        self: Arc<Self>,
        endpoint: Endpoint,
        external_url: String,
        mut cancelled: watch::Receiver<bool>,
    ) {
        let work = async {
            loop {
                let batch: Vec<_> = {
                    let mut queue = lock(&self.queue);
                    let count = queue.len().min(BATCH);
                    queue.drain(..count).collect()
                };
                if batch.is_empty() {
                    self.more.notified().await;
                } else {
                    self.deliver(&endpoint, &external_url, batch).await;
                }
            }
        };
        tokio::select! {
            () = work => {}
            // An error says that nobody can cancel any more.
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
        }
    }

    async fn deliver(&self, endpoint: &Endpoint, external_url: &str, batch: Vec<Arc<Notification>>) {
        let (batch, tries) = match self.kind {
            Kind::Alertmanager => (batch, 1),
            Kind::Webhook => (self.memory.lock().await.news(batch, Instant::now()), TRIES),
        };
        if batch.is_empty() {
            return;
        }
        let body = match self.kind {
            Kind::Alertmanager => alertmanager::body(&batch),
            Kind::Webhook => webhook::body(&batch, external_url),
        };
        let body = body.to_string();
        let mut delay = endpoint.retry_delay;
        for last in (0..tries).rev() {
            match post(endpoint, body.clone()).await {
                Ok(()) => {
                    self.sent.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    lock(&self.last_error).clear();
                    if self.kind == Kind::Webhook {
                        self.memory.lock().await.told(&batch, Instant::now());
                    }
                    return;
                }
                Err(refusal) => {
                    self.errors.fetch_add(1, Ordering::Relaxed);
                    lock(&self.last_error).clone_from(&refusal.message);
                    if last == 0 || !refusal.retry {
                        return self.drop_alerts(batch.len(), &refusal.message);
                    }
                }
            }
            tokio::time::sleep(delay).await;
            delay *= 2;
        }
    }
}

async fn post(endpoint: &Endpoint, body: String) -> Result<(), Refusal> {
    let later = |message: String| Refusal { message, retry: true };
    let request = endpoint.receiver.post().await.map_err(|error| later(error.to_string()))?;
    let request = request.header(CONTENT_TYPE, "application/json").body(body);
    let status = request.send().await.map_err(|error| later(failure(&error).to_owned()))?.status();
    if status.is_success() {
        return Ok(());
    }
    let retry = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(Refusal { message: format!("answered {status}"), retry })
}
