//! Scrapes one target at its interval, and reports on each scrape.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow_exposition::Format;
use streamflow_outbound::Client;
use streamflow_prometheus_yml::ScrapeConfig;
use streamflow_tsdb::{Batch, Db, Labels, METRIC_NAME, STALE_NAN};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::cache::SeriesCache;
use super::counters::Counters;
use super::fetch::{Answer, FetchError, body_limit, fetch};
use super::ingest::{Counts, Ingest, Wire};
use super::status::{Health, LastScrape, Shown, lock};
use super::target::Target;
use crate::exemplars::Exemplars;

/// The time of day in milliseconds since 1970: an argument, so that a test's clock can jump.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What all loops share.
pub(super) struct Shared {
    pub db: Db,
    pub clock: Clock,
    pub counters: Counters,
    pub exemplars: Arc<Exemplars>,
    /// Bounds how many bodies are parsed at the same time.
    pub parsing: Semaphore,
    /// Differs between servers, so that two of them do not ask a target at the same moment.
    pub seed: u64,
}

/// What a loop is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Run,
    /// The target is gone: its series end.
    Remove,
    /// We end: the series go on when we are back.
    Shutdown,
}

/// The loop of one target.
pub(super) struct ScrapeLoop {
    pub shared: Arc<Shared>,
    pub config: Arc<ScrapeConfig>,
    pub target: Arc<Target>,
    /// Or why there is none.
    pub client: Result<Client, String>,
    pub shown: Arc<Shown>,
    /// Why the job may not scrape now.
    pub forbidden: Arc<Mutex<Option<String>>>,
    pub order: watch::Receiver<Order>,
}

/// What the answer of one scrape was.
struct Outcome {
    counts: Counts,
    /// -1 for a body over the limit.
    body_bytes: i64,
    error: Option<String>,
}

/// A scrape that is over.
struct Scrape {
    outcome: Outcome,
    /// The samples that the store took, or why it took none.
    stored: Result<u64, String>,
    at_ms: i64,
    duration_s: f64,
}

impl ScrapeLoop {
    pub async fn run(mut self) {
        let interval = self.target.interval;
        let mut cache = SeriesCache::default();
        let mut next = Instant::now() + self.offset();
        let (mut aligned_ms, mut scraped) = (None, false);
        while self.sleep_until(next).await {
            let at_ms = self.aligned(&mut aligned_ms);
            let mut order = self.order.clone();
            tokio::select! {
                back = self.scrape(cache, at_ms) => cache = back,
                // A scrape is given up for a shutdown alone.
                Ok(_) = order.wait_for(|order| *order == Order::Shutdown) => return,
            }
            scraped = true;
            next += interval;
            // After a pause (a late answer, a machine asleep) the lost scrapes are not made up for.
            let late = Instant::now().saturating_duration_since(next);
            next += interval * u32::try_from(late.as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX);
        }
        if scraped {
            self.end(cache, next).await;
        }
    }

    /// Waits for a time; `false` says that the loop is to end.
    async fn sleep_until(&mut self, time: Instant) -> bool {
        tokio::select! {
            () = tokio::time::sleep_until(time) => true,
            _ = self.order.wait_for(|order| *order != Order::Run) => false,
        }
    }

    /// Until the first scrape: each target has its moment in the interval, by a hash of what it is.
    fn offset(&self) -> Duration {
        let interval = self.target.interval.as_nanos().max(1);
        let now = (self.shared.clock)().max(0) as u128 * 1_000_000;
        let hash = u128::from(fnv64(&self.target.key()) ^ self.shared.seed);
        let wait = (interval - now % interval + hash % interval) % interval;
        Duration::from_nanos(u64::try_from(wait).unwrap_or(0))
    }

    /// The scrape's time, put onto the grid of intervals when it is at most 2 ms before or after it: equal distances take
    /// less room in the store.
    fn aligned(&self, aligned_ms: &mut Option<i64>) -> i64 {
        let now = (self.shared.clock)();
        let interval = self.target.interval.as_millis().max(1) as i64;
        let Some(aligned) = aligned_ms else {
            *aligned_ms = Some(now);
            return now;
        };
        let (time, on_grid) = align(now, *aligned, interval);
        match on_grid {
            Some(on_grid) => *aligned = on_grid,
            None => {
                self.shared.counters.clock_went_back.inc();
                *aligned = now;
            }
        }
        time
    }

