//! One sender: reads the log, fills requests, posts them in order until each is taken or refused for good.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use streamflow_exposition::remote_write::{encode, v2};
use streamflow_prometheus_yml::WriteMessage;
use streamflow_tsdb::{Db, Labels, Position, Tail, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use super::batch::{Relabeler, request};
use super::endpoint::{Endpoint, Refusal, post};
use super::position;

/// Between two looks at a log that has nothing new.
const POLL: Duration = Duration::from_millis(100);
/// After a log that could not be read, or a position that could not be kept.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// An endpoint with its counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SenderStatus {
    /// Its name.
    pub name: String,
    /// Its URL without its password.
    pub url: String,
    /// Samples that the receiver took.
    pub samples_sent: u64,
    /// Samples that the receiver refused for good (4xx but 429).
    pub samples_failed: u64,
    /// Samples in requests that were tried again.
    pub samples_retried: u64,
    /// Samples that relabeling drops, and native histograms where they are not sent.
    pub samples_dropped: u64,
    /// Bytes of bodies that were taken.
    pub bytes_sent: u64,
    /// Samples that were read and neither taken nor refused yet.
    pub samples_pending: u64,
    /// Time of the newest sample that was read, in milliseconds since 1970.
    pub highest_timestamp_read_ms: i64,
    /// Time of the newest sample that the receiver took. How far it is behind is the difference.
    pub highest_timestamp_sent_ms: i64,
    /// How often parts of the log were gone before they were read: samples are missing at the receiver.
    pub log_gaps: u64,
    /// Samples left out because their series was no longer known.
    pub samples_unknown: u64,
    /// Why the last request failed; empty once one works.
    pub last_error: String,
}

/// Sends to one endpoint.
#[derive(Debug)]
pub struct Sender {
    endpoint: Endpoint,
    counts: Mutex<SenderStatus>,
}

type Samples = Vec<(Labels, i64, Value)>;

/// What is read and not yet sent, and the place in the log behind it.
struct Read {
    tail: Tail,
    piece: Samples,
    waiting: Samples,
    behind: Position,
    since: Option<Instant>,
}

impl Sender {
    /// `counts` are those of an earlier sender to the same endpoint.
    pub fn new(endpoint: Endpoint, counts: Option<SenderStatus>) -> Self {
        let mut counts = counts.unwrap_or_default();
        (counts.name, counts.url) = (endpoint.name.clone(), endpoint.receiver.shown_url());
        counts.samples_pending = 0;
        Self { endpoint, counts: Mutex::new(counts) }
    }

