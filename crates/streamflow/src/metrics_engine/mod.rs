//! The metrics engine of a running server: the sample store with what fills it, asks it and sends it on.

mod own_metrics;
mod settings;
mod sources;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::prometheus::process_collector::ProcessCollector;
use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use streamflow_exposition::Format;
use streamflow_promql::{Engine, EngineOptions};
use streamflow_tsdb::{Db, Fsync, Options};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::Config;
use crate::console::prometheus::{self, Limits, PrometheusState};
use crate::remote_write::{self, RemoteWrite};
use crate::rules::{self, Rules};
use crate::scrape::{self, Scraper};
use crate::terminal::one_line;

pub use settings::Origin;
use settings::Settings;

/// Between two looks at what of the store is to be compacted or deleted.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);
/// Between two questions whether the log should be forced to the disk; the store decides.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
const FSYNC_INTERVAL: Duration = Duration::from_secs(5);

/// The store and everything around it.
pub struct MetricsEngine {
    scraper: Scraper,
    rules: Rules,
    remote_write: RemoteWrite,
    inner: Arc<Inner>,
}

/// What handlers of requests share with the tasks.
struct Inner {
    db: Db,
    origin: Origin,
    prometheus: PrometheusState,
    scraper: scrape::Handle,
    rules: rules::Handle,
    remote_write: remote_write::Handle,
    process: ProcessCollector,
    applied: Arc<Mutex<Applied>>,
}

/// The configuration in force and how the last attempt to change it went.
#[derive(Debug, Clone, Default)]
struct Applied {
    /// As `/api/v1/status/config` shows it.
    text: String,
    warnings: Vec<String>,
    at_ms: i64,
    succeeded: bool,
    external_labels: streamflow_tsdb::Labels,
}

impl MetricsEngine {
    /// Opens the store in `dir` and takes the configuration of `origin`.
    ///
    /// # Errors
    /// A store that cannot be opened; a configuration that is not valid.
    pub async fn open(dir: &Path, config: &Config, origin: Origin) -> anyhow::Result<Self> {
        let db = open_store(dir, config).await?;
        let engine = EngineOptions {
            max_samples: usize::try_from(config.metrics.query_max_samples.get()).unwrap_or(usize::MAX),
            ..EngineOptions::default()
        };
        let limits = Limits {
            concurrent_queries: config.console.max_concurrent_queries.get(),
            query_timeout: Duration::from_secs(config.metrics.query_timeout_seconds.get().into()),
            ..Limits::default()
        };
        let scraper = Scraper::new(db.clone());
        let rules = Rules::new(db.clone(), Arc::new(Engine::new(engine.clone())));
        let remote_write = RemoteWrite::new(db.clone(), dir.join("remote_write"));
        let applied = Arc::new(Mutex::new(Applied::default()));
        let inner = Arc::new_cyclic(|inner| Inner {
            prometheus: PrometheusState::new(
                db.clone(),
                engine,
                limits,
                sources::sources(inner.clone(), &scraper, &rules, applied.clone(), config),
            ),
            db,
            origin,
            scraper: scraper.handle(),
            rules: rules.handle(),
            remote_write: remote_write.handle(),
            process: ProcessCollector::for_self(),
            applied,
        });
        inner.reload().await?;
        Ok(Self { scraper, rules, remote_write, inner })
    }

    /// The store.
    pub fn db(&self) -> Db {
        self.inner.db.clone()
    }

    /// What of the configuration is left out.
    pub fn warnings(&self) -> Arc<dyn Fn() -> Vec<String> + Send + Sync> {
        let applied = self.inner.applied.clone();
        Arc::new(move || lock(&applied).warnings.clone())
    }

    /// Prometheus's API and `GET /metrics` of this process.
    pub fn router(&self) -> Router {
        let own = Router::new().route("/metrics", get(own)).with_state(self.inner.clone());
        prometheus::router(self.inner.prometheus.clone()).merge(own)
    }

