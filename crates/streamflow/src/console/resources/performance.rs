//! How right the versions of the model were, and two of them held against each other.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use streamflow_dataset::Period;

use super::{ResourceError, Resources};
use crate::flows::train_and_compare::contest;
use crate::store::evaluations::StoredEvaluation;

/// `GET /api/streamflow/performance`: the newest evaluation of each version, month and kind, oldest month first.
pub async fn list(State(resources): State<Resources>) -> Result<Json<Vec<StoredEvaluation>>, ResourceError> {
    let workspace = resources.workspace();
    let found = workspace.store.evaluations(&workspace.config.model.name).await;
    Ok(Json(found.map_err(anyhow::Error::from)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareBody {
    production: i64,
    candidate: i64,
    as_of: Period,
}

/// `POST /api/streamflow/models/compare`: two versions on the rows of a month that neither was trained on.
pub async fn compare_versions(
    State(resources): State<Resources>,
    body: Result<Json<CompareBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(CompareBody { production, candidate, as_of }) = body?;
    let Ok(_slot) = resources.0.comparisons.try_acquire() else {
        let message = "another comparison is running; try again when it has ended";
        return Err(ResourceError::new(axum::http::StatusCode::CONFLICT, message));
    };
    let report = contest(resources.workspace().clone(), production, candidate, as_of).await;
    Ok(Json(json!(report.map_err(|error| ResourceError::refused(&error))?)))
}
