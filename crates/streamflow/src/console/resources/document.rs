//! The OpenAPI description of our own resources, from their handlers' annotations.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::{
    Resources, annotations, audit, data, flows, live, models, panels, performance, predict, reports, runs,
    session, status,
};

/// The operator plane: StreamFlow's own resources, and Prometheus's HTTP API.
#[derive(OpenApi)]
#[openapi(
    info(title = "StreamFlow console", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    paths(
        session::session,
        session::log_in,
        session::log_out,
        panels::panels,
        reports::list,
        reports::compare,
        reports::json,
        reports::html,
        models::list,
        models::importance,
        models::promote,
        models::shadow,
        models::canary,
        models::rollback,
        data::snapshots,
        runs::list,
        runs::run,
        runs::logs,
        runs::log_text,
        runs::retry,
        runs::cancel,
        runs::answer,
        flows::list,
        flows::run,
        flows::pause,
        flows::backfill,
        flows::hook,
        live::live,
        performance::list,
        performance::answers,
        performance::compare_versions,
        audit::list,
        audit::promotions,
        annotations::list,
        predict::predict,
        status::status,
        openapi
    )
)]
pub struct Document;

/// This description.
#[utoipa::path(get, path = "/api/streamflow/openapi.json", tag = "status", responses((status = 200, body = Object)))]
pub async fn openapi(State(resources): State<Resources>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], resources.0.openapi.clone())
}
