//! The long-lived tasks of a server: started together, stopped in order.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use streamflow_dataset::Snapshot;
use streamflow_prometheus::Server;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::metrics_engine::{self, OwnTargets};
use crate::monitoring::Watcher;
use crate::registry::Registry;
use crate::reports::Folder;
use crate::serving::{OnlineFeatures, Served, Serving};
use crate::store::Store;
use crate::terminal::told_once;
use crate::{api, console, server};

/// How often the registry and the snapshots are looked at for something newer to serve.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// What the serving state was made from; another value means that there is something newer.
#[derive(Debug, Clone, PartialEq, Default)]
struct Source {
    version: Option<i64>,
    snapshots: Vec<Snapshot>,
}

/// Puts the production model and the newest snapshot into `served`, and again whenever either changes.
pub struct Loader {
    config: Arc<Config>,
    registry: Registry,
    snapshots: Arc<streamflow_dataset::Snapshots>,
    served: Served,
    loaded: Source,
}

impl Loader {
    pub fn new(
        config: Arc<Config>,
        registry: Registry,
        snapshots: Arc<streamflow_dataset::Snapshots>,
        served: Served,
    ) -> Self {
        Self { config, registry, snapshots, served, loaded: Source::default() }
    }

    /// Loads what is newest when it is not what is served already. On an error the old keeps being served, and the
    /// same source is not tried again.
    pub async fn refresh(&mut self) -> anyhow::Result<()> {
        let name = &self.config.model.name;
        let version = self.registry.production(name).await?.map(|production| production.version);
        let snapshots = self.snapshots.clone();
        let source =
            Source { version, snapshots: tokio::task::spawn_blocking(move || snapshots.snapshots()).await?? };
        if source == self.loaded {
            return Ok(());
        }
        self.loaded = source.clone();
        let Some(version) = source.version else { return Ok(()) };
        let (config, registry, snapshots) =
            (self.config.clone(), self.registry.clone(), self.snapshots.clone());
        let serving = tokio::task::spawn_blocking(move || serving(&config, &registry, &snapshots, version));
        if let Some(serving) = serving.await?? {
            tracing::info!(model = %name, version, as_of = %serving.as_of, "serving");
            self.served.store(Some(Arc::new(serving)));
        }
        Ok(())
    }

    async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(RELOAD_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            if let Err(error) = self.refresh().await {
                tracing::error!(
                    "cannot load the newest model and features; the old ones stay: {}",
                    told_once(&error)
                );
            }
        }
    }
}

/// The model with the newest features; none before the first month is ingested.
fn serving(
    config: &Config,
    registry: &Registry,
    snapshots: &streamflow_dataset::Snapshots,
    version: i64,
) -> anyhow::Result<Option<Serving>> {
    let Some((as_of, table)) = snapshots.online_features()? else { return Ok(None) };
    let model = registry.load(&config.model.name, version)?;
    let features = OnlineFeatures::for_model(&model, &table, config.dataset.entity.column())?;
    Ok(Some(Serving {
        model,
        model_name: config.model.name.clone(),
        model_version: version.to_string(),
        as_of,
        entity_name: config.dataset.entity.to_string(),
        features,
    }))
}

/// Takes the address, or says in one line why not. `flag` is what chooses another.
pub async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another server running there? Choose another with {flag} ADDR:PORT")
    })
}

/// Serves the prediction API on `listener` until `shutdown` says so, then drains.
pub async fn serve(
    listener: TcpListener,
    mut loader: Loader,
    watcher: Watcher,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    if let Err(error) = loader.refresh().await {
        tracing::error!(
            "cannot load the model and features; answering 503 until that is mended: {}",
            told_once(&error)
        );
    } else if loader.served.load().is_none() {
        tracing::warn!(
            "no model or no snapshot yet: answering 503 until `streamflow ingest` and `streamflow train` have run"
        );
    }
    let state = api::ApiState::new(
        loader.config.api.clone(),
        loader.config.dataset.entity.to_string(),
        loader.served.clone(),
        watcher.numbers(),
    );
    let mut stop = shutdown.clone();
    let watching = tokio::spawn(watcher.run(shutdown.clone()));
    let reloading = tokio::spawn(loader.run(shutdown));
    api::serve(listener, state, async move {
        // A sender that is gone stops the server as well.
        let _ = stop.wait_for(|stop| *stop).await;
    })
    .await?;
    watching.await.context("the watcher of reports panicked")?;
    reloading.await.context("the loader panicked")
}

