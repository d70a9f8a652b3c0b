//! The Open Inference Protocol over REST: KServe's version 2, Triton's and MLServer's.

mod answer;
mod binary;
pub mod metadata;
mod request;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::table::Table;
use super::{Change, change, tensor};
use crate::api::ApiState;
use crate::api::error::{ApiError, Detail};
use crate::api::json::Json as Value;
use crate::api::observed::Asked;
pub use answer::{Wanted, new_id};
use metadata::{IndexEntry, ModelMetadata, ServerMetadata};

/// What metrics call it.
const PROTOCOL: &str = "v2";

pub fn routes() -> Router<ApiState> {
    let versioned = "/v2/models/{model}/versions/{version}";
    Router::new()
        .route("/v2", get(server))
        .route("/v2/", get(server))
        .route("/v2/health/live", get(async || Json(json!({ "live": true }))))
        .route("/v2/health/ready", get(ready))
        .route("/v2/models/{model}", get(model))
        .route(versioned, get(version))
        .route("/v2/models/{model}/ready", get(model_ready))
        .route(&format!("{versioned}/ready"), get(version_ready))
        .route("/v2/models/{model}/infer", post(infer))
        .route(&format!("{versioned}/infer"), post(infer_version))
        .route("/v2/repository/index", post(index))
        .route("/v2/repository/models/{model}/load", post(load))
        .route("/v2/repository/models/{model}/unload", post(unload))
}

async fn server() -> Json<ServerMetadata> {
    Json(ServerMetadata::new())
}

/// Also where every model file is unloaded: the server is what is ready to load one. KServe's client reads the body,
/// others the status.
async fn ready(State(state): State<ApiState>) -> Result<Response, ApiError> {
    if state.0.models.is_ready() {
        Ok(Json(json!({ "ready": true })).into_response())
    } else {
        Err(ApiError::NotReady)
    }
}

async fn model(State(state): State<ApiState>, Path(model): Path<String>) -> Result<Response, ApiError> {
    Ok(Json(ModelMetadata::of(&state.0.models.find(&model, None)?)).into_response())
}

async fn version(
    State(state): State<ApiState>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    Ok(Json(ModelMetadata::of(&state.0.models.find(&model, Some(&version))?)).into_response())
}

async fn model_ready(
    State(state): State<ApiState>,
    Path(model): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.0.models.find(&model, None).map(|_| StatusCode::OK)
}

async fn version_ready(
    State(state): State<ApiState>,
    Path((model, version)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    state.0.models.find(&model, Some(&version)).map(|_| StatusCode::OK)
}

async fn infer(State(state): State<ApiState>, Path(model): Path<String>, request: Request) -> Response {
    answered(&state, model, None, request).await
}

async fn infer_version(
    State(state): State<ApiState>,
    Path((model, version)): Path<(String, String)>,
    request: Request,
) -> Response {
    answered(&state, model, Some(version), request).await
}

async fn answered(state: &ApiState, model: String, version: Option<String>, request: Request) -> Response {
    let answer = super::answer(state, PROTOCOL, request, move |state, asked, headers, body| {
        inferred(state, asked, headers, body, &model, version.as_deref())
    });
    answer.await.unwrap_or_else(error)
}

fn inferred(
    state: &ApiState,
    asked: &Asked,
    headers: &HeaderMap,
    body: &Bytes,
    model: &str,
    version: Option<&str>,
) -> Result<Response, ApiError> {
    let target = state.0.models.answering(Some(model), version, asked, body)?;
    let (text, raw) = binary::parts(headers, body)?;
    check_content_type(headers, raw.is_some())?;
    let mut read = Value::read(text)?.ok_or_else(|| {
        let msg = "Field required".to_owned();
        ApiError::Fields(vec![Detail { kind: "missing", loc: vec!["body".into()], msg }])
    })?;
    let request = request::Inference::read(&mut read, raw)?;
    let wanted = Wanted::of(&request.outputs, request.is_binary, &target)?;
    let table: Table = tensor::table(request.tensors, request.content, &target)?;
    let rows = table.rows();
    let answers = target.score(&table, state, asked)?;
    answer::written(&target, request.id, rows, &answers, &wanted)
}

/// Accepts JSON, and with the binary extension bytes; a body that does not say what it is counts as JSON.
fn check_content_type(headers: &HeaderMap, is_binary: bool) -> Result<(), ApiError> {
    if is_binary || !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    crate::api::request::check_content_type(headers).map_err(|error| {
        let detail = |msg| Detail { kind: "model_attributes_type", loc: vec!["body".into()], msg };
        match error {
            ApiError::ContentType(given) => ApiError::Fields(vec![detail(format!(
                "expected an object that is declared as JSON; send Content-Type: application/json, not {given}"
            ))]),
            other => other,
        }
    })
}

async fn index(State(state): State<ApiState>, request: Request) -> Response {
    match repository_body(&state, request).await {
        Ok(body) => match only_ready(&body) {
            Ok(only_ready) => Json(IndexEntry::all(&state, only_ready)).into_response(),
            Err(error) => error.into_response(),
        },
        Err(error) => error.into_response(),
    }
}

fn only_ready(body: &[u8]) -> Result<bool, ApiError> {
    Ok(Value::read(body)?.is_some_and(|body| body.get("ready") == Some(&Value::Bool(true))))
}

/// A body that may be absent, of at most as many bytes as that of a prediction.
async fn repository_body(state: &ApiState, request: Request) -> Result<Bytes, ApiError> {
    state.admit(request.headers()).1?;
    let limit = state.0.settings.body_limit_bytes.get();
    Ok(state.0.bodies.read(request.into_body(), limit).await?)
}

async fn load(
    State(state): State<ApiState>,
    Path(model): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    change(&state, &headers, Change::Load, &model).await.map(|()| StatusCode::OK)
}

async fn unload(
    State(state): State<ApiState>,
    Path(model): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    change(&state, &headers, Change::Unload, &model).await.map(|()| StatusCode::OK)
}

/// A mistake of the body as a whole in the form that this protocol's clients know.
fn error(error: ApiError) -> Response {
    match error {
        ApiError::Invalid(invalid) if invalid.kind == "json_invalid" => {
            let at = invalid.index.unwrap_or_default();
            let msg = format!("JSON decode error: {}", invalid.message);
            ApiError::Fields(vec![Detail { kind: "json_invalid", loc: vec!["body".into(), at.into()], msg }])
                .into_response()
        }
        other => other.into_response(),
    }
}

/// An answer in memory, with the length of its JSON where bytes follow.
fn response(body: Vec<u8>, json_length: Option<usize>) -> Response {
    let length = body.len();
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    let media_type = if json_length.is_some() { "application/octet-stream" } else { "application/json" };
    headers.insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(media_type));
    if let Some(json_length) = json_length {
        headers.insert(binary::HEADER_LENGTH, json_length.into());
    }
    response
}
