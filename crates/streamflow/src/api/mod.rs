//! The prediction plane: `POST /predict` and `/predict/batch`, health, metrics and its own documentation, and the
//! protocols of other model servers.
//!
//! Every route is in [`router`]; every failure is in `error.rs`; every limit is in [`ApiConfig`].

mod access_log;
mod answer;
mod bucket;
pub mod canary;
mod cors;
mod error;
mod exchange;
mod explained;
mod features;
pub mod features_from;
mod front;
mod health;
mod json;
mod json_fault;
mod keys;
pub mod labels;
mod live;
pub mod logged;
mod looked_up;
pub mod metrics;
mod models;
pub mod observed;
mod openapi;
mod predict;
mod predict_rows;
mod protocols;
pub mod pushed;
mod request;
mod request_id;
mod sent;
pub mod shadow;
mod table_entities;
mod tables;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use streamflow_dataset::EntityKey;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::{ApiConfig, Protocol};
use crate::drift::watcher::Monitoring;
use crate::feature_store::FeatureStore;
use crate::live::Live;
use crate::mlflow::Watched;
use crate::performance::later::Later;
use crate::predictions::Sink;
use crate::server::body::BodyReader;
use crate::server::{self, ConnectionLimits, Listening, Load, Speaks, Tls};
use crate::serving::Served;
use crate::store::{Kind, Store};
use access_log::AccessLog;
use cors::Cors;
use error::ApiError;
use front::Front;
use keys::{Key, KeyRing};
use metrics::Metrics;
use models::Models;
use observed::{Asked, Observers};

pub use features::FileModel;
pub use keys::{new_key, own_key};
pub use models::NamedFile;
pub use protocols::grpc::router as grpc_router;

/// What every handler is given. Cloning is cheap.
#[derive(Clone)]
pub struct ApiState(Arc<ApiParts>);

struct ApiParts {
    settings: ApiConfig,
    key: EntityKey,
    served: Served,
    models: Models,
    /// What is known of an MLflow server.
    mlflow: Watched,
    monitoring: Monitoring,
    metrics: Metrics,
    slots: Arc<Semaphore>,
    bodies: BodyReader,
    load: Arc<Load>,
    keys: KeyRing,
    openapi: Bytes,
    /// Who is told of answers; set before the first request.
    observers: OnceLock<Observers>,
    /// Where answers are kept, where they are.
    log: OnceLock<Sink>,
    /// Where labels go, where answers are kept.
    desk: OnceLock<labels::Desk>,
    /// Who is asked for features, where they are not in memory.
    feature_store: OnceLock<FeatureStore>,
    /// Where pushed features go, where features are in memory.
    intake: OnceLock<Arc<pushed::Intake>>,
    /// What is known of live traffic, where it is looked at.
    live: OnceLock<Live>,
    /// Where runs and the registry are, to tell when it is away.
    store: OnceLock<Store>,
    /// Who answers and is not heard.
    shadow: OnceLock<Arc<shadow::Shadow>>,
    /// What the store of the data directory's bucket was asked.
    bucket: OnceLock<Arc<streamflow_bucket::Counts>>,
    /// How right kept answers were, as of the last look.
    later: ArcSwapOption<Later>,
}

impl ApiState {
    /// The state of one prediction API: its limits, the columns that name an entity, what is served, and what is
    /// known of its drift.
    #[must_use]
    pub fn new(settings: ApiConfig, key: EntityKey, served: Served, monitoring: Monitoring) -> Self {
        let models = Models::of_registry(served.clone());
        Self::of(settings, key, served, monitoring, models)
    }

    /// The state of a prediction API whose requests bring the features of model files with them.
    ///
    /// # Errors
    /// Two models of one name.
    pub fn of_files(mut settings: ApiConfig, files: Vec<NamedFile>) -> anyhow::Result<Self> {
        // Whoever serves a file asks for a model server; a project that is served has its own way to ask.
        settings.protocols.get_or_insert_with(|| Protocol::ALL.to_vec());
        let models = Models::of_files(files)?;
        Ok(Self::of(settings, EntityKey::new(""), Served::default(), Monitoring::default(), models))
    }

    /// Tells these of every answer from here on. Whoever came first stays.
    pub fn tell(&self, observers: Observers) {
        let _ = self.0.observers.set(observers);
    }

    /// Tells in the metrics what becomes of answers that are kept there.
    pub fn watch_log(&self, sink: Sink) {
        let _ = self.0.log.set(sink);
    }

    /// Tells in the metrics and in `GET /ready` whether this database answers.
    pub fn watch_store(&self, store: Store) {
        let _ = self.0.store.set(store);
    }

    /// The database, where it can be away.
    fn distant_store(&self) -> Option<&Store> {
        self.0.store.get().filter(|store| store.kind() == Kind::Postgres)
    }

    /// Tells in the metrics and at `/ready` how it goes with the bucket of the data directory.
    pub fn watch_bucket(&self, counts: Arc<streamflow_bucket::Counts>) {
        let _ = self.0.bucket.set(counts);
    }

    /// Tells in the metrics what a version says that is not heard.
    pub fn watch_shadow(&self, shadow: Arc<shadow::Shadow>) {
        let _ = self.0.shadow.set(shadow);
    }

