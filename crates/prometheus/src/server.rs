//! The server at work: the sample store with what fills it, asks it and sends it on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow_promql::{Engine, EngineOptions};
use streamflow_tsdb::{Db, Fsync, Options, remove_unfinished_copies};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::api::{Metrics, POINTS_MAX, QuerySlots, SNAPSHOTS};
use crate::families::ToldFamilies;
use crate::handle::{Applied, Handle, Inner};
use crate::remote_write::{Meanings, RemoteWrite, Sources};
use crate::rules::Rules;
use crate::scrape::Scraper;
use crate::{Error, Settings, now_ms};

/// Between two looks at what of the store is to be compacted or deleted.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);
/// Between two questions whether the log should be forced to the disk; the store decides.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
const FSYNC_INTERVAL: Duration = Duration::from_secs(5);
const DAY_MS: i64 = 86_400_000;

/// The store and everything around it; [`Server::run`] is its life.
pub struct Server {
    scraper: Scraper,
    rules: Rules,
    remote_write: RemoteWrite,
    handle: Handle,
}

impl Server {
    /// Opens the store and takes the configuration.
    ///
    /// # Errors
    /// A store that cannot be opened; a configuration that is not valid.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let db = open_store(&settings).await?;
        let rule_engine = EngineOptions {
            max_samples: settings.query_max_samples,
            start_timestamps: settings.start_timestamps,
            ..EngineOptions::default()
        };
        // The API tells in its own words that a query has too many steps, from the first above its bound on.
        let max_steps = rule_engine.max_steps.max(POINTS_MAX + 1);
        let engine_options = EngineOptions { max_steps, ..rule_engine.clone() };
        let scraper = Scraper::new(db.clone());
        let exemplars = scraper.handle().exemplars();
        let rules =
            Rules::new(db.clone(), Arc::new(Engine::new(rule_engine)), scraper.handle().discovery_counters());
        let told = Arc::new(ToldFamilies::default());
        let sources = Sources { exemplars: Arc::clone(&exemplars), meanings: meanings(&scraper, &told) };
        let remote_write = RemoteWrite::new(db.clone(), settings.dir.join("remote_write"), sources);
        let handle = Handle(Arc::new(Inner {
            started_ms: now_ms(),
            engine_options,
            slots: QuerySlots::new(settings.limits.concurrent_queries),
            metrics: Metrics::default(),
            exemplars,
            told,
            scraper: scraper.handle(),
            rules: rules.handle(),
            remote_write: remote_write.handle(),
            applied: Mutex::new(Applied::default()),
            settings,
            db,
        }));
        handle.reload().await?;
        Ok(Self { scraper, rules, remote_write, handle })
    }

    /// What others ask while the server runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Scrapes, evaluates, sends and maintains until `shutdown`; then the store is closed.
    ///
    /// # Errors
    /// A store that could not be closed; a task that panicked, which is a bug.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<(), Error> {
        let scraping = tokio::spawn(self.scraper.run(shutdown.clone()));
        let evaluating = tokio::spawn(self.rules.run(shutdown.clone()));
        let sending = tokio::spawn(self.remote_write.run(shutdown.clone()));
        let reloading = tokio::spawn(reload_on_hangup(self.handle.clone(), shutdown.clone()));
        let db = self.handle.db();
        maintain(&db, shutdown).await;
        joined(scraping, "the scraper").await?;
        joined(evaluating, "the rules").await?;
        joined(sending, "remote write").await?;
        joined(reloading, "the reload at SIGHUP").await??;
        let closing = tokio::task::spawn_blocking(move || db.close());
        joined(closing, "the closing of the sample store").await?.map_err(Error::Close)
    }
}

/// What families mean: what targets say of them, and of others what was told by those who send samples here.
fn meanings(scraper: &Scraper, told: &Arc<ToldFamilies>) -> Meanings {
    let (scraper, told) = (scraper.handle(), Arc::clone(told));
    Meanings::new(Arc::new(move || {
        let scraped = scraper.metadata(None).into_iter();
        let first = scraped.filter_map(|(family, known)| Some((family, known.into_iter().next()?)));
        first.chain(told.told(None)).collect()
    }))
}

