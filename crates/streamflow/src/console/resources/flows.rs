//! The flows: when they run, what they take, and asking for runs of them.

use anyhow::Context as _;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use streamflow_dataset::Period;
use utoipa::ToSchema;

use super::extract::Path;
use super::runs::{RunSummary, summary};
use super::{ErrorBody, ResourceError, Resources};
use crate::config::Trigger;
use crate::console::guard::Actor;
use crate::flows::catalog::{Description, all};
use crate::flows::{self, Known, known, runner};
use crate::store::runs::RunFilter;
use crate::store::schedules::SkippedTime;

/// Coming times that are shown of a schedule.
const NEXT_TIMES: usize = 5;
/// Skipped times that are shown of a schedule.
const SKIPPED_TIMES: i64 = 10;

/// The flows, those built in first.
#[utoipa::path(get, path = "/api/streamflow/flows", tag = "flows", responses((status = 200, body = Vec<FlowEntry>)))]
pub async fn list(State(resources): State<Resources>) -> Result<Response, ResourceError> {
    let config = resources.workspace().config.clone();
    let mut list = Vec::new();
    for flow in all(&config) {
        list.push(entry(&resources, flow).await?);
    }
    Ok(Json(list).into_response())
}

/// A flow: what it is, and how it stands with its schedule.
#[derive(Serialize, ToSchema)]
pub struct FlowEntry<'a> {
    #[serde(flatten)]
    #[schema(value_type = Description)]
    flow: Description<'a>,
    paused: bool,
    /// The times that come next by the schedule.
    next: Vec<String>,
    skipped: Vec<SkippedTime>,
    last: Option<RunSummary>,
}

async fn entry<'a>(resources: &Resources, flow: Known<'a>) -> anyhow::Result<FlowEntry<'a>> {
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
    Ok(FlowEntry {
        flow: flow.describe(),
        paused: handled.paused,
        next,
        skipped: store.skipped_times(flow.name, SKIPPED_TIMES).await?,
        last: last.first().map(summary),
    })
}

/// The runs that a backfill has recorded.
#[derive(Serialize, ToSchema)]
pub struct Backfill {
    runs: Vec<i64>,
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunBody {
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
}

/// Asks for a run, which starts at once.
#[utoipa::path(post, path = "/api/streamflow/flows/{name}/run", tag = "flows", params(("name" = String, Path)), request_body = RunBody,
    responses((status = 200, body = RunSummary), (status = 404, body = ErrorBody)))]
pub async fn run(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    body: Result<Json<RunBody>, JsonRejection>,
) -> Result<Json<RunSummary>, ResourceError> {
    let Json(RunBody { parameters }) = body?;
    start(&resources, &name, &parameters, &actor.0).await
}

async fn start(
    resources: &Resources,
    name: &str,
    given: &Map<String, Value>,
    cause: &str,
) -> Result<Json<RunSummary>, ResourceError> {
    let workspace = resources.workspace();
    let flow = named(resources, name)?;
    let parameters = flow.parameters(given).map_err(|error| ResourceError::refused(&error))?;
    let id = runner::request(workspace, flow, &parameters, cause).await?;
    resources.0.parts.wake.wake();
    let run = workspace.store.run(id).await.map_err(anyhow::Error::from)?;
    Ok(Json(summary(&run.with_context(|| format!("run {id} is gone"))?)))
}

fn named<'a>(resources: &'a Resources, name: &'a str) -> Result<Known<'a>, ResourceError> {
    known(&resources.workspace().config, name).map_err(|error| ResourceError::not_found(error.to_string()))
}

async fn json_body(headers: &HeaderMap, body: Bytes) -> Result<RunBody, ResourceError> {
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    let Json(body) = Json::from_request(request, &()).await?;
    Ok(body)
}

/// Starts a flow whose configuration says `on = ["webhook"]`; without a body the run has the configured parameters.
#[utoipa::path(post, path = "/api/streamflow/hooks/{name}", tag = "flows", params(("name" = String, Path)), request_body = Option<RunBody>,
    responses((status = 200, body = RunSummary), (status = 404, body = ErrorBody)))]
pub async fn hook(
    State(resources): State<Resources>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RunSummary>, ResourceError> {
    // Who only calls has nothing to say, and names no type of it.
    let RunBody { parameters } = match body.is_empty() {
        true => RunBody::default(),
        false => json_body(&headers, body).await?,
    };
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    paused: bool,
}

/// Pauses or resumes the schedule.
#[utoipa::path(post, path = "/api/streamflow/flows/{name}/schedule", tag = "flows", params(("name" = String, Path)), request_body = PauseBody,
    responses((status = 200, body = FlowEntry), (status = 404, body = ErrorBody)))]
pub async fn pause(
    State(resources): State<Resources>,
    Path(name): Path<String>,
    body: Result<Json<PauseBody>, JsonRejection>,
) -> Result<Response, ResourceError> {
    let Json(PauseBody { paused }) = body?;
    let flow = named(&resources, &name)?;
    flows::pause(&resources.workspace().store, flow, paused)
        .await
        .map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(entry(&resources, flow).await?).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillBody {
    /// The first month.
    #[schema(value_type = String)]
    from: Period,
    /// The last month.
    #[schema(value_type = String)]
    to: Period,
    /// Leave out months of which a run has completed.
    #[serde(default)]
    failed_only: bool,
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
}

/// Records a run for each ingested month of a range, oldest first.
#[utoipa::path(post, path = "/api/streamflow/flows/{name}/backfill", tag = "flows", params(("name" = String, Path)), request_body = BackfillBody,
    responses((status = 200, body = Backfill), (status = 404, body = ErrorBody)))]
pub async fn backfill(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    body: Result<Json<BackfillBody>, JsonRejection>,
) -> Result<Json<Backfill>, ResourceError> {
    let Json(BackfillBody { from, to, failed_only, parameters }) = body?;
    let flow = named(&resources, &name)?;
    let cause = format!("backfill by {}", actor.0);
    let range = flows::Range { from, to, failed_only };
    let runs = flows::backfill(resources.workspace(), flow, range, &parameters, &cause).await;
    let runs = runs.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(Backfill { runs }))
}