    /// Tells in the metrics how right kept answers were.
    pub fn tell_of_answers(&self, later: Later) {
        self.0.later.store(Some(Arc::new(later)));
    }

    /// Asks this store for features from here on.
    pub fn look_up_in(&self, store: FeatureStore) {
        let _ = self.0.feature_store.set(store);
    }

    /// Who is asked for features; none where they are in memory.
    fn feature_store(&self) -> Option<&FeatureStore> {
        self.0.feature_store.get()
    }

    /// Takes pushed features from here on.
    pub fn take_features(&self, intake: Arc<pushed::Intake>) {
        let _ = self.0.intake.set(intake);
    }

    /// Counts a prediction that pushed features went into.
    fn count_pushed(&self) {
        if let Some(intake) = self.0.intake.get() {
            intake.features.predictions.inc();
        }
    }

    /// Takes labels from here on.
    pub fn take_labels(&self, desk: labels::Desk) {
        let _ = self.0.desk.set(desk);
    }

    /// Shows in the metrics what is known of live traffic.
    pub(crate) fn show_live(&self, live: Live) {
        let _ = self.0.live.set(live);
    }

    /// Who is told of answers; none where nobody is.
    fn observers(&self) -> Option<&Observers> {
        self.0.observers.get().filter(|observers| !observers.is_empty())
    }

    /// Tells of a request that has its status.
    fn tell_of_request(&self, asked: &Asked, status: u16) {
        if let Some(observers) = self.observers() {
            observers.request(asked, status);
        }
    }

    /// What is known of an MLflow server, to be kept up to date by whoever asks it.
    pub(crate) fn mlflow(&self) -> Watched {
        self.0.mlflow.clone()
    }

    /// Puts a model file in the place of the one of this name; requests in flight end with the old one.
    pub(crate) fn replace_file(&self, name: &str, model: FileModel) {
        self.0.models.replace(name, model);
    }

    fn of(
        settings: ApiConfig,
        key: EntityKey,
        served: Served,
        monitoring: Monitoring,
        models: Models,
    ) -> Self {
        let protocols = settings.protocols.clone().unwrap_or_default();
        let slots = settings.max_in_flight.get().min(Semaphore::MAX_PERMITS);
        ApiState(Arc::new(ApiParts {
            openapi: openapi::document(&key, &models, &protocols),
            slots: Arc::new(Semaphore::new(slots)),
            bodies: BodyReader::new(settings.timeout()),
            load: Load::new(settings.max_in_flight.get()),
            keys: KeyRing::new(&settings),
            metrics: Metrics::default(),
            settings,
            key,
            served,
            models,
            mlflow: Watched::default(),
            monitoring,
            observers: OnceLock::new(),
            log: OnceLock::new(),
            desk: OnceLock::new(),
            feature_store: OnceLock::new(),
            intake: OnceLock::new(),
            live: OnceLock::new(),
            store: OnceLock::new(),
            shadow: OnceLock::new(),
            bucket: OnceLock::new(),
            later: ArcSwapOption::empty(),
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
    let (load, keys) = (state.0.load.clone(), state.clone());
    let following = tokio::spawn(async move { keys.0.keys.follow().await });
    let served = listen(listener, &state, router(state.clone()), Speaks::Http1, Some(load), shutdown).await;
    following.abort();
    served
}

/// Serves the Open Inference Protocol over gRPC until `shutdown` resolves, then drains. [`serve`] of the same state
/// keeps the keys up to date.
///
/// # Errors
/// As [`serve`].
pub async fn serve_grpc(listener: TcpListener, state: ApiState, shutdown: impl Future) -> anyhow::Result<()> {
    listen(listener, &state, grpc_router(state.clone()), Speaks::Http2, None, shutdown).await
}

async fn listen(
    listener: TcpListener,
    state: &ApiState,
    router: Router,
    speaks: Speaks,
    load: Option<Arc<Load>>,
    shutdown: impl Future,
) -> anyhow::Result<()> {
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
    let tls = settings.tls.as_ref().map(|files| Tls::open_for(files.into(), speaks)).transpose()?;
    let front = Arc::new(Front { router, cors, log, names_requests: state.observers().is_some() });
    let listening = Listening { load, tls, speaks, ..Listening::new(listener, limits) };
    server::serve(listening, move |request| front.clone().answer(request), shutdown).await?;
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
    let protocols = state.0.settings.protocols.clone().unwrap_or_default();
    Router::new()
        .route("/predict", post(predict::predict))
        .route("/predict/batch", post(predict::predict_batch))
        .route("/predict/{model}", post(predict::predict_named))
        .route("/predict/{model}/batch", post(predict::predict_batch_named))
        .route("/labels", post(labels::labels))
        .route("/features", post(pushed::features))
        .merge(protocols::routes(&protocols))
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
const PATHS: [&str; 8] =
    ["/predict", "/predict/batch", "/labels", "/features", "/health", "/ready", "/metrics", "/openapi.json"];

/// 307 to the path without the slashes at its end, where there is one; else 404.
async fn no_such_path(uri: Uri) -> Response {
    let path = uri.path().trim_end_matches('/');
    if !PATHS.contains(&path) {
        return ApiError::NoSuchPath(uri.path().to_owned()).into_response();
    }
    let location = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}