/// The two addresses of a whole server, taken before anything else so that a port in use costs nothing.
pub struct Listeners {
    api: TcpListener,
    console: TcpListener,
}

impl Listeners {
    /// Takes both addresses. `insecure` allows a console that the network reaches and nobody has to log in to.
    pub async fn bind(config: &Config, insecure: bool) -> anyhow::Result<Self> {
        let address = config.console.listen;
        let is_open = !console::Auth::of(&config.console)?.is_required();
        if is_open && !address.ip().is_loopback() && !insecure {
            bail!(
                "the console would be open to the network on {address} and nobody would have to log in; name users under \
                 [console.users] (`streamflow hash-password`), set STREAMFLOW_API_TOKENS, listen on 127.0.0.1, or say \
                 --insecure when something in front of it asks for credentials"
            );
        }
        Ok(Self {
            api: bind(config.api.listen, "--listen").await?,
            console: bind(address, "--console").await?,
        })
    }

    /// The URLs of the prediction API and of the console, as this machine reaches them.
    pub fn urls(&self, config: &Config) -> anyhow::Result<(Url, Url)> {
        let api = reachable(self.api.local_addr()?);
        let console = reachable(self.console.local_addr()?);
        let prefix = &config.console.path_prefix;
        Ok((format!("http://{api}/").parse()?, format!("http://{console}{prefix}/").parse()?))
    }
}

/// An address that listens on all interfaces is reached on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}

/// What a whole server works on.
pub struct Everything {
    pub config: Arc<Config>,
    pub data_dir: PathBuf,
    pub report_dir: PathBuf,
    pub store: Store,
    pub registry: Registry,
    pub snapshots: Arc<streamflow_dataset::Snapshots>,
}

/// Starts the prediction API, the metrics engine and the console; the task ends when all have stopped, in the order
/// that loses nothing: requests are drained first, then what scrapes and evaluates, then the sample store is closed.
pub async fn up(
    listeners: Listeners,
    everything: Everything,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (api_url, console_url) = listeners.urls(&everything.config)?;
    let Everything { config, data_dir, report_dir, store, registry, snapshots } = everything;
    let reports = Folder::new(report_dir);
    let auth = console::Auth::of(&config.console)?;
    let dir = data_dir.join("metrics");
    let own = OwnTargets {
        api: api_url.clone(),
        console: console_url,
        console_token: auth.internal_token().map(str::to_owned),
    };
    let metrics = Server::open(metrics_engine::settings(&config, dir, own)?).await?;
    let resources = console::Resources::new(console::Parts {
        settings: config.console.clone(),
        auth: auth.clone(),
        config: config.clone(),
        data_dir,
        store: store.clone(),
        registry: registry.clone(),
        snapshots: snapshots.clone(),
        reports: reports.clone(),
        metrics: metrics.handle(),
        api_url,
    })?;
    let plane = console::router(&config.console, auth, metrics.handle().router(), resources);
    let loader = Loader::new(config.clone(), registry, snapshots, Served::default());
    let watcher = Watcher::new(reports, store);

    let api = tokio::spawn(serve(listeners.api, loader, watcher, shutdown.clone()));
    let mut stop = shutdown.clone();
    let limits = config.console.limits();
    let console = tokio::spawn(server::serve(listeners.console, plane, limits, async move {
        // A sender that is gone stops the server as well.
        let _ = stop.wait_for(|stop| *stop).await;
    }));
    let measuring = tokio::spawn(metrics.run(shutdown));
    Ok(tokio::spawn(async move {
        api.await.context("the prediction API panicked")??;
        console.await.context("the console panicked")??;
        Ok(measuring.await.context("the metrics engine panicked")??)
    }))
}

/// Becomes true at the first SIGINT or SIGTERM.
pub fn shutdown_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: finishing the requests in flight");
        sender.send_replace(true);
    });
    Ok(receiver)
}
