//! A server or DNS that is asked again and again by a task of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamflow_prometheus_yml::{DnsDiscovery, HttpDiscovery, LabelMap};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{dns, http};

/// Time between two questions at least.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Counts of discovery since the start.
#[derive(Debug, Default)]
pub struct Counters {
    file_errors: AtomicU64,
    http_failures: AtomicU64,
    dns_lookups: AtomicU64,
    dns_failures: AtomicU64,
}

impl Counters {
    pub(super) fn file_error(&self) {
        self.file_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Name, help and value of every counter.
    pub fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
        [
            (
                "prometheus_sd_file_read_errors_total",
                "Discovery files that could not be read.",
                &self.file_errors,
            ),
            (
                "prometheus_sd_http_failures_total",
                "Questions of HTTP discovery that failed.",
                &self.http_failures,
            ),
            ("prometheus_sd_dns_lookups_total", "Names that were looked up.", &self.dns_lookups),
            (
                "prometheus_sd_dns_lookup_failures_total",
                "Names that could not be looked up.",
                &self.dns_failures,
            ),
        ]
        .map(|(name, help, counter)| (name, help, counter.load(Ordering::Relaxed)))
        .to_vec()
    }
}

/// Whom to ask for what.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    Http(Box<HttpDiscovery>),
    Dns(DnsDiscovery),
}

/// A question with its task.
#[derive(Debug)]
pub(super) struct Asked {
    pub question: Question,
    /// Whether somebody asked in this round.
    pub wanted: bool,
    found: Arc<Mutex<Vec<LabelMap>>>,
    task: JoinHandle<()>,
}

impl Asked {
    /// Asks from now on; `changed` is told of every answer that differs from the one before. Needs a runtime around it.
    pub fn start(question: Question, counters: Arc<Counters>, changed: Arc<Notify>) -> Self {
        let found = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::runtime::Handle::current().spawn(ask(
            question.clone(),
            Arc::clone(&found),
            counters,
            changed,
        ));
        Self { question, wanted: true, found, task }
    }

    /// What the last good answer was.
    pub fn found(&self) -> Vec<LabelMap> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn ask(
    question: Question,
    found: Arc<Mutex<Vec<LabelMap>>>,
    counters: Arc<Counters>,
    changed: Arc<Notify>,
) {
    let mut told = String::new();
    loop {
        let (interval, answer) = match &question {
            Question::Http(config) => {
                let answer = http::ask(config).await;
                counters.http_failures.fetch_add(u64::from(answer.is_err()), Ordering::Relaxed);
                (config.refresh_interval, answer)
            }
            Question::Dns(config) => {
                let names = config.names.len() as u64;
                counters.dns_lookups.fetch_add(names, Ordering::Relaxed);
                let answer = dns::ask(config).await;
                counters.dns_failures.fetch_add(u64::from(answer.is_err()), Ordering::Relaxed);
                (config.refresh_interval, answer)
            }
        };
        match answer {
            Ok(targets) => {
                told.clear();
                let mut known = found.lock().unwrap_or_else(PoisonError::into_inner);
                if *known != targets {
                    *known = targets;
                    changed.notify_waiters();
                    // Kept for who is not waiting now.
                    changed.notify_one();
                }
            }
            Err(error) if error != told => {
                tracing::warn!("discovered targets stay as they were: {error}");
                told = error;
            }
            Err(_) => {}
        }
        tokio::time::sleep(interval.max(INTERVAL_MIN)).await;
    }
}
