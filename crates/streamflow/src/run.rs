//! The long-lived tasks of a server: started together, stopped in order.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, bail};
use reqwest::Url;
use streamflow_prometheus::Server;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::{self, ApiState};
use crate::config::Config;
use crate::console::{self, Auth, ResourceParts, Resources};
use crate::drift::watcher::Watcher;
use crate::flows::runner::{Runner, Wake};
use crate::flows::{catalog, monitor_month};
use crate::metrics_engine::{self, OwnTargets};
use crate::notify::Outbox;
use crate::prefect;
use crate::server;
use crate::serving::Loader;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// Takes the address, or says in one line why not. `flag` is what chooses another.
pub async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another server running there? Choose another with {flag} ADDR:PORT")
    })
}

/// Serves the prediction API on `listener` until `shutdown` says so, then drains.
pub async fn serve(
    listener: TcpListener,
    workspace: Workspace,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut loader = Loader::new(workspace.clone());
    if let Err(error) = loader.refresh().await {
        tracing::error!(
            "cannot load the model and features; answering 503 until that is mended: {}",
            one_line(&error)
        );
    } else if loader.served().load().is_none() {
        tracing::warn!(
            "no model or no snapshot yet: answering 503 until `streamflow ingest` and `streamflow train` have run"
        );
    }
    let Workspace { config, store, reports, .. } = workspace;
    let watcher = Watcher::new(reports, store, monitor_month::FLOW.name, config.model.name.clone());
    let entity = config.dataset.entity.to_string();
    let state = ApiState::new(config.api.clone(), entity, loader.served(), watcher.status());
    let watching = tokio::spawn(watcher.run(shutdown.clone()));
    let reloading = tokio::spawn(loader.run(shutdown.clone()));
    api::serve(listener, state, stopped(shutdown)).await?;
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
        let is_open = !Auth::of(&config.console)?.is_required();
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

/// Starts the prediction API, the metrics engine and the console; the task ends when all have stopped, in the order
/// that loses nothing: requests are drained first, then what scrapes and evaluates, then the sample store is closed.
pub async fn up(
    listeners: Listeners,
    workspace: Workspace,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let config = workspace.config.clone();
    let (api_url, console_url) = listeners.urls(&config)?;
    catalog::check(&config)?;
    let auth = Auth::of(&config.console)?;
    let dir = workspace.data_dir.join("metrics");
    let own = OwnTargets {
        api: api_url.clone(),
        console: console_url,
        console_token: auth.internal_token().map(str::to_owned),
    };
    let metrics = Server::open(metrics_engine::settings(&config, dir, own)?).await?;
    let wake = Wake::default();
    let resources = Resources::new(ResourceParts {
        workspace: workspace.clone(),
        auth: auth.clone(),
        metrics: metrics.handle(),
        api_url,
        wake: wake.clone(),
    })?;
    let runner = Runner::new(workspace.clone(), wake, Some(metrics.handle()));
    let outbox = Outbox::new(&workspace.store, &config);
    // What this server finds, such as runs of a process that was killed, is told.
    outbox.begin().await;
    let running = tokio::spawn(runner.run(shutdown.clone()));
    let telling = tokio::spawn(outbox.run(shutdown.clone()));
    let mirroring = tokio::spawn(prefect::tell_what_is_left(workspace.store.clone(), shutdown.clone()));
    let plane = console::router(&config.console, auth, metrics.handle().router(), resources);
    let limits = console::connection_limits(&config.console);

    let api = tokio::spawn(serve(listeners.api, workspace, shutdown.clone()));
    let console = tokio::spawn(server::serve(listeners.console, plane, limits, stopped(shutdown.clone())));
    let measuring = tokio::spawn(metrics.run(shutdown));
    Ok(tokio::spawn(async move {
        api.await.context("the prediction API panicked")??;
        console.await.context("the console panicked")??;
        running.await.context("the runner of flows panicked")?;
        telling.await.context("the sender of notifications panicked")?;
        mirroring.await.context("the sender of runs to Prefect panicked")?;
        Ok(measuring.await.context("the metrics engine panicked")??)
    }))
}

/// Resolves when `shutdown` says so.
async fn stopped(mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone stops the server as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
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
