//! Keeps one loop for every target of the configuration.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow_outbound::Client;
use streamflow_prometheus_yml::{PrometheusConfig, ScrapeConfig};
use streamflow_tsdb::Db;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::metadata::Metadata;
use super::scrape_loop::{Clock, Order, ScrapeLoop, Shared};
use super::status::{DroppedTarget, Shown, ShownPool, TargetMetadata, TargetStatus, lock};
use super::target::{Found, Target, populate};
use crate::clients::client;
use crate::discovery::{self, Finder};
use crate::exemplars::Exemplars;
use crate::now_ms;

/// How often discovery files are read again, at least.
const REFRESH: Duration = Duration::from_secs(5);

/// Everything that scrapes; [`Scraper::run`] is its life.
pub struct Scraper {
    handle: Handle,
    pools: BTreeMap<String, Pool>,
    finder: Finder,
    loops: JoinSet<()>,
    end: watch::Sender<bool>,
}

/// A job with its running loops.
struct Pool {
    config: Arc<ScrapeConfig>,
    client: Result<Client, String>,
    forbidden: Arc<Mutex<Option<String>>>,
    running: BTreeMap<String, Running>,
    /// Targets that cannot be made, as told last.
    failures: Vec<String>,
}

struct Running {
    target: Arc<Target>,
    shown: Arc<Shown>,
    order: watch::Sender<Order>,
}

/// What others ask while the scraper runs. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    shown: Arc<Mutex<Vec<ShownPool>>>,
    config: watch::Sender<Arc<PrometheusConfig>>,
}

impl Handle {
    /// Takes a new configuration; loops whose part of it is the same go on undisturbed.
    pub fn apply(&self, config: &PrometheusConfig) {
        self.shared.counters.reloads.inc();
        self.config.send_replace(Arc::new(config.clone()));
    }

    /// All targets, job by job in the order of their names.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetStatus> {
        lock(&self.shown).iter().flat_map(ShownPool::statuses).collect()
    }

    /// What relabeling dropped, up to `keep_dropped_targets` a job.
    #[must_use]
    pub fn dropped(&self) -> Vec<DroppedTarget> {
        let pools = lock(&self.shown);
        let dropped = pools.iter().flat_map(|pool| {
            let dropped = |labels: &BTreeMap<_, _>| DroppedTarget {
                scrape_pool: pool.job.clone(),
                discovered_labels: labels.clone(),
            };
            pool.dropped.iter().map(dropped)
        });
        dropped.collect()
    }

    /// What each target says about a family, or about all of them.
    #[must_use]
    pub fn target_metadata(&self, metric: Option<&str>) -> Vec<TargetMetadata> {
        lock(&self.shown).iter().flat_map(|pool| pool.metadata(metric)).collect()
    }

    /// What the targets together say about a family, or about all of them; each different saying once.
    #[must_use]
    pub fn metadata(&self, metric: Option<&str>) -> BTreeMap<String, Vec<Metadata>> {
        let mut families: BTreeMap<String, Vec<Metadata>> = BTreeMap::new();
        for TargetMetadata { metric, metadata, .. } in self.target_metadata(metric) {
            let known = families.entry(metric).or_default();
            if !known.contains(&metadata) {
                known.push(metadata);
            }
        }
        families
    }

    /// How many targets relabeling dropped, job by job.
    #[must_use]
    pub fn dropped_counts(&self) -> BTreeMap<String, u64> {
        lock(&self.shown).iter().map(|pool| (pool.job.clone(), pool.dropped_count)).collect()
    }

    /// The jobs.
    #[must_use]
    pub fn pools(&self) -> Vec<String> {
        lock(&self.shown).iter().map(|pool| pool.job.clone()).collect()
    }

    /// The exemplars that targets have sent.
    #[must_use]
    pub fn exemplars(&self) -> Arc<Exemplars> {
        Arc::clone(&self.shared.exemplars)
    }

    /// What discovery counts.
    #[must_use]
    pub fn discovery_counters(&self) -> Arc<discovery::Counters> {
        Arc::clone(&self.shared.counters.discovery)
    }

    /// Name, help and value of every counter.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.shared.counters.rows()
    }
}

