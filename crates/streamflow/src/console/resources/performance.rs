//! How right the versions of the model were, and two of them held against each other.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use streamflow_dataset::Period;
use utoipa::{IntoParams, ToSchema};

use super::extract::Query;
use super::{ErrorBody, ResourceError, Resources};
use crate::flows::later::later;
use crate::flows::train_and_compare::contest;
use crate::performance::later::Unit;
use crate::predictions::Window;
use crate::store::evaluations::StoredEvaluation;

/// The newest evaluation of each version, month and kind, the oldest month first.
#[utoipa::path(get, path = "/api/streamflow/performance", tag = "models", responses((status = 200, body = Vec<StoredEvaluation>)))]
pub async fn list(State(resources): State<Resources>) -> Result<Json<Vec<StoredEvaluation>>, ResourceError> {
    let workspace = resources.workspace();
    let found = workspace.store.evaluations(&workspace.config.model.name).await;
    Ok(Json(found.map_err(anyhow::Error::from)?))
}

/// Which answers, and how they are put together.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Answers {
    /// `hour`, `day` or `month`.
    #[serde(default)]
    by: Unit,
    /// The last so many days, 1 to 366.
    #[serde(default = "a_week")]
    days: u16,
}

/// Longest wait for comparisons that began before.
const PATIENCE: Duration = Duration::from_secs(30);

fn a_week() -> u16 {
    7
}

/// How right kept answers were, by labels that came after them, with the estimate beside it.
#[utoipa::path(get, path = "/api/streamflow/performance/answers", tag = "models", params(Answers),
    responses((status = 200, body = Object), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn answers(
    State(resources): State<Resources>,
    Query(Answers { by, days }): Query<Answers>,
) -> Result<Json<Value>, ResourceError> {
    const DAY_US: i64 = 24 * 3_600_000_000;
    if !(1..=366).contains(&days) {
        return Err(ResourceError::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            format!("days is {days}; expected 1 to 366"),
        ));
    }
    // Two who open the page at once are both answered.
    let slot = tokio::time::timeout(PATIENCE, resources.0.comparisons.acquire()).await;
    let Ok(Ok(_slot)) = slot else {
        let message = "other comparisons have been running for half a minute; try again when they have ended";
        return Err(ResourceError::new(axum::http::StatusCode::CONFLICT, message));
    };
    let from_us = jiff::Timestamp::now().as_microsecond() - i64::from(days) * DAY_US;
    let window = Window { from_us, to_us: i64::MAX };
    let found = later(resources.workspace(), by, window).await;
    Ok(Json(json!(found.map_err(|error| ResourceError::refused(&error))?)))
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
