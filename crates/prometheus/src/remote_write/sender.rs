//! One sender: reads the log, puts what it finds into shards, and keeps the place before which all is dealt with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use streamflow_exposition::remote_write::{WriteRequest, encode, v2};
use streamflow_prometheus_yml::WriteMessage;
use streamflow_tsdb::{Db, Labels, Position, Sample, Tail, Value};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::Sources;
use super::batch::{Relabeler, meanings, request};
use super::endpoint::{Endpoint, Refusal, post};
use super::pace::{self, Looked, Pace};
use super::position;
use super::shards::{Broken, Item, Pieces, Queued, Shards};
use super::status::SenderStatus;
use crate::exemplars::Exemplar;
use crate::now_ms;

/// Between two looks at a log that has nothing new.
const POLL: Duration = Duration::from_millis(100);
/// After a log that could not be read, or a position that could not be kept.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest wait that a receiver may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// Exemplars that are taken from their queue at once.
const EXEMPLARS_AT_ONCE: usize = 10_000;
/// Samples that are put into queues between two looks at how many there should be.
const AT_ONCE: usize = 500;

/// Sends to one endpoint.
#[derive(Debug)]
pub struct Sender {
    pub(super) endpoint: Endpoint,
    sources: Sources,
    counts: Mutex<SenderStatus>,
    /// What of the log is under way.
    pub(super) pieces: Pieces,
}

/// The log, and the place in it.
struct Reading {
    tail: Tail,
    piece: Vec<(Labels, Sample)>,
    relabeler: Relabeler,
    exemplars: Option<broadcast::Receiver<(Labels, Exemplar)>>,
}

/// The shards of a sender, its rates, and its counts at the last look.
struct Flow {
    shards: Shards,
    pace: Pace,
    since: Instant,
    before: SenderStatus,
}

impl Sender {
    /// `counts` are those of an earlier sender to the same endpoint.
    pub fn new(endpoint: Endpoint, sources: Sources, counts: Option<SenderStatus>) -> Self {
        let mut counts = counts.unwrap_or_default();
        (counts.name, counts.url) = (endpoint.name.clone(), endpoint.receiver.shown_url());
        counts.samples_pending = 0;
        (counts.shards_min, counts.shards_max) = (endpoint.min_shards, endpoint.max_shards);
        counts.shard_capacity = endpoint.capacity;
        Self { endpoint, sources, counts: Mutex::new(counts), pieces: Pieces::default() }
    }