impl Scraper {
    /// A scraper without a target; [`Handle::apply`] gives it some.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self::with_clock(db, Arc::new(now_ms))
    }

    /// The same with a clock of the caller's.
    #[must_use]
    pub fn with_clock(db: Db, clock: Clock) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let seed = RandomState::new().hash_one(0);
        let shared = Shared {
            db,
            clock,
            counters: Default::default(),
            exemplars: Arc::default(),
            parsing: Semaphore::new(cores),
            seed,
        };
        let handle = Handle {
            shared: Arc::new(shared),
            shown: Arc::default(),
            config: watch::Sender::new(Arc::new(PrometheusConfig::default())),
        };
        let (pools, finder) = (BTreeMap::new(), Finder::default());
        Scraper { handle, pools, finder, loops: JoinSet::new(), end: watch::Sender::new(false) }
    }

    /// What others ask, and how new configurations come.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Scrapes until `shutdown` is true, and returns when every loop has ended.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut configs = self.handle.config.subscribe();
        let discovered = self.finder.changed();
        loop {
            let config = Arc::clone(&configs.borrow_and_update());
            self = self.synced(Arc::clone(&config)).await;
            tokio::select! {
                _ = configs.changed() => {}
                () = discovered.notified() => {}
                () = tokio::time::sleep(refresh(&config)) => {}
                _ = shutdown.wait_for(|ended| *ended) => break,
            }
            while self.loops.try_join_next().is_some() {}
        }
        self.end.send_replace(true);
        for running in self.pools.values().flat_map(|pool| pool.running.values()) {
            running.order.send_replace(Order::Shutdown);
        }
        while self.loops.join_next().await.is_some() {}
    }

    /// Brings loops and configuration together. Certificates and files of targets are read, off the threads that scrape.
    async fn synced(mut self, config: Arc<PrometheusConfig>) -> Self {
        let work = move || {
            self.sync(&config);
            self
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(scraper) => scraper,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime ends, and this task with it.
            Err(_) => std::future::pending().await,
        }
    }

    fn sync(&mut self, config: &PrometheusConfig) {
        let kept = |job: &String| config.scrape_configs.iter().any(|scrape| scrape.job_name == *job);
        self.pools.retain(|job, pool| {
            let stays = kept(job);
            if !stays {
                pool.remove_all();
            }
            stays
        });
        let mut shown = Vec::new();
        self.finder.begin();
        for scrape in &config.scrape_configs {
            let mut pool = match self.pools.remove(&scrape.job_name) {
                Some(pool) => pool.renewed(scrape),
                None => Pool::new(scrape),
            };
            shown.push(self.sync_pool(&mut pool, scrape));
            self.pools.insert(scrape.job_name.clone(), pool);
        }
        self.finder.end();
        shown.sort_by(|a, b| a.job.cmp(&b.job));
        *lock(&self.handle.shown) = shown;
    }

    fn sync_pool(&mut self, pool: &mut Pool, scrape: &ScrapeConfig) -> ShownPool {
        let counters = &self.handle.shared.counters;
        let mut shown = ShownPool { job: scrape.job_name.clone(), ..ShownPool::default() };
        let mut found = BTreeMap::new();
        let mut failures = Vec::new();
        for labels in self.finder.targets(&scrape.discovery, &counters.discovery) {
            match populate(labels, scrape) {
                Ok(Found::Active(target)) => drop(found.insert(target.key(), target)),
                Ok(Found::Dropped(labels)) => {
                    shown.dropped_count += 1;
                    let keep = scrape.keep_dropped_targets;
                    if keep == 0 || (shown.dropped.len() as u64) < keep {
                        shown.dropped.push(labels);
                    }
                }
                Err(error) => failures.push(error),
            }
        }
        pool.tell_failures(failures, counters);
        // Dropping the sender would end the loop as well, but not say why.
        pool.running.retain(|key, running| {
            let stays = found.contains_key(key);
            if !stays {
                running.order.send_replace(Order::Remove);
            }
            stays
        });
        *lock(&pool.forbidden) = pool.forbidden(found.len() as u64);
        for (key, target) in found {
            let running = pool.running.remove(&key).unwrap_or_else(|| self.start(pool, *target));
            shown.active.push((Arc::clone(&running.target), Arc::clone(&running.shown)));
            pool.running.insert(key, running);
        }
        if lock(&pool.forbidden).is_some() {
            self.handle.shared.counters.target_limit.inc();
        }
        shown
    }

    fn start(&mut self, pool: &Pool, target: Target) -> Running {
        let (order, receiver) = watch::channel(Order::Run);
        let running = Running { target: Arc::new(target), shown: Arc::default(), order };
        let scrape_loop = ScrapeLoop {
            shared: Arc::clone(&self.handle.shared),
            config: Arc::clone(&pool.config),
            target: Arc::clone(&running.target),
            client: pool.client.clone(),
            shown: Arc::clone(&running.shown),
            forbidden: Arc::clone(&pool.forbidden),
            order: receiver,
        };
        let mut end = self.end.subscribe();
        self.loops.spawn(async move {
            tokio::select! {
                () = scrape_loop.run() => {}
                // Loops of removed targets, which wait to mark their series, have no sender any more.
                _ = end.wait_for(|end| *end) => {}
            }
        });
        running
    }
}

impl Pool {
    fn new(scrape: &ScrapeConfig) -> Self {
        Pool {
            config: Arc::new(scrape.clone()),
            client: client(&scrape.http).map_err(|error| error.to_string()),
            forbidden: Arc::default(),
            running: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Keeps the loops where nothing changed but where targets come from.
    fn renewed(self, scrape: &ScrapeConfig) -> Self {
        if self.config.scrapes_as(scrape) {
            return Pool { config: Arc::new(scrape.clone()), ..self };
        }
        self.remove_all();
        Pool::new(scrape)
    }

    fn remove_all(&self) {
        for running in self.running.values() {
            running.order.send_replace(Order::Remove);
        }
    }

    /// Why nothing of the job may be scraped.
    fn forbidden(&self, targets: u64) -> Option<String> {
        let limit = self.config.target_limit;
        let over = limit > 0 && targets > limit;
        over.then(|| format!("target_limit exceeded: {targets} targets, the limit is {limit}"))
    }

    fn tell_failures(&mut self, failures: Vec<String>, counters: &super::counters::Counters) {
        if failures == self.failures {
            return;
        }
        counters.sync_failed.add(failures.len() as u64);
        for failure in &failures {
            tracing::warn!(job = %self.config.job_name, "a target cannot be scraped: {failure}");
        }
        self.failures = failures;
    }
}

/// When files are to be read again.
fn refresh(config: &PrometheusConfig) -> Duration {
    let discoveries = config.scrape_configs.iter().flat_map(|scrape| &scrape.discovery.file_sd_configs);
    let shortest =
        discoveries.map(|discovery| discovery.refresh_interval).min().unwrap_or(Duration::from_secs(3600));
    shortest.clamp(Duration::from_millis(100), REFRESH)
}
