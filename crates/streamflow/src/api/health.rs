//! `GET /health` and `GET /ready`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use streamflow_dataset::Period;
use utoipa::ToSchema;

use super::ApiState;
use super::bucket::ReadyBucket;
use super::error::{ApiError, ErrorBody};
use super::features::VERSION;
use super::predict::{ServedModel, served_model};
use crate::mlflow::Status;
use crate::store::{Away, Store};

/// The body of a good answer.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
}

/// The body of `GET /ready` when it is.
#[derive(Serialize, ToSchema)]
pub struct Ready<'a> {
    /// `ready`.
    status: &'static str,
    /// The model that is served.
    model: ServedModel<'a>,
    /// The snapshot the features were read from.
    #[schema(value_type = String)]
    as_of: Period,
    /// How it goes with the MLflow server, where one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    mlflow: Option<&'a Status>,
    /// Since when the database is away, and why. Predictions go on without it; promotions and labels do not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    database_away: Option<&'a Away>,
    /// The version that answers a share of the entities, where one is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<ReadyCanary<'a>>,
    /// How it goes with the bucket of the data directory, where it lies in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<ReadyBucket>,
}

/// A canary, and whether it answers.
#[derive(Serialize, ToSchema)]
#[schema(as = Canary)]
pub struct ReadyCanary<'a> {
    /// Its version.
    version: &'a str,
    /// The share of the entities, above 0 and up to 1.
    share: f64,
    /// Whether it is loaded; where it is not, the version in production answers everybody.
    is_loaded: bool,
    /// Why it is not loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a str>,
}

/// The body of `GET /ready` where a model file is served.
#[derive(Serialize)]
struct ReadyFile<'a> {
    status: &'static str,
    model: ServedModel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mlflow: Option<&'a Status>,
}

/// The body of `GET /ready` where several are.
#[derive(Serialize)]
struct ReadyFiles<'a> {
    status: &'static str,
    models: &'a [ServedModel<'a>],
    /// One for each of those that come from a server.
    #[serde(skip_serializing_if = "<[Status]>::is_empty")]
    mlflow: &'a [Status],
}

/// The process lives. Always 200.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, body = Health)))]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Predictions can be made: a model and features are loaded.
#[utoipa::path(get, path = "/ready", tag = "service", responses(
    (status = 200, body = Ready),
    (status = 503, body = ErrorBody, description = "No model or no features are loaded yet"),
))]
pub async fn ready(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let watched = state.0.mlflow.load();
    let mlflow = watched.first();
    if state.0.models.are_files() {
        let loaded = state.0.models.loaded();
        let models: Vec<ServedModel> =
            loaded.iter().map(|file| ServedModel { name: &file.name, version: VERSION }).collect();
        let status = "ready";
        return match &models[..] {
            [] => Err(ApiError::NotReady),
            [ServedModel { name, version }] => {
                let model = ServedModel { name, version };
                Ok(Json(ReadyFile { status, model, mlflow }).into_response())
            }
            models => Ok(Json(ReadyFiles { status, models, mlflow: &watched }).into_response()),
        };
    }
    let serving = state.0.served.load();
    let serving = serving.as_deref().ok_or(ApiError::NotReady)?;
    let canary = serving.canary.load();
    let canary = canary.as_deref().map(|canary| ReadyCanary {
        version: &canary.version,
        share: canary.share.value(),
        is_loaded: canary.loaded.is_ok(),
        trouble: canary.loaded.as_ref().err().map(String::as_str),
    });
    let (model, as_of) = (served_model(serving), serving.as_of);
    let away = state.distant_store().and_then(Store::away);
    let database_away = away.as_deref();
    let bucket = state.0.bucket.get().map(|counts| ReadyBucket::from(&**counts));
    Ok(Json(Ready { status: "ready", model, as_of, mlflow, database_away, canary, bucket }).into_response())
}
