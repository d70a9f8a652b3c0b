//! The long-lived tasks of a server: started together, stopped in order.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use streamflow_dataset::Snapshots;
use streamflow_prometheus::Server;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::canary::Counting;
use crate::api::features_from;
use crate::api::labels::Desk;
use crate::api::logged::Logging;
use crate::api::observed::Observers;
use crate::api::shadow::{self, Shadow};
use crate::api::{self, ApiState, FileModel};
use crate::config::{ApiConfig, Config, TlsConfig};
use crate::console::{self, Auth, ResourceParts, Resources};
use crate::drift::task_of;
use crate::drift::watcher::Watcher;
use crate::flows::later::Repeated;
use crate::flows::runner::{Runner, Wake};
use crate::flows::{catalog, monitor_month};
use crate::imports;
use crate::imports::remote::Remote;
use crate::live::{Live, Watch};
use crate::metrics_engine::{self, OwnTarget, OwnTargets};
use crate::notify::Outbox;
use crate::predictions::{self, Naming, Window, Writing};
use crate::prefect;
use crate::server::{self, Listening, Tls};
use crate::serving::Loader;
use crate::store::Store;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// Requests that are taken from the poller at once: fewer than are answered before it is asked again, or the queues of the
/// threads overflow.
const EVENTS_AT_ONCE: usize = 24;

/// How often kept answers are measured: all of a week are read for it.
const MEASURE_EVERY: Duration = Duration::from_secs(600);

/// Requests answered between two looks at the queue that all threads share.
const SHARED_QUEUE_INTERVAL: u32 = 1;

/// What runs a server. Under more connections than the processors keep up with, requests wait at the poller in the order
/// in which they came, where the measured wait is everybody's: more of them at once would overflow the queues of the
/// threads into the one that all share, and as long as that were looked at seldom, some would wait for seconds.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .max_io_events_per_tick(EVENTS_AT_ONCE)
        .global_queue_interval(SHARED_QUEUE_INTERVAL)
        .build()
}

/// The address of a plane.
pub struct Plane {
    listener: TcpListener,
    is_encrypted: bool,
    /// Where this process asks itself, when the plane is encrypted: it need not trust its own certificate, nor have one
    /// of a client.
    own: Option<TcpListener>,
    /// Where the prediction plane answers over gRPC, when it does.
    grpc: Option<TcpListener>,
}

impl Plane {
    /// Takes the address, or says in one line why not. `flag` is what chooses another.
    pub async fn bind(address: SocketAddr, tls: Option<&TlsConfig>, flag: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}: is another server running there? Choose another with {flag} ADDR:PORT")
        })?;
        Ok(Self { listener, is_encrypted: tls.is_some(), own: None, grpc: None })
    }

    /// The prediction plane: its address, and the one of gRPC where there is one.
    pub async fn of_predictions(config: &ApiConfig) -> anyhow::Result<Self> {
        let mut plane = Self::bind(config.listen, config.tls.as_ref(), "--listen").await?;
        if let Some(address) = config.grpc_listen {
            plane.grpc = Some(Self::bind(address, None, "--grpc-listen").await?.listener);
        }
        Ok(plane)
    }

    /// A line with the address of gRPC, after a line break; nothing where there is none.
    pub fn grpc_line(&self) -> anyhow::Result<String> {
        let Some(grpc) = &self.grpc else { return Ok(String::new()) };
        Ok(format!("\ngRPC on {}", reachable(grpc.local_addr()?)))
    }

    async fn with_own(mut self) -> anyhow::Result<Self> {
        if self.is_encrypted {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            self.own = Some(listener.context("cannot listen on a free port of 127.0.0.1")?);
        }
        Ok(self)
    }

    /// The URL as this machine reaches it.
    pub fn url(&self) -> anyhow::Result<Url> {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        Ok(format!("{scheme}://{}/", reachable(self.listener.local_addr()?)).parse()?)
    }

    /// The URL at which this process asks itself.
    fn own_url(&self) -> anyhow::Result<Url> {
        match &self.own {
            Some(own) => Ok(format!("http://{}/", own.local_addr()?).parse()?),
            None => self.url(),
        }
    }
}

