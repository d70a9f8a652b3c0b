//! Our own resources under `/api/streamflow/`: what the web console shows beside metrics, and what it may change.

mod data;
mod error;
mod models;
mod panels;
mod predict;
mod reports;
mod runs;
mod session;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::routing::{get, post};
use reqwest::Url;
use tokio::sync::Semaphore;

use super::Settings;
use super::auth::Auth;
use crate::config::Config;
use crate::registry::Registry;
use crate::reports::Folder;
use crate::store::Store;

pub use error::ResourceError;

/// What the handlers of the resources are given. Cloning is cheap.
#[derive(Clone)]
pub struct Resources(Arc<Inner>);

/// The parts of a running server that the resources read and change.
pub struct Parts {
    pub settings: Settings,
    pub auth: Arc<Auth>,
    pub config: Arc<Config>,
    pub data_dir: PathBuf,
    pub store: Store,
    pub registry: Registry,
    pub snapshots: Arc<streamflow_dataset::Snapshots>,
    pub reports: Folder,
    pub metrics: streamflow_prometheus::Handle,
    /// Where the prediction API of this process answers.
    pub api_url: Url,
}

struct Inner {
    parts: Parts,
    client: reqwest::Client,
    started: Instant,
    /// Comparisons take all cores: one at a time.
    comparisons: Semaphore,
    distributions: predict::Cache,
}

impl Resources {
    pub fn new(parts: Parts) -> anyhow::Result<Self> {
        let client = streamflow_outbound::client_of(&parts.api_url)
            .timeout(std::time::Duration::from_secs(10))
            .no_proxy()
            .build()?;
        Ok(Self(Arc::new(Inner {
            parts,
            client,
            started: Instant::now(),
            comparisons: Semaphore::new(1),
            distributions: predict::Cache::default(),
        })))
    }
}

/// All resources. Who may ask for what is the guard's affair, in the router above this one.
pub fn router(resources: Resources) -> Router {
    Router::new()
        .route("/api/streamflow/session", get(session::session))
        .route("/api/streamflow/login", post(session::log_in))
        .route("/api/streamflow/logout", post(session::log_out))
        .route("/api/streamflow/panels", get(panels::panels))
        .route("/api/streamflow/reports", get(reports::list).post(reports::compare))
        .route("/api/streamflow/reports/{name}", get(reports::json))
        .route("/reports/{file}", get(reports::html))
        .route("/api/streamflow/models", get(models::list))
        .route("/api/streamflow/models/promote", post(models::promote))
        .route("/api/streamflow/models/rollback", post(models::rollback))
        .route("/api/streamflow/snapshots", get(data::snapshots))
        .route("/api/streamflow/runs", get(runs::list))
        .route("/api/streamflow/runs/{id}", get(runs::run))
        .route("/api/streamflow/predict", post(predict::predict))
        .route("/api/streamflow/status", get(status::status))
        .with_state(resources)
}
