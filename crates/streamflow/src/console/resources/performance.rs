//! How right the versions of the model were, and two of them held against each other.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use streamflow_dataset::Period;
use utoipa::ToSchema;

use super::{ErrorBody, ResourceError, Resources};
use crate::flows::train_and_compare::contest;
use crate::store::evaluations::StoredEvaluation;

/// The newest evaluation of each version, month and kind, the oldest month first.
#[utoipa::path(get, path = "/api/streamflow/performance", tag = "models", responses((status = 200, body = Vec<StoredEvaluation>)))]
pub async fn list(State(resources): State<Resources>) -> Result<Json<Vec<StoredEvaluation>>, ResourceError> {
    let workspace = resources.workspace();
    let found = workspace.store.evaluations(&workspace.config.model.name).await;
    Ok(Json(found.map_err(anyhow::Error::from)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contest {
    production: i64,
    candidate: i64,
    #[schema(value_type = String)]
    as_of: Period,
}

/// Compares two versions on the rows of a month that neither was trained on; changes nothing.
#[utoipa::path(post, path = "/api/streamflow/models/compare", tag = "models", request_body = Contest,
    responses((status = 200, body = Object), (status = 409, body = ErrorBody)))]
pub async fn compare_versions(
    State(resources): State<Resources>,
    body: Result<Json<Contest>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(Contest { production, candidate, as_of }) = body?;
    let Ok(_slot) = resources.0.comparisons.try_acquire() else {
        let message = "another comparison is running; try again when it has ended";
        return Err(ResourceError::new(axum::http::StatusCode::CONFLICT, message));
    };
    let report = contest(resources.workspace().clone(), production, candidate, as_of).await;
    Ok(Json(json!(report.map_err(|error| ResourceError::refused(&error))?)))
}