/// Serves the prediction API on its plane until `shutdown` says so, then drains.
pub async fn serve(
    plane: Plane,
    workspace: Workspace,
    live: Live,
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
    let (followed, measured, shadowed) = (workspace.clone(), workspace.clone(), workspace.clone());
    let in_bucket = workspace.clone();
    let Workspace { config, store, reports, data_dir, snapshots, .. } = workspace;
    let (asked, answering) = (store.clone(), store.clone());
    let ages = catalog::success_ages(&config)?;
    let labels = (store.clone(), snapshots);
    let watcher = Watcher::new(reports, store, monitor_month::FLOW.name, config.model.name.clone());
    let watcher = watcher.with_success_ages(ages);
    let key = config.dataset.entity.clone();
    let state = ApiState::new(config.api.clone(), key, loader.served(), watcher.status());
    let mut observers = Observers::default();
    if config.live.enabled {
        observers.push(Arc::new(live.clone()));
    }
    let logging = log_of(&config, &data_dir, labels, &state, &mut observers)?;
    let shadow = Shadow::start(config.serve.shadow_cpu_share)?;
    state.watch_shadow(shadow.clone());
    if let Some(storage) = &followed.storage {
        state.watch_bucket(storage.bucket().counts().clone());
    }
    observers.push(shadow.clone());
    observers.push(Arc::new(Counting));
    state.tell(observers);
    let intake = features_from::start(&followed, &state, loader.served()).await?;
    let pushing = intake.map(|intake| (intake, shutdown.clone()));
    let pushing = pushing.map(|(intake, shutdown)| tokio::spawn(async move { intake.run(shutdown).await }));
    state.show_live(live.clone());
    state.watch_store(asked);
    let answering = tokio::spawn(answering.look_after(shutdown.clone()));
    let looking = Watch::new(followed.clone(), loader.served(), live)?;
    // The last minute ends when the last request is answered.
    let (answered, is_answered) = watch::channel(false);
    let looking = tokio::spawn(looking.run(is_answered));
    let shadowing = tokio::spawn(shadow::follow(shadowed, shadow, shutdown.clone()));
    let watching = tokio::spawn(watcher.run(shutdown.clone()));
    let bringing = tokio::spawn(follow_bucket(in_bucket, shutdown.clone()));
    let following = tokio::spawn(imports::mlflow::run(followed, state.mlflow(), shutdown.clone()));
    let reloading = tokio::spawn(loader.run(shutdown.clone()));
    let measuring =
        logging.is_some().then(|| tokio::spawn(measure_answers(measured, state.clone(), shutdown.clone())));
    let Plane { listener, own, grpc, .. } = plane;
    let own = own.map(|own| tokio::spawn(api::serve_own(own, state.clone(), stopped(shutdown.clone()))));
    answer_all(listener, grpc, state, shutdown).await?;
    if let Some(own) = own {
        own.await.context("the prediction API's own listener panicked")??;
    }
    answered.send_replace(true);
    shadowing.await.context("what follows the shadow panicked")?;
    if let Some(measuring) = measuring {
        measuring.await.context("what measures kept answers panicked")?;
    }
    if let Some(pushing) = pushing {
        pushing.await.context("what follows pushed features panicked")?;
    }
    if let Some(logging) = logging {
        tokio::task::spawn_blocking(|| logging.end()).await.context("the log of predictions panicked")?;
    }
    looking.await.context("what looks at live traffic panicked")?;
    bringing.await.context("what follows the bucket panicked")?;
    watching.await.context("the watcher of reports panicked")?;
    following.await.context("what speaks with MLflow panicked")?;
    answering.await.context("what looks after the database panicked")?;
    reloading.await.context("the loader panicked")
}

