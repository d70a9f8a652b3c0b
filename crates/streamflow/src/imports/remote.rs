//! A model of an MLflow server that is served as a file: neither a dataset nor a registry is needed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use streamflow_inference::{Model, ReadOptions};
use tokio::sync::watch;

use crate::config::MlflowConfig;
use crate::mlflow::download::download;
use crate::mlflow::reference::Reference;
use crate::mlflow::{Connection, Server, Status, Watched};

/// How often the server is asked which model it is.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// A model of a server, and which one it was at the last look.
pub struct Remote {
    server: Server,
    reference: Reference,
    folder: PathBuf,
    /// Which model is served, or was refused.
    identity: String,
}

impl Remote {
    /// Finds the model that a text names and reads it; files are kept in `folder`.
    ///
    /// # Errors
    /// No server; a server, model or file that is of no use.
    pub async fn open(
        text: &str,
        settings: &MlflowConfig,
        folder: PathBuf,
    ) -> anyhow::Result<(Self, String, Model)> {
        let reference: Reference = text.parse()?;
        let connection = Connection::of_settings(settings, "model")?.with_context(|| {
            format!("{text} is a model of MLflow, and no server is named; set MLFLOW_TRACKING_URI to http://HOST:PORT")
        })?;
        let server = Server::new(&connection)?;
        let mut remote = Self { server, reference, folder, identity: String::new() };
        let (identity, model) = remote.look().await?.context("the first look finds a model")?;
        Ok((remote, identity, model))
    }

    /// The name by which the model is asked for.
    pub fn name(&self) -> &str {
        self.reference.name()
    }

    /// What the model is called and the model, where it is another one than at the last look.
    async fn look(&mut self) -> anyhow::Result<Option<(String, Model)>> {
        let found = self.reference.resolve(&self.server).await?;
        if found.identity == self.identity {
            return Ok(None);
        }
        let file = download(&self.server, &found, &self.folder).await?;
        self.identity = found.identity.clone();
        let model = tokio::task::spawn_blocking(move || file.model(ReadOptions::default())).await??;
        tracing::info!("serving {}", found.identity);
        Ok(Some((found.identity, model)))
    }

    /// Looks again every fifteen seconds until `shutdown`, and hands on what is another model. What is served goes on
    /// while the server is away or has what cannot be read.
    pub async fn follow(
        mut self,
        watched: Watched,
        replace: impl Fn(String, Model) + Send,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut trouble = None;
        loop {
            let follows = Some(self.reference.to_string());
            watched.tell(Status { server: self.server.shown(), backlog: 0, follows, trouble });
            tokio::select! {
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
            let looked = tokio::select! {
                looked = self.look() => looked,
                _ = shutdown.wait_for(|stop| *stop) => return,
            };
            trouble = looked.as_ref().err().map(|error| format!("{error:#}"));
            if let Ok(Some((identity, model))) = looked {
                replace(identity, model);
            }
        }
    }
}