    async fn scrape(&self, cache: SeriesCache, at_ms: i64) -> SeriesCache {
        let started = Instant::now();
        let forbidden = lock(&self.forbidden).clone();
        let answer = match (forbidden, &self.client) {
            (Some(reason), _) => Err(FetchError::Other(reason)),
            (None, Err(reason)) => Err(FetchError::Other(reason.clone())),
            (None, Ok(client)) => fetch(client, &self.target, &self.config).await,
        };
        let permit = self.shared.parsing.acquire().await;
        let (shared, config) = (Arc::clone(&self.shared), Arc::clone(&self.config));
        let (target, shown) = (Arc::clone(&self.target), Arc::clone(&self.shown));
        let mut cache = cache;
        let taken = tokio::task::spawn_blocking(move || {
            let labels = &target.labels;
            let ingest = Ingest {
                db: &shared.db,
                config: &config,
                labels,
                counters: &shared.counters,
                exemplars: &shared.exemplars,
                now_ms: at_ms,
            };
            let (outcome, mut batch) = ingest_answer(&ingest, answer, &mut cache, &shown);
            let duration_s = started.elapsed().as_secs_f64();
            add_report(&mut batch, &ingest, &target, &outcome, duration_s);
            let stored = batch.commit().map(|committed| committed.samples).map_err(|error| error.to_string());
            let scrape = Scrape { outcome, stored, at_ms, duration_s };
            scrape.count(&shared.counters);
            scrape.publish(&target, &shown);
            cache
        });
        let cache = taken.await;
        drop(permit);
        // Only a panic, which is a bug, leaves no cache.
        cache.unwrap_or_default()
    }

    /// Marks the series of a removed target stale, after the time in which the target could have come back under a loop
    /// of its own, whose samples then win.
    async fn end(mut self, cache: SeriesCache, next: Instant) {
        let interval = self.target.interval;
        let waited = async {
            tokio::time::sleep_until(next).await;
            let stale_ms = (self.shared.clock)();
            tokio::time::sleep_until(next + interval + interval / 10).await;
            stale_ms
        };
        let stale_ms = tokio::select! {
            stale_ms = waited => stale_ms,
            Ok(_) = self.order.wait_for(|order| *order == Order::Shutdown) => return,
        };
        let (shared, config, target) = (self.shared, self.config, self.target);
        let mut cache = cache;
        let marked = tokio::task::spawn_blocking(move || {
            let (labels, counters, exemplars) = (&target.labels, &shared.counters, &shared.exemplars);
            let ingest =
                Ingest { db: &shared.db, config: &config, labels, counters, exemplars, now_ms: stale_ms };
            let mut batch = shared.db.batch();
            ingest.fail(&mut cache, &mut batch);
            for name in REPORT.iter().chain(EXTRA_REPORT.iter().filter(|_| config.extra_scrape_metrics)) {
                // Refused where a new loop of the same target has reported since.
                let _ = batch.add(&report_labels(labels, name), stale_ms, STALE_NAN);
            }
            if batch.commit().is_err() {
                counters.store_errors.inc();
            }
        });
        // An error is a panic, which is a bug and was printed.
        let _ = marked.await;
    }
}

/// The series that every scrape adds.
const REPORT: &[&str] = &[
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];
/// The series of `extra_scrape_metrics`.
const EXTRA_REPORT: &[&str] = &["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"];

/// Puts an answer, or markers in place of one, into a batch.
fn ingest_answer(
    ingest: &Ingest,
    answer: Result<Answer, FetchError>,
    cache: &mut SeriesCache,
    shown: &Shown,
) -> (Outcome, Batch) {
    let limit = body_limit(ingest.config);
    let body = answer.and_then(|answer| {
        let content_type = answer.content_type.clone();
        let body = answer.body(limit)?;
        // An empty body has no format, and no series.
        let format =
            if body.is_empty() { Ok(Wire::Text(Format::Text)) } else { ingest.format(&content_type) };
        Ok((format.map_err(FetchError::Other)?, body))
    });
    let failed = |counts, body_bytes, error| Outcome { counts, body_bytes, error: Some(error) };
    match body {
        Ok((format, body)) => {
            let bytes = body.len() as i64;
            let (counts, batch) = ingest.body(format, &body, cache, &mut lock(&shown.families));
            match batch {
                Ok(batch) => (Outcome { counts, body_bytes: bytes, error: None }, batch),
                Err(error) => (failed(counts, bytes, error), ingest.db.batch()),
            }
        }
        Err(error) => {
            let too_large = matches!(error, FetchError::TooLarge(_));
            ingest.counters.body_size_limit.add(u64::from(too_large));
            let mut batch = ingest.db.batch();
            ingest.fail(cache, &mut batch);
            (failed(Counts::default(), if too_large { -1 } else { 0 }, error.to_string()), batch)
        }
    }
}

