//! Runs of flows: the list, one of them, its log, and what can be done about it.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ResourceError, Resources};
use crate::console::guard::Actor;
use crate::flows::{self, Again};
use crate::store::approvals::Answer;
use crate::store::logs::Log;
use crate::store::runs::{Run, RunFilter};

/// Most runs in one answer.
pub const LIMIT_MAX: i64 = 5000;

#[derive(Deserialize)]
pub struct Page {
    #[serde(default = "default_limit")]
    limit: i64,
    flow: Option<String>,
    state: Option<String>,
    period: Option<String>,
}

impl Page {
    fn filter(&self) -> RunFilter {
        let Self { flow, state, period, .. } = self;
        RunFilter { flow: flow.clone(), state: state.clone(), period: period.clone(), limit: self.limit }
    }
}

pub fn default_limit() -> i64 {
    100
}

/// `GET /api/streamflow/runs?limit=`: newest first.
pub async fn list(
    State(resources): State<Resources>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Value>>, ResourceError> {
    let runs = resources
        .workspace()
        .store
        .runs(&RunFilter { limit: page.limit.clamp(1, LIMIT_MAX), ..page.filter() })
        .await;
    Ok(Json(runs.map_err(anyhow::Error::from)?.iter().map(summary).collect()))
}

/// `GET /api/streamflow/runs/ID`: with its tasks and its log.
pub async fn run(
    State(resources): State<Resources>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, ResourceError> {
    let store = &resources.workspace().store;
    let run = known(&resources, id).await?;
    let tasks = store.tasks(id).await.map_err(anyhow::Error::from)?;
    let logs = store.logs(id, 0).await.map_err(anyhow::Error::from)?;
    let transitions = store.transitions(id).await.map_err(anyhow::Error::from)?;
    let approvals = store.approvals(id).await.map_err(anyhow::Error::from)?;
    let mut value = summary(&run);
    value["transitions"] = json!(transitions);
    value["approvals"] = json!(approvals);
    value["tasks"] = tasks
        .iter()
        .map(|task| {
            json!({
                "name": task.name,
                "state": task.state,
                "state_name": task.state_name,
                "attempt": task.attempt,
                "started": task.started_at,
                "duration_ms": task.duration_ms,
                "error": task.message,
            })
        })
        .collect();
    value["logs"] = logs.iter().map(line).collect();
    Ok(Json(value))
}

fn line(log: &Log) -> Value {
    json!({ "id": log.id, "time": log.at, "level": log.level, "message": log.message })
}

#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    after: i64,
}

/// `GET /api/streamflow/runs/ID/logs?after=`: the lines after one, and the state of the run.
pub async fn logs(
    State(resources): State<Resources>,
    Path(id): Path<i64>,
    Query(After { after }): Query<After>,
) -> Result<Json<Value>, ResourceError> {
    let run = known(&resources, id).await?;
    let lines = resources.workspace().store.logs(id, after).await.map_err(anyhow::Error::from)?;
    let lines: Vec<Value> = lines.iter().map(line).collect();
    Ok(Json(json!({ "state": run.state, "state_name": run.state_name, "lines": lines })))
}

/// `GET /api/streamflow/runs/ID/log.txt`: the whole log as text.
pub async fn log_text(
    State(resources): State<Resources>,
    Path(id): Path<i64>,
) -> Result<Response, ResourceError> {
    known(&resources, id).await?;
    let lines = resources.workspace().store.logs(id, 0).await.map_err(anyhow::Error::from)?;
    let text = |log: &Log| format!("{} {:7} {}\n", log.at, log.level, log.message);
    let text: String = lines.iter().map(text).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn known(resources: &Resources, id: i64) -> Result<Run, ResourceError> {
    let run = resources.workspace().store.run(id).await.map_err(anyhow::Error::from)?;
    run.ok_or_else(|| ResourceError::not_found(format!("there is no run {id}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct RetryBody {
    /// The step from which on all run again.
    from: Option<String>,
    all: bool,
}

/// `POST /api/streamflow/runs/ID/retry`.
pub async fn retry(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
    body: Result<Json<RetryBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(RetryBody { from, all }) = body?;
    known(&resources, id).await?;
    let store = &resources.workspace().store;
    let done = flows::schedule_retry(store, id, Again::of(from.as_deref(), all), &actor.0).await;
    done.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(summary(&known(&resources, id).await?)))
}

/// `POST /api/streamflow/runs/ID/cancel`.
pub async fn cancel(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, ResourceError> {
    known(&resources, id).await?;
    let done = flows::cancel(&resources.workspace().store, id, &actor.0).await;
    done.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(summary(&known(&resources, id).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    approved: bool,
    #[serde(default)]
    note: String,
}

/// `POST /api/streamflow/runs/ID/answer`: yes or no to what a paused run asks.
pub async fn answer(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
    body: Result<Json<AnswerBody>, JsonRejection>,
) -> Result<Json<Value>, ResourceError> {
    let Json(AnswerBody { approved, note }) = body?;
    known(&resources, id).await?;
    let answer = Answer { is_approved: approved, by: &actor.0, note: &note };
    let done = flows::record_answer(&resources.workspace().store, id, answer).await;
    done.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(summary(&known(&resources, id).await?)))
}

/// A run as lists show it.
pub fn summary(run: &Run) -> Value {
    json!({
        "id": run.id,
        "flow": run.flow,
        "state": run.state,
        "state_name": run.state_name,
        "message": run.message,
        "started": run.started_at,
        "ended": run.ended_at,
        "parameters": run.parameters,
        "report": run.report,
        "period": run.period,
        "cause": run.cause,
        "due": run.due_at,
        "attempt": run.attempt,
    })
}
