//! The prediction plane: `POST /predict` and `/predict/batch`, health, metrics and its own documentation.
//!
//! Every route is in [`router`]; every failure is in `error.rs`; every limit is in [`ApiConfig`].

mod error;
mod health;
pub mod metrics;
mod openapi;
mod predict;
mod request;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ApiConfig;
use crate::drift::watcher::Monitoring;
use crate::server::body::BodyReader;
use crate::server::{self, ConnectionLimits};
use crate::serving::Served;
use error::ApiError;
use metrics::Metrics;

/// What every handler is given. Cloning is cheap.
#[derive(Clone)]
pub struct ApiState(Arc<ApiParts>);

struct ApiParts {
    settings: ApiConfig,
    entity: String,
    served: Served,
    monitoring: Monitoring,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    bodies: BodyReader,
    openapi: Bytes,
}

impl ApiState {
    /// The state of one prediction API: its limits, the name of the entity's field, what is served, and what is
    /// known of its drift.
    #[must_use]
    pub fn new(settings: ApiConfig, entity: String, served: Served, monitoring: Monitoring) -> Self {
        let slots = settings.max_in_flight.get().min(Semaphore::MAX_PERMITS);
        ApiState(Arc::new(ApiParts {
            openapi: openapi::document(&entity),
            slots: Arc::new(Semaphore::new(slots)),
            bodies: BodyReader::new(settings.timeout()),
            metrics: Metrics::default(),
            settings,
            entity,
            served,
            monitoring,
        }))
    }

    /// A place among the predictions that are made at once, for a request that has arrived whole: clients that are slow
    /// to send take none.
    fn slot(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let slot = self.0.slots.clone().try_acquire_owned();
        slot.map_err(|_| ApiError::Overloaded(self.0.settings.max_in_flight.get()))
    }

    /// Requests being answered now.
    fn in_flight(&self) -> usize {
        let slots = self.0.settings.max_in_flight.get().min(Semaphore::MAX_PERMITS);
        slots.saturating_sub(self.0.slots.available_permits())
    }
}

/// Serves the prediction API until `shutdown` resolves, then drains.
///
/// # Errors
/// There are none after it has started; the listener was bound by the caller.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: impl Future) -> anyhow::Result<()> {
    let settings = &state.0.settings;
    let limits = ConnectionLimits {
        max_connections: settings.max_connections.get(),
        idle_timeout: Duration::from_millis(settings.idle_timeout_ms.get()),
        write_timeout: Duration::from_millis(settings.write_timeout_ms.get()),
        drain_timeout: Duration::from_millis(settings.drain_timeout_ms.get()),
        tells_peer: false,
    };
    let router = router(state);
    server::serve(listener, move |request| server::answer(router.clone(), request), limits, shutdown).await
}

/// All routes of the prediction API.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/predict", post(predict::predict))
        .route("/predict/batch", post(predict::predict_batch))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .merge(openapi::docs())
        .method_not_allowed_fallback(async |method: Method, uri: Uri| ApiError::MethodNotAllowed {
            method: method.to_string(),
            path: uri.path().to_owned(),
        })
        .fallback(async |uri: Uri| ApiError::NoSuchPath(uri.path().to_owned()))
        .with_state(state)
}