/// Adds the report of a scrape.
fn add_report(batch: &mut Batch, ingest: &Ingest, target: &Target, outcome: &Outcome, duration_s: f64) {
    let (counts, config) = (outcome.counts, ingest.config);
    let up = if outcome.error.is_none() { 1.0 } else { 0.0 };
    let values = [up, duration_s, counts.scraped as f64, counts.kept as f64, counts.added as f64];
    let extra = [target.timeout.as_secs_f64(), config.sample_limit as f64, outcome.body_bytes as f64];
    let extra = EXTRA_REPORT.iter().zip(extra).filter(|_| config.extra_scrape_metrics);
    for (name, value) in REPORT.iter().zip(values).chain(extra) {
        let labels = report_labels(ingest.labels, name);
        // Refused, and counted by the store, when the clock went back.
        let _ = batch.add(&labels, ingest.now_ms, value);
    }
}

fn report_labels(target: &Labels, name: &str) -> Labels {
    target.with(METRIC_NAME, name)
}

impl Scrape {
    /// Why the scrape failed; empty when it succeeded.
    fn error(&self) -> String {
        match &self.stored {
            Err(reason) => format!("the store refused the scrape: {reason}"),
            Ok(_) => self.outcome.error.clone().unwrap_or_default(),
        }
    }

    fn count(&self, counters: &Counters) {
        counters.scrapes.inc();
        match self.stored {
            Ok(samples) => counters.samples.add(samples),
            Err(_) => counters.store_errors.inc(),
        }
        counters.failed_scrapes.add(u64::from(!self.error().is_empty()));
    }

    /// Shows the scrape to those who ask, and logs once what begins to go wrong.
    fn publish(self, target: &Target, shown: &Shown) {
        let (error, refused) = (self.error(), self.outcome.counts.refused);
        let mut last = lock(&shown.last);
        if !error.is_empty() && last.health != Health::Down {
            tracing::warn!(target = %target.url, "scrape failed: {error}");
        }
        if refused > 0 && last.refused == 0 {
            tracing::warn!(target = %target.url, "{refused} samples of a scrape were refused: given twice, or not newer");
        }
        *last = LastScrape {
            health: if error.is_empty() { Health::Up } else { Health::Down },
            error,
            at_ms: Some(self.at_ms),
            duration_s: self.duration_s,
            scraped: self.outcome.counts.scraped,
            refused,
        };
    }
}

/// The time of a scrape at `now` and its place on the grid of `interval` that begins at `grid`, all in milliseconds; no
/// place when the clock went back behind `grid`.
fn align(now: i64, grid: i64, interval: i64) -> (i64, Option<i64>) {
    let tolerance = (interval / 100).min(2);
    let behind = now.saturating_sub(grid);
    if behind < -tolerance {
        return (now, None);
    }
    let place = grid + (behind + tolerance) / interval * interval;
    (if (now - place).abs() <= tolerance { place } else { now }, Some(place))
}

/// FNV-1a.
pub(super) fn fnv64(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::align;

    #[test]
    fn times_beside_the_grid_are_put_onto_it() {
        let grid = 1_000_000;
        for (now, expected) in [
            (grid, (grid, Some(grid))),
            (grid + 1_002, (grid + 1_000, Some(grid + 1_000))),
            // A timer may fire early.
            (grid + 999, (grid + 1_000, Some(grid + 1_000))),
            (grid + 998, (grid + 1_000, Some(grid + 1_000))),
            (grid + 997, (grid + 997, Some(grid))),
            (grid + 1_003, (grid + 1_003, Some(grid + 1_000))),
            (grid + 61_001, (grid + 61_000, Some(grid + 61_000))),
            (grid - 2, (grid, Some(grid))),
            (grid - 3, (grid - 3, None)),
        ] {
            assert_eq!(align(now, grid, 1_000), expected, "{}", now - grid);
        }
        // Short intervals have a smaller tolerance.
        assert_eq!(align(grid + 102, grid, 100), (grid + 102, Some(grid + 100)));
        assert_eq!(align(grid + 101, grid, 100), (grid + 100, Some(grid + 100)));
    }
}