async fn joined<T>(task: JoinHandle<T>, what: &'static str) -> Result<T, Error> {
    task.await.map_err(|_| Error::Panicked(what))
}

async fn open_store(settings: &Settings) -> Result<Db, Error> {
    let options = Options {
        retention_ms: Some(i64::from(settings.retention_days) * DAY_MS),
        retention_rules: settings.retention_rules.clone(),
        downsampling: settings.downsampling,
        retention_bytes: settings.retention_bytes,
        out_of_order_window_ms: i64::try_from(settings.out_of_order_window.as_millis()).unwrap_or(i64::MAX),
        fsync: Fsync::Interval(FSYNC_INTERVAL),
        ..Options::default()
    };
    let dir = settings.dir.clone();
    let opening = tokio::task::spawn_blocking(move || {
        Db::open(&dir, options).map_err(|source| Error::Open { dir, source })
    });
    let db = joined(opening, "the opening of the sample store").await??;
    tell_damage(&db, 0);
    // The store is ours alone from here on, so that no copy of its server is under way.
    if let Err(error) = remove_unfinished_copies(&settings.dir.join(SNAPSHOTS)) {
        tracing::warn!("what snapshots that were cut off have left stays on the disk: {error}");
    }
    Ok(db)
}

/// Logs the findings of damage after the first `known`; gives how many there are.
fn tell_damage(db: &Db, known: usize) -> usize {
    let damage = db.damage();
    for damage in damage.iter().skip(known) {
        let file = damage.file.display();
        tracing::error!("the sample store is damaged, the rest is served: {file}: {}", damage.what);
    }
    damage.len()
}

/// Compacts, deletes what is too old and flushes until `shutdown`.
async fn maintain(store: &Db, mut shutdown: watch::Receiver<bool>) {
    let ticks = |period| {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let (mut maintenance, mut syncs) = (ticks(MAINTENANCE_INTERVAL), ticks(SYNC_INTERVAL));
    let mut known_damage = store.damage().len();
    loop {
        let is_flush = tokio::select! {
            _ = maintenance.tick() => false,
            _ = syncs.tick() => true,
            _ = shutdown.wait_for(|stop| *stop) => return,
        };
        let db = store.clone();
        let upkeep = move || {
            let now = now_ms();
            // Behind a burst the log goes at once, not with the next tick.
            if is_flush && !db.maintenance_due(now) {
                return db.sync_due(now).map(|_| ());
            }
            db.maintain(now).map(|_| ())
        };
        match tokio::task::spawn_blocking(upkeep).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("the upkeep of the sample store failed: {error}"),
            Err(error) => tracing::error!(%error, "the upkeep of the sample store panicked"),
        }
        known_damage = tell_damage(store, known_damage);
    }
}

async fn reload_on_hangup(handle: Handle, mut shutdown: watch::Receiver<bool>) -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup()).map_err(Error::Signal)?;
    loop {
        let is_stopping = tokio::select! {
            _ = hangups.recv() => false,
            _ = shutdown.wait_for(|stop| *stop) => true,
        };
        if is_stopping {
            return Ok(());
        }
        match handle.reload().await {
            Ok(()) => tracing::info!("read the configuration of the metrics engine anew"),
            Err(error) => tracing::error!("the old configuration stays: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[tokio::test]
    async fn what_snapshots_that_were_cut_off_left_goes_when_the_store_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = dir.path().join(SNAPSHOTS);
        for part in ["whole/blocks", "cut.tmp/blocks/b-1"] {
            std::fs::create_dir_all(snapshots.join(part)).unwrap();
        }
        let none =
            Source::BuiltIn { interval: Duration::from_secs(60), jobs: Vec::new(), rules: String::new() };
        let server = Server::open(Settings::new(dir.path().to_owned(), none)).await.unwrap();
        assert!(snapshots.join("whole/blocks").is_dir());
        assert!(!snapshots.join("cut.tmp").exists());
        server.handle.db().close().unwrap();
    }
}
