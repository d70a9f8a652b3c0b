//! The long-lived tasks of a server: started together, stopped in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use streamflow_dataset::Snapshot;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api;
use crate::config::Config;
use crate::registry::Registry;
use crate::serving::{OnlineFeatures, Served, Serving};
use crate::terminal::told_once;

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
    snapshots: Arc<streamflow_dataset::Store>,
    served: Served,
    loaded: Source,
}

impl Loader {
    pub fn new(
        config: Arc<Config>,
        registry: Registry,
        snapshots: Arc<streamflow_dataset::Store>,
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
    snapshots: &streamflow_dataset::Store,
    version: i64,
) -> anyhow::Result<Option<Serving>> {
    let Some((as_of, table)) = snapshots.online_features()? else { return Ok(None) };
    let model = registry.load(&config.model.name, version)?;
    let features = OnlineFeatures::for_model(&model, &table, &config.dataset.entity)?;
    Ok(Some(Serving {
        model,
        model_name: config.model.name.clone(),
        model_version: version.to_string(),
        as_of,
        entity_name: config.dataset.entity.clone(),
        features,
    }))
}

/// Takes the address, or says in one line why not.
pub async fn bind(settings: &api::Settings) -> anyhow::Result<TcpListener> {
    let address = settings.listen;
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another server running there? Choose another with --listen ADDR:PORT")
    })
}

/// Serves the prediction API on `listener` until `shutdown` says so, then drains.
pub async fn serve(
    listener: TcpListener,
    mut loader: Loader,
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
        loader.config.dataset.entity.clone(),
        loader.served.clone(),
    );
    let mut stop = shutdown.clone();
    let reloading = tokio::spawn(loader.run(shutdown));
    api::serve(listener, state, async move {
        // A sender that is gone stops the server as well.
        let _ = stop.wait_for(|stop| *stop).await;
    })
    .await?;
    reloading.await.context("the loader panicked")
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
