//! KServe's version 1, which TensorFlow Serving has too: lists of rows in, a list of predictions out.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::predictions::Predictions;
use super::table::Table;
use crate::api::ApiState;
use crate::api::error::ApiError;
use crate::api::json::Json as Value;
use crate::api::models::Target;
use crate::api::observed::Asked;

/// What metrics call it.
const PROTOCOL: &str = "kserve";

pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/", get(async || Json(json!({ "status": "alive" }))))
        .route("/v1/models", get(models))
        .route("/v1/models/{model}", get(model).post(ask))
}

async fn models(State(state): State<ApiState>) -> Response {
    let listed = state.0.models.listed().into_iter().filter(|listed| listed.is_ready);
    Json(json!({ "models": listed.map(|listed| listed.name).collect::<Vec<_>>() })).into_response()
}

async fn model(State(state): State<ApiState>, Path(model): Path<String>) -> Result<Response, ApiError> {
    let target = state.0.models.find(&model, None)?;
    Ok(Json(json!({ "name": target.name(), "ready": true })).into_response())
}

/// `MODEL:predict`.
async fn ask(State(state): State<ApiState>, Path(path): Path<String>, request: Request) -> Response {
    let Some((model, verb)) = path.rsplit_once(':') else {
        let message = format!("POST is not answered here; ask POST /v1/models/{path}:predict");
        return (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "error": message }))).into_response();
    };
    if verb == "explain" {
        let error = json!({ "error": "there is no explainer; ask for :predict" });
        return (StatusCode::NOT_IMPLEMENTED, Json(error)).into_response();
    }
    if verb != "predict" {
        return ApiError::NoSuchPath(format!("/v1/models/{path}")).into_response();
    }
    let model = model.to_owned();
    let answer = super::answer(&state, PROTOCOL, request, move |state, asked, _, body| {
        let target = state.0.models.answering(Some(&model), None, asked, body)?;
        predicted(state, asked, &target, body)
    });
    match answer.await {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(ApiError::Invalid(invalid)) => {
            ApiError::Input(format!("Unrecognized request format: {invalid}")).into_response()
        }
        Err(error) => error.into_response(),
    }
}

fn predicted(state: &ApiState, asked: &Asked, target: &Target, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let input = |message: &str| ApiError::Input(message.to_owned());
    let read = Value::read(body)?;
    let read = read.ok_or_else(|| input("Unrecognized request format: the body is empty"))?;
    let (what, instances) = ["instances", "inputs"]
        .into_iter()
        .find_map(|name| Some((name, read.get(name)?)))
        .ok_or_else(|| input("Expected \"instances\" or \"inputs\", a list of rows"))?;
    let rows =
        instances.list().ok_or_else(|| ApiError::Input(format!("Expected \"{what}\" to be a list")))?;
    let table = match rows.first() {
        Some(Value::Object(_)) => target.records(rows, what, state)?,
        _ => Table::of_lists(rows, None, what)?,
    };
    let answers = target.score(&table, state, asked)?;
    Predictions::new(&answers, table.rows()).written(serde_json::ser::CompactFormatter)
}
