//! The operator plane: Prometheus's HTTP API, our own resources under `/api/streamflow/`, the web console.

mod assets;
mod auth;
mod guard;
mod resources;
mod settings;

pub use auth::{Auth, hash_password};
pub use resources::{Parts, Resources};
pub use settings::Settings;

use std::sync::Arc;

use axum::{Router, middleware};

use guard::Guard;

/// Everything that the operator plane answers, below the configured path prefix.
///
/// `prometheus` are the routes of Prometheus's API, `/metrics`, `/federate` and `/-/…`.
pub fn router(settings: &Settings, auth: Arc<Auth>, prometheus: Router, resources: Resources) -> Router {
    let prefix: Arc<str> = settings.path_prefix.as_str().into();
    let guard = Arc::new(Guard { auth, read_only: settings.read_only });
    let assets = Router::new().fallback(assets::serve).with_state(prefix.clone());
    let plane = prometheus
        .merge(resources::router(resources))
        .fallback_service(assets)
        .layer(middleware::from_fn_with_state(guard, guard::guard));
    if prefix.is_empty() { plane } else { Router::new().nest(&prefix, plane) }
}
