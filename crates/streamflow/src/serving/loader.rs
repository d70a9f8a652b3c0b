//! Keeps what is served up to date: the production model and the newest snapshot.

use std::sync::Arc;
use std::time::Duration;

use streamflow_dataset::Snapshot;
use tokio::sync::watch;

use super::follow::Follower;
use super::{OnlineFeatures, Served, Serving};
use crate::drift::task_of;
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How often the registry and the snapshots are looked at for something newer to serve.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// What a serving state is made from; another value means that there is something newer.
#[derive(Debug, Clone, PartialEq, Default)]
struct Inputs {
    version: Option<i64>,
    snapshots: Vec<Snapshot>,
}

/// Puts the production model and the newest snapshot in place, and again whenever either changes.
pub struct Loader {
    workspace: Workspace,
    served: Served,
    loaded: Inputs,
    canary: Follower,
}

impl Loader {
    /// A loader that has not loaded anything yet.
    pub fn new(workspace: Workspace) -> Self {
        let canary = Follower::new(workspace.clone());
        Self { workspace, served: Served::default(), loaded: Inputs::default(), canary }
    }

    /// What is served, kept up to date while the loader runs.
    pub fn served(&self) -> Served {
        self.served.clone()
    }

    /// Loads what is newest when it is not what is served already. On an error the old keeps being served, and the
    /// same inputs are not tried again.
    pub async fn refresh(&mut self) -> anyhow::Result<()> {
        let name = &self.workspace.config.model.name;
        let production = self.workspace.registry.production(name).await?;
        let version = production.as_ref().map(|production| production.version);
        let snapshots = self.workspace.snapshots.clone();
        let snapshots = tokio::task::spawn_blocking(move || snapshots.snapshots()).await??;
        let inputs = Inputs { version, snapshots };
        if inputs == self.loaded {
            if let Some(serving) = self.served.load_full() {
                self.canary.follow(&serving, None).await;
            }
            return Ok(());
        }
        self.loaded = inputs;
        let Some(version) = version else { return Ok(()) };
        if let Some(production) = &production {
            production.check_task(task_of(&self.workspace.config.dataset.label))?;
        }
        if let Some(serving) = serving(&self.workspace, version).await? {
            tracing::info!(model = %name, version, as_of = %serving.as_of, "serving");
            let serving = Arc::new(serving);
            // Before it answers: whose entities a canary has does not change with a snapshot.
            self.canary.follow(&serving, self.served.load_full()).await;
            self.served.store(Some(serving));
        }
        Ok(())
    }

    /// Refreshes every second until `shutdown`.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(RELOAD_INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
            if let Err(error) = self.refresh().await {
                tracing::error!(
                    "cannot load the newest model and features; the old ones stay: {}",
                    one_line(&error)
                );
            }
        }
        if let Some(serving) = self.served.load_full() {
            self.canary.keep_counts(&serving).await;
        }
    }
}

/// The model with the newest features; none before the first month is ingested.
async fn serving(workspace: &Workspace, version: i64) -> anyhow::Result<Option<Serving>> {
    let snapshots = workspace.snapshots.clone();
    let newest = tokio::task::spawn_blocking(move || snapshots.online_features()).await??;
    let Some((as_of, table)) = newest else { return Ok(None) };
    let model_name = workspace.config.model.name.clone();
    let key = workspace.config.dataset.entity.clone();
    let model = workspace.registry.load(&model_name, version).await?;
    let packed = tokio::task::spawn_blocking(move || {
        let features = Arc::new(OnlineFeatures::for_model(&model, table, &key)?);
        let (model_version, canary) = (version.to_string(), None.into());
        anyhow::Ok(Serving { model, model_name, model_version, as_of, key, features, canary })
    });
    Ok(Some(packed.await??))
}
