//! Serves what an MLflow server has in production: its version becomes the production version of the own registry.
//!
//! The same loop tells the server what is left to tell, so that a promotion that was made here goes there before what was
//! promoted there is taken.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::watch;

use super::{Request, import};
use crate::config::ModelSource;
use crate::mlflow::download::download;
use crate::mlflow::reference::{Found, Reference, tag};
use crate::mlflow::{Connection, Sender, Status, Watched};
use crate::store::models::By;
use crate::workspace::Workspace;

/// How often what is left is told.
const TELL_INTERVAL: Duration = Duration::from_secs(5);
/// How often the server is asked which model is to be served.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);
/// The decision threshold of a model for which nobody has said one.
const THRESHOLD: f64 = 0.5;
/// Who promotes what was promoted there.
const ACTOR: &str = "mlflow";

/// The model of a server that is served.
struct Follower {
    workspace: Workspace,
    connection: Connection,
    sender: Sender,
    /// What is followed; none where the own registry says what is served.
    reference: Option<Reference>,
    looked: Option<Instant>,
    /// The model that cannot be served; it is not tried again.
    refused: Option<(String, String)>,
}

/// Checks that what is to be served has a server and a name that makes sense.
///
/// # Errors
/// Those of [`Connection::of`]; `model.source` is `mlflow` and no server is named.
pub fn check(config: &crate::config::Config) -> anyhow::Result<()> {
    let connection = Connection::of(config)?;
    reference(config, connection.as_ref()).map(drop)
}

fn reference(
    config: &crate::config::Config,
    connection: Option<&Connection>,
) -> anyhow::Result<Option<Reference>> {
    if config.model.source == ModelSource::Local {
        return Ok(None);
    }
    let connection = connection.context(
        "model.source is \"mlflow\" and no server is named; set MLFLOW_TRACKING_URI or mlflow.tracking_uri to http://HOST:PORT",
    )?;
    connection.served(config).parse().map(Some).context("mlflow.serve")
}

/// Tells and follows until `shutdown`. Ends at once where no server is named.
pub async fn run(workspace: Workspace, watched: Watched, mut shutdown: watch::Receiver<bool>) {
    let mut follower = match Follower::new(workspace) {
        Ok(Some(follower)) => follower,
        Ok(None) => return,
        Err(error) => return tracing::error!("MLflow is neither told nor followed: {error:#}"),
    };
    let mut ticks = tokio::time::interval(TELL_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        let trouble = tokio::select! {
            worked = follower.work() => worked.err().map(|error| format!("{error:#}")),
            _ = shutdown.wait_for(|stop| *stop) => return,
        };
        watched.tell(follower.status(trouble).await);
    }
}

impl Follower {
    fn new(workspace: Workspace) -> anyhow::Result<Option<Self>> {
        let config = workspace.config.clone();
        let connection = Connection::of(&config)?;
        let reference = reference(&config, connection.as_ref())?;
        let Some(connection) = connection else { return Ok(None) };
        let sender = Sender::new(&connection, &workspace.store, &workspace.registry, &config.model.name)?;
        Ok(Some(Self { workspace, connection, sender, reference, looked: None, refused: None }))
    }

    async fn status(&self, trouble: Option<String>) -> Status {
        let follows = self.reference.as_ref().map(ToString::to_string);
        // A database that cannot be read is told of where it is needed.
        let backlog = self.workspace.store.mlflow_backlog().await.unwrap_or_default();
        Status { server: self.sender.server.shown(), backlog, follows, trouble }
    }

    async fn work(&mut self) -> anyhow::Result<()> {
        self.sender.catch_up().await?;
        let Some(reference) = &self.reference else { return Ok(()) };
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
            // What was refused stays a trouble between two looks.
            return self.refused.as_ref().map_or(Ok(()), |(_, reason)| Err(anyhow::anyhow!(reason.clone())));
        }
        let found = reference.resolve(&self.sender.server).await?;
        self.looked = Some(Instant::now());
        if let Some((identity, reason)) = &self.refused
            && *identity == found.identity
        {
            anyhow::bail!(reason.clone());
        }
        self.refused = None;
        let identity = found.identity.clone();
        let served = self.serve(found).await;
        if let Err(error) = &served
            && !is_lost(error)
        {
            self.refused = Some((identity, format!("{error:#}")));
        }
        served
    }

    /// Makes the version that stands for a model of the server the production version.
    async fn serve(&self, found: Found) -> anyhow::Result<()> {
        let Workspace { config, registry, store, .. } = &self.workspace;
        let name = &config.model.name;
        let version = match self.known(&found).await? {
            Some(version) => version,
            None => self.import(&found).await?,
        };
        let production = registry.production(name).await?.map(|production| production.version);
        if production != Some(version) {
            registry.promote(name, version, By { actor: ACTOR, run: None }).await?;
            tracing::info!("{} of MLflow is served as version {version} of {name}", found.identity);
        }
        Ok(store.set_mlflow_production(name, version).await?)
    }

    /// The version that was registered there from here, or imported from there before.
    async fn known(&self, found: &Found) -> anyhow::Result<Option<i64>> {
        let Workspace { config, registry, store, .. } = &self.workspace;
        let name = &config.model.name;
        let versions = registry.versions().await?;
        let of_name = || versions.iter().filter(|version| version.name == *name);
        if let Some((model, number)) = &found.version
            && self.connection.model == *model
            && let Some(version) = store.mlflow_version(name, number).await?
            && of_name().any(|known| known.version == version)
        {
            return Ok(Some(version));
        }
        let file = format!("{}/", found.identity);
        let is_of = |origin: &crate::store::models::Origin| origin.file.starts_with(&file);
        Ok(of_name()
            .find(|version| version.origin.as_ref().is_some_and(is_of))
            .map(|version| version.version))
    }

    async fn import(&self, found: &Found) -> anyhow::Result<i64> {
        let said = |tag: &str| found.tags.get(tag).map(|text| (text.as_str(), tag.to_owned()));
        let threshold = said(tag::THRESHOLD).map_or(Ok(THRESHOLD), |(text, tag)| {
            text.parse().with_context(|| {
                format!("{tag} of {} is {text:?}; expected a number from 0 to 1", found.identity)
            })
        })?;
        let trained_until = said(tag::SNAPSHOT).map(|(text, tag)| {
            let parsed = text.parse().map_err(|_| anyhow::anyhow!("it is no date or time"));
            parsed.with_context(|| {
                format!("{tag} of {} is {text:?}; expected YYYY-MM-DD or YYYY-MM-DDTHH:MM", found.identity)
            })
        });
        let file = download(&self.sender.server, found, &self.workspace.data_dir.join("mlflow")).await?;
        let request = Request {
            origin: format!("{}/{}", found.identity, file.name()),
            file,
            name: None,
            mapping: Vec::new(),
            trained_until: trained_until.transpose()?,
            trained_on: None,
            threshold,
        };
        Ok(import(request, &self.workspace).await?.version)
    }
}

/// Whether the server did not answer, so that the next look may fare better.
fn is_lost(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(crate::mlflow::CallError::Lost(_)))
}
