//! Our own resources under `/api/streamflow/`: what the web console shows beside metrics, and what it may change.

mod annotations;
mod audit;
mod data;
mod document;
mod error;
mod extract;
mod flows;
mod live;
mod models;
mod panels;
mod performance;
mod predict;
mod reports;
mod runs;
mod session;
mod status;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::routing::{MethodRouter, get, post};
use reqwest::Url;
use streamflow_outbound::client_of;
use tokio::sync::Semaphore;

use super::auth::Auth;
use super::openapi;
use super::rights::{Access, Right, Route};
use crate::config::Role;
use crate::flows::runner::Wake;
use crate::live::Live;
use crate::store::Store;
use crate::workspace::Workspace;

pub use document::Document;
pub use error::{ErrorBody, ResourceError, tell_since};

/// What the handlers of the resources are given. Cloning is cheap.
#[derive(Clone)]
pub struct Resources(Arc<ResourceState>);

/// The parts of a running server that the resources read and change.
pub struct ResourceParts {
    pub workspace: Workspace,
    pub auth: Arc<Auth>,
    pub metrics: streamflow_prometheus::Handle,
    /// What is known of live traffic.
    pub live: Live,
    /// URL of the prediction API of this process.
    pub api_url: Url,
    /// Wakes what runs flows.
    pub wake: Wake,
    /// What the prediction API knows this process's own requests by.
    pub own_key: &'static str,
}

struct ResourceState {
    parts: ResourceParts,
    client: reqwest::Client,
    started: Instant,
    /// Comparisons take all cores: one at a time.
    comparisons: Semaphore,
    distributions: predict::Cache,
    openapi: Bytes,
}

impl Resources {
    fn workspace(&self) -> &Workspace {
        &self.0.parts.workspace
    }

    pub fn store(&self) -> &Store {
        &self.workspace().store
    }

    pub fn new(parts: ResourceParts) -> anyhow::Result<Self> {
        let client = client_of(&parts.api_url).timeout(Duration::from_secs(10)).no_proxy().build()?;
        let openapi = openapi::document(&parts.workspace.config.console.path_prefix);
        let openapi = serde_json::to_vec(&openapi)?.into();
        Ok(Self(Arc::new(ResourceState {
            parts,
            client,
            started: Instant::now(),
            comparisons: Semaphore::new(1),
            distributions: predict::Cache::default(),
            openapi,
        })))
    }
}

/// All resources, each with what a request to it needs.
pub fn routes() -> [Route<Resources>; 36] {
    use Right::{Ask, Open, Read};
    const WORK: Right = Right::Change(Role::Operator);
    [
        console("/api/streamflow/session", Open, get(session::session)),
        console("/api/streamflow/login", Open, post(session::log_in)),
        console("/api/streamflow/logout", Ask, post(session::log_out)),
        console("/api/streamflow/panels", Read, get(panels::panels)),
        console("/api/streamflow/reports", WORK, get(reports::list).post(reports::compare)),
        console("/api/streamflow/reports/{name}", Read, get(reports::json)),
        Route { path: "/reports/{file}", access: Access::program(Read), methods: get(reports::html) },
        console("/api/streamflow/models", Read, get(models::list)),
        console("/api/streamflow/models/{version}/importance", Read, get(models::importance)),
        console("/api/streamflow/models/promote", WORK, post(models::promote)),
        console("/api/streamflow/models/shadow", WORK, post(models::shadow)),
        console("/api/streamflow/models/canary", WORK, post(models::canary)),
        console("/api/streamflow/models/rollback", WORK, post(models::rollback)),
        console("/api/streamflow/snapshots", Read, get(data::snapshots)),
        console("/api/streamflow/runs", Read, get(runs::list)),
        console("/api/streamflow/runs/{id}", Read, get(runs::run)),
        console("/api/streamflow/runs/{id}/logs", Read, get(runs::logs)),
        Route {
            path: "/api/streamflow/runs/{id}/log.txt",
            access: Access::program(Read),
            methods: get(runs::log_text),
        },
        console("/api/streamflow/runs/{id}/retry", WORK, post(runs::retry)),
        console("/api/streamflow/runs/{id}/cancel", WORK, post(runs::cancel)),
        console("/api/streamflow/runs/{id}/answer", WORK, post(runs::answer)),
        console("/api/streamflow/flows", Read, get(flows::list)),
        console("/api/streamflow/flows/{name}/run", WORK, post(flows::run)),
        console("/api/streamflow/flows/{name}/schedule", WORK, post(flows::pause)),
        console("/api/streamflow/flows/{name}/backfill", WORK, post(flows::backfill)),
        Route {
            path: "/api/streamflow/hooks/{name}",
            access: Access::program(WORK),
            methods: post(flows::hook),
        },
        console("/api/streamflow/performance", Read, get(performance::list)),
        console("/api/streamflow/live", Read, get(live::live)),
        console("/api/streamflow/performance/answers", Read, get(performance::answers)),
        console("/api/streamflow/models/compare", Ask, post(performance::compare_versions)),
        console("/api/streamflow/audit", Read, get(audit::list)),
        console("/api/streamflow/promotions", Read, get(audit::promotions)),
        console("/api/streamflow/annotations", Read, get(annotations::list)),
        console("/api/streamflow/predict", Ask, post(predict::predict)),
        console("/api/streamflow/status", Read, get(status::status)),
        Route {
            path: "/api/streamflow/openapi.json",
            access: Access::program(Read),
            methods: get(document::openapi),
        },
    ]
}

/// A route that the console's script uses.
fn console(path: &'static str, right: Right, methods: MethodRouter<Resources>) -> Route<Resources> {
    Route { path, access: Access::console(right), methods }
}