    /// Scrapes, evaluates, sends and maintains until `shutdown`; then the store is closed.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> anyhow::Result<()> {
        let scraping = tokio::spawn(self.scraper.run(shutdown.clone()));
        let evaluating = tokio::spawn(self.rules.run(shutdown.clone()));
        let sending = tokio::spawn(self.remote_write.run(shutdown.clone()));
        let reloading = tokio::spawn(reload_on_hangup(self.inner.clone(), shutdown.clone()));
        maintain(&self.inner.db, shutdown).await;
        scraping.await.context("the scraper panicked")?;
        evaluating.await.context("the rules panicked")?;
        sending.await.context("remote write panicked")?;
        reloading.await.context("the reload of prometheus.yml panicked")??;
        let db = self.inner.db.clone();
        tokio::task::spawn_blocking(move || db.close()).await?.context("the sample store was not closed")
    }
}

impl Inner {
    /// Reads the configuration anew. One that is not valid changes nothing.
    async fn reload(&self) -> anyhow::Result<()> {
        let settings = Settings::read(&self.origin).await;
        let mut applied = lock(&self.applied);
        applied.at_ms = now_ms();
        applied.succeeded = settings.is_ok();
        let settings = settings?;
        for warning in settings.warnings.iter().filter(|warning| !applied.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        self.scraper.apply(&settings.prometheus);
        self.rules.apply(settings.rules);
        self.remote_write.apply(settings.remote_write);
        applied.external_labels = streamflow_tsdb::Labels::new(&settings.prometheus.global.external_labels);
        applied.text = settings.text;
        applied.warnings = settings.warnings;
        Ok(())
    }
}

async fn open_store(dir: &Path, config: &Config) -> anyhow::Result<Db> {
    const DAY_MS: i64 = 86_400_000;
    let settings = &config.metrics;
    let options = Options {
        retention_ms: Some(i64::from(settings.retention_days.get()) * DAY_MS),
        retention_bytes: settings.retention_bytes,
        out_of_order_window_ms: i64::from(settings.out_of_order_seconds) * 1000,
        fsync: Fsync::Interval(FSYNC_INTERVAL),
        ..Options::default()
    };
    let path = dir.to_owned();
    let db = tokio::task::spawn_blocking(move || Db::open(&path, options)).await?.with_context(|| {
        format!("the sample store {} cannot be opened; is another StreamFlow running on it?", dir.display())
    })?;
    for damage in db.damage() {
        tracing::error!(
            "the sample store is damaged, the rest is served: {}: {}",
            damage.file.display(),
            damage.what
        );
    }
    Ok(db)
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
            if is_flush { db.sync_due(now).map(|_| ()) } else { db.maintain(now).map(|_| ()) }
        };
        let done = tokio::task::spawn_blocking(upkeep).await;
        match done {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!("the upkeep of the sample store failed: {}", one_line(&error.into()))
            }
            Err(error) => tracing::error!(%error, "the upkeep of the sample store panicked"),
        }
        let damage = store.damage();
        for damage in damage.iter().skip(known_damage) {
            tracing::error!(
                "the sample store is damaged, the rest is served: {}: {}",
                damage.file.display(),
                damage.what
            );
        }
        known_damage = damage.len();
    }
}

async fn reload_on_hangup(inner: Arc<Inner>, mut shutdown: watch::Receiver<bool>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    loop {
        let is_stopping = tokio::select! {
            _ = hangups.recv() => false,
            _ = shutdown.wait_for(|stop| *stop) => true,
        };
        if is_stopping {
            return Ok(());
        }
        match inner.reload().await {
            Ok(()) => tracing::info!("read the configuration of the metrics engine anew"),
            Err(error) => tracing::error!("the old configuration stays: {}", one_line(&error)),
        }
    }
}

/// `GET /metrics` of the console plane.
async fn own(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    ([(header::CONTENT_TYPE, format.content_type())], own_metrics::render(&inner, format))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