    pub fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn count(&self, count: impl FnOnce(&mut SenderStatus)) {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn status(&self) -> SenderStatus {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends until cancelled.
    pub async fn run(self: Arc<Self>, db: Db, dir: PathBuf, mut cancelled: watch::Receiver<bool>) {
        let following = async {
            loop {
                let Err(Broken) = self.follow(&db, &dir).await;
                // What was not confirmed is read again.
                self.pause("a shard ended by itself, which is a bug").await;
            }
        };
        tokio::select! {
            () = following => {}
            () = self.tell_meanings() => {}
            // An error says that nobody can cancel any more.
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
        }
        // What was confirmed since the place was kept last is not to be sent again.
        if let Some(done) = self.pieces.done()
            && let Err(error) = position::save(position::path(&dir, &self.endpoint.name), done).await
        {
            tracing::error!(endpoint = self.endpoint.name, error, "the place in the log is not kept");
        }
    }

    async fn follow(self: &Arc<Self>, db: &Db, dir: &Path) -> Result<std::convert::Infallible, Broken> {
        let path = position::path(dir, &self.endpoint.name);
        // As long as the place in the log is not known, all of it is needed.
        let holding = db.tail(Position::default());
        let start = loop {
            match position::load(&path) {
                Ok(start) => break start,
                Err(error) => self.pause(&error).await,
            }
        };
        let exemplars = self.endpoint.send_exemplars.then(|| self.sources.exemplars.follow());
        let (tail, piece, relabeler) = (db.tail(start), Vec::new(), Relabeler::default());
        let mut reading = Reading { tail, piece, relabeler, exemplars };
        drop(holding);
        let mut flow = self.flow();
        let mut kept = start;
        loop {
            let behind;
            (reading, behind) = self.read(reading).await;
            let is_idle = reading.piece.is_empty();
            let items = self.items(&mut reading);
            self.put(&mut flow, (items, behind), db).await?;
            if let Some(done) = self.pieces.done().filter(|done| *done != kept) {
                match position::save(path.clone(), done).await {
                    Ok(()) => {
                        kept = done;
                        reading.tail.done(kept);
                    }
                    Err(error) => {
                        self.pieces.again(done);
                        self.pause(&error).await;
                    }
                }
            }
            if is_idle {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// The fewest shards, and nothing known of them.
    fn flow(self: &Arc<Self>) -> Flow {
        self.pieces.clear();
        let shards = Shards::start(self, self.endpoint.min_shards.max(1));
        self.count(|counts| {
            (counts.samples_pending, counts.shards) = (0, shards.count());
            counts.shards_desired = shards.count() as f64;
        });
        Flow { shards, pace: Pace::default(), since: Instant::now(), before: self.status() }
    }

    /// Puts a piece of the log into the shards, of which there are others where that is due.
    async fn put(
        self: &Arc<Self>,
        flow: &mut Flow,
        (items, behind): (Vec<(Labels, Item)>, Position),
        db: &Db,
    ) -> Result<(), Broken> {
        let piece = self.pieces.begin(items.len(), behind);
        let mut items = items.into_iter();
        loop {
            let part: Vec<_> = items.by_ref().take(AT_ONCE).collect();
            let is_last = part.is_empty();
            let samples = part.iter().filter(|(_, item)| matches!(item, Item::Sample(_))).count();
            flow.shards.put(part, &piece).await?;
            self.count(|counts| counts.samples_read += samples as u64);
            // Where queues are full, other shards may be what is missing.
            if flow.since.elapsed() >= self.endpoint.reshard_every {
                self.reshard(flow, db.newest_ms()).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn pause(&self, error: &str) {
        tracing::error!(endpoint = self.endpoint.name, error, "remote write waits");
        self.count(|counts| error.clone_into(&mut counts.last_error));
        tokio::time::sleep(PAUSE).await;
    }

    /// Takes the next piece of the log; gives the place behind it.
    async fn read(&self, mut reading: Reading) -> (Reading, Position) {
        loop {
            let work = move || {
                let result = reading.tail.next(&mut reading.piece);
                (reading, result)
            };
            let result;
            (reading, result) = match tokio::task::spawn_blocking(work).await {
                Ok(done) => done,
                // The runtime ends, and this task with it.
                Err(_) => std::future::pending().await,
            };
            match result {
                Ok(behind) => return (reading, behind),
                Err(error) => {
                    reading.piece.clear();
                    self.pause(&error.to_string()).await;
                }
            }
        }
    }

    /// What of the piece, and of the exemplars that came meanwhile, is sent.
    fn items(&self, reading: &mut Reading) -> Vec<(Labels, Item)> {
        let (mut dropped, mut too_old, mut histograms, mut highest) = (0, 0, 0, i64::MIN);
        let oldest = self.oldest_ms();
        let mut items = Vec::with_capacity(reading.piece.len());
        for (labels, sample) in reading.piece.drain(..) {
            highest = highest.max(sample.timestamp);
            if sample.timestamp < oldest {
                too_old += 1;
            } else if !self.endpoint.send_native_histograms && !matches!(sample.value, Value::Float(_)) {
                histograms += 1;
            } else if let Some(labels) = reading.relabeler.labels(&self.endpoint, &labels) {
                items.push((labels, Item::Sample(sample)));
            } else {
                dropped += 1;
            }
        }
        let samples = items.len() as u64;
        let lost = self.exemplars(reading, &mut items);
        self.count(|counts| {
            counts.samples_read += dropped + too_old + histograms;
            counts.samples_dropped += dropped;
            counts.samples_too_old += too_old;
            counts.histograms_dropped += histograms;
            counts.samples_pending += samples;
            counts.exemplars_lost += lost;
            counts.highest_timestamp_read_ms = counts.highest_timestamp_read_ms.max(highest);
            (counts.log_gaps, counts.samples_unknown) = (reading.tail.gaps(), reading.tail.unknown());
        });
        items
    }

    /// Puts the exemplars that came behind the samples; gives how many came too fast.
    fn exemplars(&self, reading: &mut Reading, items: &mut Vec<(Labels, Item)>) -> u64 {
        let Reading { exemplars: Some(exemplars), relabeler, .. } = reading else { return 0 };
        let mut lost = 0;
        for _ in 0..EXEMPLARS_AT_ONCE {
            match exemplars.try_recv() {
                Ok((labels, exemplar)) => {
                    let labels = relabeler.labels(&self.endpoint, &labels);
                    items.extend(labels.map(|labels| (labels, Item::Exemplar(exemplar))));
                }
                Err(broadcast::error::TryRecvError::Lagged(count)) => lost += count,
                Err(_) => break,
            }
        }
        lost
    }

    /// Opens as many shards as the last while says.
    async fn reshard(self: &Arc<Self>, flow: &mut Flow, newest_ms: Option<i64>) -> Result<(), Broken> {
        let now = self.status();
        let before = std::mem::replace(&mut flow.before, now.clone());
        let interval = flow.since.elapsed();
        flow.since = Instant::now();
        let looked = Looked {
            read: now.samples_read - before.samples_read,
            dropped: now.dropped() - before.dropped(),
            sent: now.samples_sent - before.samples_sent,
            sending: now.sending.saturating_sub(before.sending),
        };
        let newest_ms = newest_ms.filter(|_| now.samples_sent > 0).unwrap_or(now.highest_timestamp_sent_ms);
        let behind_s = newest_ms.saturating_sub(now.highest_timestamp_sent_ms) as f64 / 1000.0;
        let Some(wanted) = flow.pace.wanted(looked, interval, behind_s) else { return Ok(()) };
        self.count(|counts| counts.shards_desired = wanted);
        // Queues of a receiver that takes nothing are not waited for to be empty.
        if looked.sent == 0 {
            return Ok(());
        }
        let bounds = (self.endpoint.min_shards, self.endpoint.max_shards);
        let next = pace::shards(flow.shards.count(), wanted, behind_s, bounds);
        if next != flow.shards.count() {
            tracing::info!(
                endpoint = self.endpoint.name,
                from = flow.shards.count(),
                to = next,
                "other shards"
            );
            flow.shards.resize(self, next).await?;
            self.count(|counts| counts.shards = next);
        }
        Ok(())
    }

    /// The time before which a sample is too old to be sent.
    fn oldest_ms(&self) -> i64 {
        let limit = self.endpoint.sample_age_limit.and_then(|limit| i64::try_from(limit.as_millis()).ok());
        limit.map_or(i64::MIN, |limit| now_ms().saturating_sub(limit))
    }

    /// Leaves out what has become too old since; tells whether something has.
    fn leave_out_old(&self, queued: &mut Vec<&Queued>) -> bool {
        let (oldest, before) = (self.oldest_ms(), queued.len());
        queued.retain(|queued| queued.sample().is_none_or(|sample| sample.timestamp >= oldest));
        let count = (before - queued.len()) as u64;
        self.count(|counts| {
            counts.samples_too_old += count;
            counts.samples_pending = counts.samples_pending.saturating_sub(count);
        });
        count > 0
    }

    /// Posts until the receiver takes the samples or says that it never will.
    pub(super) async fn send(&self, queued: &[Queued]) {
        let mut queued: Vec<&Queued> = queued.iter().collect();
        let mut body = self.body(&queued);
        let (started, mut delay) = (Instant::now(), self.endpoint.min_backoff);
        while !queued.is_empty() {
            match post(&self.endpoint, body.clone()).await {
                Ok(()) => return self.taken(&queued, body.len(), started),
                Err(Refusal::Final { message }) => return self.refused(&queued, message, started),
                Err(Refusal::Retry { after, message }) => {
                    let count = queued.iter().filter_map(|queued| queued.sample()).count() as u64;
                    tracing::debug!(endpoint = self.endpoint.name, count, message, "samples are sent again");
                    self.count(|counts| {
                        counts.samples_retried += count;
                        counts.last_error = message;
                    });
                    tokio::time::sleep(after.unwrap_or(delay).min(RETRY_AFTER_MAX)).await;
                    delay = (delay * 2).min(self.endpoint.max_backoff);
                }
            }
            if self.leave_out_old(&mut queued) {
                body = self.body(&queued);
            }
        }
        self.count(|counts| counts.sending += started.elapsed());
    }

    fn taken(&self, queued: &[&Queued], size: usize, started: Instant) {
        let samples = queued.iter().filter_map(|queued| queued.sample());
        let highest = samples.clone().map(|sample| sample.timestamp).max().unwrap_or(i64::MIN);
        let count = samples.count();
        self.count(|counts| {
            counts.sending += started.elapsed();
            counts.samples_pending = counts.samples_pending.saturating_sub(count as u64);
            counts.samples_sent += count as u64;
            counts.exemplars_sent += (queued.len() - count) as u64;
            counts.bytes_sent += size as u64;
            counts.highest_timestamp_sent_ms = counts.highest_timestamp_sent_ms.max(highest);
            counts.last_error.clear();
        });
    }

    fn refused(&self, queued: &[&Queued], message: String, started: Instant) {
        let count = queued.iter().filter_map(|queued| queued.sample()).count();
        tracing::error!(endpoint = self.endpoint.name, count, message, "samples refused");
        self.count(|counts| {
            counts.sending += started.elapsed();
            counts.samples_pending = counts.samples_pending.saturating_sub(count as u64);
            counts.samples_failed += count as u64;
            counts.exemplars_lost += (queued.len() - count) as u64;
            counts.last_error = message;
        });
    }

    fn body(&self, queued: &[&Queued]) -> Vec<u8> {
        match self.endpoint.message {
            WriteMessage::V1 => encode(&request(queued, false)),
            WriteMessage::V2 => {
                let mut request = request(queued, true);
                if self.endpoint.metadata_every.is_some() {
                    request.metadata = meanings(&request, &self.sources.meanings.all());
                }
                v2::encode(&request)
            }
        }
    }

    /// Tells a receiver of version 1 now and then what families mean; version 2 has that beside the samples.
    async fn tell_meanings(&self) {
        let every = self.endpoint.metadata_every.filter(|_| self.endpoint.message == WriteMessage::V1);
        let Some(every) = every else { return std::future::pending().await };
        loop {
            tokio::time::sleep(every).await;
            let mut all: Vec<_> = self.sources.meanings.all().values().cloned().collect();
            all.sort_by(|a, b| a.metric_family_name.cmp(&b.metric_family_name));
            for metadata in all.chunks(self.endpoint.max_metadata_per_send.max(1)) {
                let request = WriteRequest { metadata: metadata.to_vec(), ..WriteRequest::default() };
                // Where it fails the next time tells the same.
                match post(&self.endpoint, encode(&request)).await {
                    Ok(()) => self.count(|counts| counts.metadata_sent += metadata.len() as u64),
                    Err(Refusal::Retry { message, .. } | Refusal::Final { message }) => {
                        tracing::warn!(endpoint = self.endpoint.name, message, "metadata is not taken");
                    }
                }
            }
        }
    }
}
