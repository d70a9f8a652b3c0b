//! Speaks with a team's MLflow server over its REST API: trainings become runs and registered versions there, promotions
//! move the alias `champion`, and a model of the server is found and downloaded.
//!
//! What is told is read from the registry and the store, after a run has ended: nothing of it delays or fails a run, and
//! what a server that was away has missed is told when it is back.

mod connection;
mod directory;
pub mod download;
mod foreign;
pub mod reference;
mod report;
mod sender;
mod server;
mod watched;

use std::time::Duration;

pub use connection::Connection;
pub use sender::Sender;
pub use server::{CallError, Server};
pub use watched::{Status, Watched};

use crate::config::Config;
use crate::registry::Registry;
use crate::store::Store;

/// The alias of the version in production.
pub const CHAMPION: &str = "champion";
/// Longest time that a command gives to what it has to tell.
const COMMAND_BUDGET: Duration = Duration::from_secs(10);

/// The server of the environment or the configuration. What makes no sense there is logged and counts as none: a run does
/// not fail for it.
fn configured(config: &Config) -> Option<Connection> {
    Connection::of(config).unwrap_or_else(|error| {
        tracing::error!("MLflow is told nothing: {error:#}");
        None
    })
}

/// A version was trained or imported: it is to be told of, where a server is named. It costs one row.
pub async fn registered(config: &Config, store: &Store, name: &str, version: i64) {
    if configured(config).is_none() {
        return;
    }
    match store.mlflow_wait(name, version).await {
        Ok(0) => {}
        Ok(given_up) => tracing::error!("MLflow is not told of {given_up} versions: too many wait"),
        Err(error) => tracing::error!("MLflow is not told of version {version}: {error}"),
    }
}

/// Tells what a command has done, and gives up after ten seconds; a server that is up, or the next command, tells the rest.
pub async fn tell_within_budget(config: &Config, store: &Store, registry: &Registry) {
    let Some(connection) = configured(config) else { return };
    let telling = async {
        Sender::new(&connection, store, registry, &config.model.name)?.catch_up().await?;
        anyhow::Ok(())
    };
    let rest = "`streamflow up` or the next command tells the rest";
    match tokio::time::timeout(COMMAND_BUDGET, telling).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("MLflow was not told of everything; {rest}: {error:#}"),
        Err(_) => tracing::warn!("MLflow was not told of everything within {COMMAND_BUDGET:?}; {rest}"),
    }
}

#[cfg(test)]
mod tests;
