//! The operator plane: Prometheus's HTTP API, our own resources under `/api/streamflow/`, the web console.

mod assets;
mod auth;
mod guard;
mod named;
mod openapi;
mod passwords;
mod refusals;
mod resources;
mod rights;
mod sender;
mod sessions;
mod trail;

pub use auth::{Auth, Credentials, Token};
pub use passwords::hash_password;
pub use resources::{ResourceParts, Resources};
pub use sender::Sender;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;

use crate::config::ConsoleConfig;
use crate::server::ConnectionLimits;
use crate::server::body::BodyReader;
use guard::Guard;
use rights::{Access, Right};

/// Everything that the operator plane answers, below the configured path prefix.
///
/// `prometheus` are the routes of Prometheus's API, `/metrics`, `/federate` and `/-/…`.
pub fn router(settings: &ConsoleConfig, auth: Arc<Auth>, prometheus: Router, resources: Resources) -> Router {
    let prefix: Arc<str> = settings.path_prefix.as_str().into();
    let guard = Guard {
        auth,
        read_only: settings.read_only,
        hosts: settings.hosts.as_slice().into(),
        bodies: Arc::new(BodyReader::new(Duration::from_millis(settings.timeout_ms.get()))),
        store: resources.store().clone(),
    };
    let assets = Router::new().fallback(assets::serve).with_state(prefix.clone());
    let plane = guard
        .paths(prometheus, rights::prometheus)
        .merge(guard.routes(resources::routes()).with_state(resources))
        .fallback_service(guard.paths(assets, rights::unrouted));
    if prefix.is_empty() {
        return plane;
    }
    // What is nested answers the prefix itself, but not the slash after it, where the console's own links lead.
    let home = Router::new().route(&format!("{prefix}/"), get(assets::home)).with_state(prefix.clone());
    Router::new().nest(&prefix, plane).merge(guard.paths(home, |_| Access::program(Right::Open)))
}

/// What the listener allows. A query may be answered for as long as it may run.
pub fn connection_limits(settings: &ConsoleConfig) -> ConnectionLimits {
    ConnectionLimits {
        max_connections: settings.max_connections.get(),
        idle_timeout: Duration::from_millis(settings.idle_timeout_ms.get()),
        write_timeout: Duration::from_millis(settings.write_timeout_ms.get()),
        drain_timeout: Duration::from_secs(5),
        tells_peer: true,
    }
}
