//! The prediction plane: `POST /predict` and `/predict/batch`, health, metrics and its own documentation.
//!
//! Every route is in [`router`]; every failure is in `error.rs`; every limit is in [`ApiConfig`].

mod access_log;
mod answer;
mod cors;
mod error;
mod features;
mod front;
mod health;
mod json_fault;
mod keys;
pub mod metrics;
mod openapi;
mod predict;
mod request;
mod request_id;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ApiConfig;
use crate::drift::watcher::Monitoring;
use crate::mlflow::Watched;
use crate::server::body::BodyReader;
use crate::server::{self, ConnectionLimits, Listening, Load, Tls};
use crate::serving::Served;
use access_log::AccessLog;
use cors::Cors;
use error::ApiError;
use front::Front;
use keys::{Key, KeyRing};
use metrics::Metrics;

pub use features::FileModel;
pub use keys::{new_key, own_key};

/// What every handler is given. Cloning is cheap.
#[derive(Clone)]
pub struct ApiState(Arc<ApiParts>);

struct ApiParts {
    settings: ApiConfig,
    entity: String,
    served: Served,
    /// A model file that answers in place of what is served.
    file: Option<ArcSwap<FileModel>>,
    /// What is known of an MLflow server.
    mlflow: Watched,
    monitoring: Monitoring,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    bodies: BodyReader,
    load: Arc<Load>,
    keys: KeyRing,
    openapi: Bytes,
}

impl ApiState {
    /// The state of one prediction API: its limits, the name of the entity's field, what is served, and what is
    /// known of its drift.
    #[must_use]
    pub fn new(settings: ApiConfig, entity: String, served: Served, monitoring: Monitoring) -> Self {
        Self::of(settings, entity, served, monitoring, None)
    }

    /// The state of a prediction API whose requests bring the features of a model file with them.
    #[must_use]
    pub fn of_file(settings: ApiConfig, file: FileModel) -> Self {
        Self::of(settings, String::new(), Served::default(), Monitoring::default(), Some(file))
    }

    /// What is known of an MLflow server, to be kept up to date by whoever asks it.
    pub(crate) fn mlflow(&self) -> Watched {
        self.0.mlflow.clone()
    }

    /// Puts a model file in the place of the one that answers; requests in flight end with the old one.
    pub(crate) fn replace_file(&self, model: FileModel) {
        if let Some(file) = &self.0.file {
            file.store(Arc::new(model));
        }
    }

    fn of(
        settings: ApiConfig,
        entity: String,
        served: Served,
        monitoring: Monitoring,
        file: Option<FileModel>,
    ) -> Self {
        let document = openapi::document(&entity);
        let slots = settings.max_in_flight.get().min(Semaphore::MAX_PERMITS);
        ApiState(Arc::new(ApiParts {
            openapi: file.as_ref().map_or(document.clone(), |file| file.document(&document).into()),
            slots: Arc::new(Semaphore::new(slots)),
            bodies: BodyReader::new(settings.timeout()),
            load: Load::new(settings.max_in_flight.get()),
            keys: KeyRing::new(&settings),
            metrics: Metrics::default(),
            settings,
            entity,
            served,
            file: file.map(ArcSwap::from_pointee),
            mlflow: Watched::default(),
            monitoring,
        }))
    }

    /// A place among the predictions that are made at once, for a request that has arrived whole: clients that are slow
    /// to send take none.
    fn slot(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let max_wait_ms = self.0.settings.max_wait_ms.get();
        if self.0.load.wait() > Duration::from_millis(max_wait_ms) {
            return Err(ApiError::Crowded(max_wait_ms));
        }
        let slot = self.0.slots.clone().try_acquire_owned();
        slot.map_err(|_| ApiError::Overloaded(self.0.settings.max_in_flight.get()))
    }

    /// The key of a request, and whether it may ask now. There is none where nobody needs one.
    fn admit(&self, headers: &HeaderMap) -> (Option<Arc<Key>>, Result<(), ApiError>) {
        match self.0.keys.of_request(headers) {
            Ok(None) => (None, Ok(())),
            Ok(Some(key)) => {
                let taken = key.take();
                (Some(key), taken)
            }
            Err(error) => (None, Err(error)),
        }
    }

    /// Counts the answer to a request with a key.
    fn count(&self, key: Option<&Arc<Key>>, code: u16) {
        if let Some(key) = key {
            self.0.metrics.count_key(&key.name, code);
        }
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
/// An access log that cannot be written to; a certificate that cannot be used. There are none after it has started; the listener was bound by the caller.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: impl Future) -> anyhow::Result<()> {
    let settings = &state.0.settings;
    let limits = ConnectionLimits {
        max_connections: settings.max_connections.get(),
        idle_timeout: Duration::from_millis(settings.idle_timeout_ms.get()),
        write_timeout: Duration::from_millis(settings.write_timeout_ms.get()),
        drain_timeout: Duration::from_millis(settings.drain_timeout_ms.get()),
        tells_peer: settings.access_log.is_some(),
    };
    let log = settings.access_log.as_ref().map(|target| AccessLog::open(target, settings.access_log_share));
    let (log, writing) = log.transpose()?.unzip();
    let cors = Cors::of(&settings.cors_origins);
    let tls = settings.tls.as_ref().map(|files| Tls::open(files.into())).transpose()?;
    let load = state.0.load.clone();
    let keys = state.clone();
    let following = tokio::spawn(async move { keys.0.keys.follow().await });
    let front = Arc::new(Front { router: router(state), cors, log });
    let listening = Listening { load: Some(load), tls, ..Listening::new(listener, limits) };
    let served = server::serve(listening, move |request| front.clone().answer(request), shutdown).await;
    following.abort();
    served?;
    match writing {
        Some(writing) => writing.await.context("the access log's writer panicked"),
        None => Ok(()),
    }
}

/// Serves the same to this process itself, which knows the key of its own requests.
///
/// # Errors
/// There are none after it has started; the listener was bound by the caller.
pub async fn serve_own(listener: TcpListener, state: ApiState, shutdown: impl Future) -> anyhow::Result<()> {
    let (router, key) = (router(state), Arc::from(own_key()));
    let answer = move |request| server::answer_own(router.clone(), Arc::clone(&key), request);
    server::serve(Listening::new(listener, ConnectionLimits::default()), answer, shutdown).await
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
        .fallback(no_such_path)
        .with_state(state)
}

/// The paths that are answered with a slash too many as Starlette does.
const PATHS: [&str; 6] = ["/predict", "/predict/batch", "/health", "/ready", "/metrics", "/openapi.json"];

/// 307 to the path without the slashes at its end, where there is one; else 404.
async fn no_such_path(uri: Uri) -> Response {
    let path = uri.path().trim_end_matches('/');
    if !PATHS.contains(&path) {
        return ApiError::NoSuchPath(uri.path().to_owned()).into_response();
    }
    let location = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}