/// Brings what a bucket has before a server starts. Where it does not answer, the server serves what is here.
pub async fn bring(workspace: &Workspace) {
    let Some(storage) = &workspace.storage else { return };
    match workspace.pull().await {
        Ok(pulled) => tracing::info!(
            bucket = %storage.location(),
            months = pulled.months.len(),
            versions = pulled.versions.len(),
            "the working copy is up to date"
        ),
        Err(error) => tracing::error!("serving what is here until this is mended: {}", one_line(&error)),
    }
}

/// Looks in the bucket of the data directory for something newer, and sends what has come together here, until `shutdown`
/// says so.
async fn follow_bucket(workspace: Workspace, mut shutdown: watch::Receiver<bool>) {
    if workspace.storage.is_none() {
        return;
    }
    let every = Duration::from_secs(workspace.config.storage.refresh_seconds.get());
    let mut told: Option<String> = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        let ended = async {
            workspace.pull().await?;
            workspace.send_files(false).await
        };
        let fault = ended.await.err().map(|error| one_line(&error));
        // What lasts is told once.
        match (&fault, &told) {
            (Some(fault), told) if told.as_ref() != Some(fault) => {
                tracing::error!("the bucket cannot be followed, what is here stays: {fault}");
            }
            (None, Some(_)) => tracing::info!("the bucket is followed again"),
            _ => {}
        }
        told = fault;
    }
}

/// Tells in the metrics how right the answers of the last week were, until `shutdown` says so.
async fn measure_answers(workspace: Workspace, state: ApiState, shutdown: watch::Receiver<bool>) {
    const WEEK_US: i64 = 7 * 24 * 3_600_000_000;
    let (mut is_told, mut repeated) = (false, Repeated::default());
    loop {
        let from_us = jiff::Timestamp::now().as_microsecond() - WEEK_US;
        match repeated.measure(&workspace, Window { from_us, to_us: i64::MAX }).await {
            Ok(found) => state.tell_of_answers(found.clone()),
            Err(error) if !is_told => {
                tracing::warn!("how right kept answers were is not told: {}", one_line(&error));
                is_told = true;
            }
            Err(_) => {}
        }
        if tokio::time::timeout(MEASURE_EVERY, stopped(shutdown.clone())).await.is_ok() {
            return;
        }
    }
}

/// The log of predictions, where the configuration has one; the handle writes what waits in the end.
fn log_of(
    config: &Config,
    data_dir: &Path,
    (store, snapshots): (Store, Arc<Snapshots>),
    state: &ApiState,
    observers: &mut Observers,
) -> anyhow::Result<Option<Writing>> {
    if !config.log.enabled {
        return Ok(None);
    }
    let naming = Naming::of(config.log.entity)?;
    let (sink, writing) = predictions::open(&predictions::folder(data_dir), &config.log)?;
    state.watch_log(sink.clone());
    let task = task_of(&config.dataset.label);
    let classes = config.dataset.label.class_names();
    state.take_labels(Desk { store, task, classes, naming: naming.clone(), snapshots });
    observers.push(Arc::new(Logging::new(sink, naming, config.log.share)));
    Ok(Some(writing))
}

/// Serves model files on their plane until `shutdown` says so, then drains. MLflow servers are asked again for those that
/// come from them.
pub async fn serve_files(
    plane: Plane,
    state: ApiState,
    remotes: Vec<Remote>,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let follow = |remote: Remote| {
        let (name, of_plane) = (remote.name().to_owned(), state.clone());
        let replace = move |identity, model| of_plane.replace_file(&name, FileModel::new(identity, model));
        tokio::spawn(remote.follow(state.mlflow(), replace, shutdown.clone()))
    };
    let following: Vec<_> = remotes.into_iter().map(follow).collect();
    answer_all(plane.listener, plane.grpc, state, shutdown).await?;
    for followed in following {
        followed.await.context("what speaks with MLflow panicked")?;
    }
    Ok(())
}

/// Answers requests for predictions, over gRPC too where there is a listener.
async fn answer_all(
    listener: TcpListener,
    grpc: Option<TcpListener>,
    state: ApiState,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let grpc = grpc.map(|grpc| tokio::spawn(api::serve_grpc(grpc, state.clone(), stopped(shutdown.clone()))));
    api::serve(listener, state, stopped(shutdown)).await?;
    match grpc {
        Some(grpc) => grpc.await.context("the prediction API's gRPC panicked")?,
        None => Ok(()),
    }
}