    pub fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn count(&self, count: impl FnOnce(&mut SenderStatus)) {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn counts(&self) -> SenderStatus {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn status(&self) -> SenderStatus {
        self.counts()
    }

    /// Sends until cancelled.
    pub async fn run(self: Arc<Self>, db: Db, dir: PathBuf, mut cancelled: watch::Receiver<bool>) {
        tokio::select! {
            () = self.follow(db, dir) => {}
            // An error says that nobody can cancel any more.
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
        }
    }

    async fn follow(&self, db: Db, dir: PathBuf) {
        let path = position::path(&dir, &self.endpoint.name);
        // As long as the place in the log is not known, all of it is needed.
        let holding = db.tail(Position::default());
        let start = loop {
            match position::load(&path) {
                Ok(start) => break start,
                Err(error) => self.pause(&error).await,
            }
        };
        let mut read = Read {
            tail: db.tail(start),
            piece: Samples::new(),
            waiting: Samples::new(),
            behind: start,
            since: None,
        };
        drop(holding);
        let (mut relabeler, mut kept) = (Relabeler::default(), start);
        loop {
            read = self.fill(read, &mut relabeler).await;
            for samples in read.waiting.chunks(self.endpoint.max_samples_per_send.max(1)) {
                self.send(samples).await;
            }
            read.waiting.clear();
            read.since = None;
            if read.behind != kept {
                match position::save(path.clone(), read.behind).await {
                    Ok(()) => {
                        kept = read.behind;
                        read.tail.done(kept);
                    }
                    Err(error) => self.pause(&error).await,
                }
            }
        }
    }

    async fn pause(&self, error: &str) {
        tracing::error!(endpoint = self.endpoint.name, error, "remote write waits");
        self.count(|counts| error.clone_into(&mut counts.last_error));
        tokio::time::sleep(PAUSE).await;
    }

    /// Reads until there is a full request, or something has waited for its deadline.
    async fn fill(&self, mut read: Read, relabeler: &mut Relabeler) -> Read {
        loop {
            read = self.read(read, relabeler).await;
            let waited = read.since.map(|since| since.elapsed());
            if read.waiting.len() >= self.endpoint.max_samples_per_send {
                return read;
            }
            match waited {
                Some(waited) if waited >= self.endpoint.batch_send_deadline => return read,
                _ if !read.piece.is_empty() => {}
                // Nothing to send was read, only what is dropped: its place can be kept.
                None if read.behind != Position::default() => {
                    tokio::time::sleep(POLL).await;
                    return read;
                }
                Some(waited) => {
                    tokio::time::sleep(POLL.min(self.endpoint.batch_send_deadline - waited)).await
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Takes the next piece of the log.
    async fn read(&self, mut read: Read, relabeler: &mut Relabeler) -> Read {
        let work = move || {
            let result = read.tail.next(&mut read.piece);
            (read, result)
        };
        let (mut read, result) = match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        };
        match result {
            Ok(behind) => read.behind = behind,
            Err(error) => {
                read.piece.clear();
                self.pause(&error.to_string()).await;
            }
        }
        let (mut dropped, mut highest) = (0, i64::MIN);
        for (labels, timestamp, value) in &read.piece {
            highest = highest.max(*timestamp);
            let wanted = self.endpoint.send_native_histograms || matches!(value, Value::Float(_));
            match relabeler.labels(&self.endpoint, labels).filter(|_| wanted) {
                Some(labels) => read.waiting.push((labels, *timestamp, value.clone())),
                None => dropped += 1,
            }
        }
        if !read.waiting.is_empty() {
            read.since.get_or_insert_with(Instant::now);
        }
        self.count(|counts| {
            counts.samples_dropped += dropped;
            counts.samples_pending = read.waiting.len() as u64;
            counts.highest_timestamp_read_ms = counts.highest_timestamp_read_ms.max(highest);
            (counts.log_gaps, counts.samples_unknown) = (read.tail.gaps(), read.tail.unknown());
        });
        read
    }

    /// Posts until the receiver takes the samples or says that it never will.
    async fn send(&self, samples: &[(Labels, i64, Value)]) {
        let request = request(samples);
        let body = match self.endpoint.message {
            WriteMessage::V1 => encode(&request),
            WriteMessage::V2 => v2::encode(&request),
        };
        let (count, size) = (samples.len() as u64, body.len() as u64);
        let mut delay = self.endpoint.min_backoff;
        loop {
            match post(&self.endpoint, body.clone()).await {
                Ok(()) => {
                    let highest =
                        samples.iter().map(|(_, timestamp, _)| *timestamp).max().unwrap_or(i64::MIN);
                    return self.count(|counts| {
                        counts.samples_sent += count;
                        counts.bytes_sent += size;
                        counts.samples_pending = counts.samples_pending.saturating_sub(count);
                        counts.highest_timestamp_sent_ms = counts.highest_timestamp_sent_ms.max(highest);
                        counts.last_error.clear();
                    });
                }
                Err(Refusal::Final { message }) => {
                    tracing::error!(endpoint = self.endpoint.name, count, message, "samples refused");
                    return self.count(|counts| {
                        counts.samples_failed += count;
                        counts.samples_pending = counts.samples_pending.saturating_sub(count);
                        counts.last_error = message;
                    });
                }
                Err(Refusal::Retry { after, message }) => {
                    tracing::debug!(endpoint = self.endpoint.name, count, message, "samples are sent again");
                    self.count(|counts| {
                        counts.samples_retried += count;
                        counts.last_error = message;
                    });
                    tokio::time::sleep(after.unwrap_or(delay).min(RETRY_AFTER_MAX)).await;
                    delay = (delay * 2).min(self.endpoint.max_backoff);
                }
            }
        }
    }
}
