//! `/api/v1/admin/tsdb/…`: deleting samples and copying the store, where the settings allow it.

use std::hash::{BuildHasher as _, RandomState};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::json;
use streamflow_promql::parse_selector;
use streamflow_tsdb::Matcher;

use super::answer::{Answer, Success};
use super::error::{ApiError, ErrorKind};
use super::parameters::{Parameters, TIME_LIMIT_MS};
use crate::{Handle, now_ms};

/// Folder of the copies, below that of the store.
pub(crate) const SNAPSHOTS: &str = "snapshots";

/// `POST|PUT /api/v1/admin/tsdb/delete_series`
pub async fn delete_series(State(server): State<Handle>, parameters: Parameters) -> Answer {
    allowed(&server)?;
    parameters.well_formed()?;
    if parameters.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let from = parameters.time_or("start", -TIME_LIMIT_MS)?;
    let to = parameters.time_or("end", TIME_LIMIT_MS)?;
    // All are read before anything is deleted. `{}` is everything, as in Prometheus.
    let selectors: Vec<Vec<Matcher>> = parameters
        .all("match[]")
        .map(|text| {
            parse_selector(text).map_err(|error| ApiError::invalid_parameter("match[]", &error.to_string()))
        })
        .collect::<Result<_, _>>()?;
    let db = server.0.db.clone();
    let deleted = in_background(move || db.delete(&selectors, from, to)).await?;
    tracing::info!(
        head_series = deleted.head_series,
        block_series = deleted.block_series,
        start = parameters.get("start"),
        end = parameters.get("end"),
        "deleted samples by the admin API"
    );
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST|PUT /api/v1/admin/tsdb/clean_tombstones`
pub async fn clean_tombstones(State(server): State<Handle>) -> Answer {
    allowed(&server)?;
    let db = server.0.db.clone();
    let blocks = in_background(move || db.clean_tombstones()).await?;
    tracing::info!(blocks, "wrote blocks anew without their deleted samples");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST|PUT /api/v1/admin/tsdb/snapshot`
pub async fn snapshot(State(server): State<Handle>, parameters: Parameters) -> Answer {
    allowed(&server)?;
    let blocks_alone = boolean(&parameters, "skip_head")?;
    let name = name();
    let target = server.0.settings.dir.join(SNAPSHOTS).join(&name);
    let db = server.0.db.clone();
    in_background(move || if blocks_alone { db.snapshot_blocks(&target) } else { db.snapshot(&target) })
        .await?;
    Success::of(&json!({ "name": name }))
}

fn allowed(server: &Handle) -> Result<(), ApiError> {
    if server.0.settings.admin_api {
        Ok(())
    } else {
        Err(ApiError::new(ErrorKind::Unavailable, "admin APIs disabled"))
    }
}

/// Work on the disk, to its end even where the client has gone.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, streamflow_tsdb::Error> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(ApiError::internal("the work on the store ended in a panic, which is a bug")),
    }
}

/// As Go reads one.
fn boolean(parameters: &Parameters, name: &str) -> Result<bool, ApiError> {
    match parameters.get(name) {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        text => {
            let reason =
                format!("unable to parse boolean: strconv.ParseBool: parsing {text:?}: invalid syntax");
            Err(ApiError::invalid_parameter(name, &reason))
        }
    }
}

/// The time and a number that no other has.
fn name() -> String {
    let now = jiff::Timestamp::from_millisecond(now_ms()).unwrap_or_default();
    format!("{}-{:016x}", now.strftime("%Y%m%dT%H%M%SZ"), RandomState::new().hash_one(now))
}