/// The two addresses of a whole server, taken before anything else so that a port in use costs nothing.
pub struct Listeners {
    api: Plane,
    console: Plane,
}

impl Listeners {
    /// Takes both addresses. `insecure` allows a console that the network reaches and nobody has to log in to.
    pub async fn bind(config: &Config, insecure: bool) -> anyhow::Result<Self> {
        let address = config.console.listen;
        let asks_certificates = config.console.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        let is_open = !asks_certificates && !Auth::of(&config.console)?.is_required();
        if is_open && !address.ip().is_loopback() && !insecure {
            bail!(
                "the console would be open to the network on {address} and nobody would have to log in; name users under \
                 [console.users] (`streamflow hash-password`), set STREAMFLOW_API_TOKENS, listen on 127.0.0.1, or say \
                 --insecure when something in front of it asks for credentials"
            );
        }
        Ok(Self {
            api: Plane::of_predictions(&config.api).await?.with_own().await?,
            console: Plane::bind(address, config.console.tls.as_ref(), "--console").await?.with_own().await?,
        })
    }

    /// As [`Plane::grpc_line`].
    pub fn grpc_line(&self) -> anyhow::Result<String> {
        self.api.grpc_line()
    }

    /// The URLs of the prediction API and of the console, as this machine reaches them.
    pub fn urls(&self, config: &Config) -> anyhow::Result<(Url, Url)> {
        Ok((self.api.url()?, below(&self.console.url()?, config)?))
    }
}

/// The console below its path prefix.
fn below(console: &Url, config: &Config) -> anyhow::Result<Url> {
    Ok(console.join(&format!("{}/", config.console.path_prefix))?)
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
    metrics_dir: PathBuf,
    shutdown: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let config = workspace.config.clone();
    let (api_url, console_url) = listeners.urls(&config)?;
    catalog::check(&config)?;
    let auth = Auth::of(&config.console)?;
    auth.keep_sessions_in(workspace.store.clone());
    let own_api_url = listeners.api.own_url()?;
    let own_token: Arc<str> = auth.own_token().into();
    let own = OwnTargets {
        api: OwnTarget { url: api_url, asked_at: own_api_url.clone(), token: api::own_key().to_owned() },
        console: OwnTarget {
            url: console_url,
            asked_at: below(&listeners.console.own_url()?, &config)?,
            token: own_token.to_string(),
        },
    };
    let metrics = Server::open(metrics_engine::settings(&config, metrics_dir, own)?).await?;
    let wake = Wake::default();
    let live = Live::default();
    let resources = Resources::new(ResourceParts {
        workspace: workspace.clone(),
        live: live.clone(),
        auth: auth.clone(),
        metrics: metrics.handle(),
        api_url: own_api_url,
        own_key: api::own_key(),
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

    let api = tokio::spawn(serve(listeners.api, workspace, live, shutdown.clone()));
    let tls = config.console.tls.as_ref().map(|files| Tls::open(files.into())).transpose()?;
    let listening = Listening { tls, ..Listening::new(listeners.console.listener, limits) };
    let own = listeners.console.own.map(|own| {
        let plane = plane.clone();
        let answer = move |request| server::answer_own(plane.clone(), own_token.clone(), request);
        tokio::spawn(server::serve(Listening::new(own, limits), answer, stopped(shutdown.clone())))
    });
    let answer = move |request| server::answer(plane.clone(), request);
    let console = tokio::spawn(server::serve(listening, answer, stopped(shutdown.clone())));
    let measuring = tokio::spawn(metrics.run(shutdown));
    Ok(tokio::spawn(async move {
        api.await.context("the prediction API panicked")??;
        console.await.context("the console panicked")??;
        running.await.context("the runner of flows panicked")?;
        if let Some(own) = own {
            own.await.context("the console's own listener panicked")??;
        }
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
