//! The flows: when they run, what they take, and asking for runs of them.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use streamflow_dataset::Period;

use super::runs::summary;
use super::{ResourceError, Resources};
use crate::config::Trigger;
use crate::console::guard::Actor;
use crate::flows::catalog::all;
use crate::flows::{self, Known, known, runner};
use crate::store::runs::RunFilter;

/// Coming times that are shown of a schedule.
const NEXT_TIMES: usize = 5;
/// Skipped times that are shown of a schedule.
const SKIPPED_TIMES: i64 = 10;

/// `GET /api/streamflow/flows`.
pub async fn list(State(resources): State<Resources>) -> Result<Json<Vec<Value>>, ResourceError> {
    let config = resources.workspace().config.clone();
    let mut list = Vec::new();
    for flow in all(&config) {
        list.push(entry(&resources, flow).await?);
    }
    Ok(Json(list))
}

async fn entry(resources: &Resources, flow: Known<'_>) -> anyhow::Result<Value> {
    let store = &resources.workspace().store;
    let handled = store.handled(flow.name).await?;
    let filter = RunFilter { flow: Some(flow.name.to_owned()), limit: 1, ..RunFilter::default() };
    let last = store.runs(&filter).await?;
    let mut next = Vec::new();
    if let Some(schedule) = flow.schedule()? {
        let mut time = Timestamp::now();
        while let Some(following) = schedule.next_after(time).filter(|_| next.len() < NEXT_TIMES) {
            next.push(following.to_string());
            time = following;
        }
    }
    let mut value = serde_json::to_value(flow.describe())?;
    value["paused"] = json!(handled.paused);
    value["next"] = json!(next);
    value["skipped"] = json!(store.skipped_times(flow.name, SKIPPED_TIMES).await?);
    value["last"] = json!(last.first().map(summary));
    Ok(value)
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RunBody {
    parameters: Map<String, Value>,
}

/// `POST /api/streamflow/flows/NAME/run`: asks for a run, which starts at once.
pub async fn run(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    body: Result<Json<RunBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(RunBody { parameters }) = body?;
    start(&resources, &name, &parameters, &actor.0).await
}

async fn start(
    resources: &Resources,
    name: &str,
    given: &Map<String, Value>,
    cause: &str,
) -> Result<Json<Value>, ResourceError> {
    let workspace = resources.workspace();
    let flow = named(resources, name)?;
    let parameters = flow.parameters(given).map_err(|error| ResourceError::refused(&error))?;
    let id = runner::request(workspace, flow, &parameters, cause).await?;
    resources.0.parts.wake.wake();
    let run = workspace.store.run(id).await.map_err(anyhow::Error::from)?;
    Ok(Json(json!(run.as_ref().map(summary))))
}

fn named<'a>(resources: &'a Resources, name: &'a str) -> Result<Known<'a>, ResourceError> {
    known(&resources.workspace().config, name).map_err(|error| ResourceError::not_found(error.to_string()))
}

/// `POST /api/streamflow/hooks/NAME`: a program starts a flow whose configuration says `on = ["webhook"]`.
pub async fn hook(
    State(resources): State<Resources>,
    Path(name): Path<String>,
    body: Result<Json<RunBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(RunBody { parameters }) = body?;
    let triggers = match named(&resources, &name)?.config {
        Some(config) => config.triggers()?,
        None => Vec::new(),
    };
    if !triggers.contains(&Trigger::Webhook) {
        let message = format!("flow {name} has no hook; set on = [\"webhook\"] in flows.{name}");
        return Err(ResourceError::not_found(message));
    }
    start(&resources, &name, &parameters, "webhook").await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    paused: bool,
}

/// `POST /api/streamflow/flows/NAME/schedule`: pauses or resumes the schedule.
pub async fn pause(
    State(resources): State<Resources>,
    Path(name): Path<String>,
    body: Result<Json<PauseBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(PauseBody { paused }) = body?;
    let flow = named(&resources, &name)?;
    flows::pause(&resources.workspace().store, flow, paused)
        .await
        .map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(entry(&resources, flow).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillBody {
    from: Period,
    to: Period,
    #[serde(default)]
    failed_only: bool,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// `POST /api/streamflow/flows/NAME/backfill`: a run for each ingested month of a range, oldest first.
pub async fn backfill(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    body: Result<Json<BackfillBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(BackfillBody { from, to, failed_only, parameters }) = body?;
    let flow = named(&resources, &name)?;
    let cause = format!("backfill by {}", actor.0);
    let range = flows::Range { from, to, failed_only };
    let runs = flows::backfill(resources.workspace(), flow, range, &parameters, &cause).await;
    let runs = runs.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(json!({ "runs": runs })))
}
