//! Runs of flows: the list, one of them, its log, and what can be done about it.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::extract::{Path, Query};
use super::{ErrorBody, ResourceError, Resources};
use crate::console::guard::Actor;
use crate::flows::{self, Again};
use crate::store::approvals::{Answer, Approval};
use crate::store::logs::Log;
use crate::store::runs::{Run, RunFilter};
use crate::store::tasks::Task;
use crate::store::transitions::Transition;

/// Most runs in one answer.
pub const LIMIT_MAX: i64 = 5000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Most runs, at most 5,000.
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

/// How many are listed: more than [`LIMIT_MAX`] are cut to it, and none is a mistake.
pub fn checked_limit(limit: i64) -> Result<i64, ResourceError> {
    if limit < 1 {
        let message = format!("limit is {limit}; expected a number from 1 to {LIMIT_MAX}");
        return Err(ResourceError::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    Ok(limit.min(LIMIT_MAX))
}

/// Runs, the newest first.
#[utoipa::path(get, path = "/api/streamflow/runs", tag = "runs", params(Page),
    responses((status = 200, body = Vec<RunSummary>), (status = 422, body = ErrorBody)))]
pub async fn list(
    State(resources): State<Resources>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<RunSummary>>, ResourceError> {
    let runs = resources
        .workspace()
        .store
        .runs(&RunFilter { limit: checked_limit(page.limit)?, ..page.filter() })
        .await;
    Ok(Json(runs.map_err(anyhow::Error::from)?.iter().map(summary).collect()))
}

/// A run with its steps, what happened to it and its log.
#[utoipa::path(get, path = "/api/streamflow/runs/{id}", tag = "runs", params(("id" = i64, Path)),
    responses((status = 200, body = RunDetail), (status = 404, body = ErrorBody)))]
pub async fn run(
    State(resources): State<Resources>,
    Path(id): Path<i64>,
) -> Result<Json<RunDetail>, ResourceError> {
    let store = &resources.workspace().store;
    let run = known(&resources, id).await?;
    let tasks = store.tasks(id).await.map_err(anyhow::Error::from)?;
    let logs = store.logs(id, 0).await.map_err(anyhow::Error::from)?;
    Ok(Json(RunDetail {
        run: summary(&run),
        tasks: tasks.into_iter().map(RunTask::from).collect(),
        logs: logs.into_iter().map(LogLine::from).collect(),
        transitions: store.transitions(id).await.map_err(anyhow::Error::from)?,
        approvals: store.approvals(id).await.map_err(anyhow::Error::from)?,
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// The line after which lines are asked for; 0 for all.
    #[serde(default)]
    after: i64,
}

/// The lines of a run's log after one, and the state of the run.
#[utoipa::path(get, path = "/api/streamflow/runs/{id}/logs", tag = "runs", params(("id" = i64, Path), After),
    responses((status = 200, body = LogPage), (status = 404, body = ErrorBody)))]
pub async fn logs(
    State(resources): State<Resources>,
    Path(id): Path<i64>,
    Query(After { after }): Query<After>,
) -> Result<Json<LogPage>, ResourceError> {
    let run = known(&resources, id).await?;
    let lines = resources.workspace().store.logs(id, after).await.map_err(anyhow::Error::from)?;
    let lines = lines.into_iter().map(LogLine::from).collect();
    Ok(Json(LogPage { state: run.state.as_str().to_owned(), state_name: run.state_name, lines }))
}

/// The whole log of a run as text.
#[utoipa::path(get, path = "/api/streamflow/runs/{id}/log.txt", tag = "runs", params(("id" = i64, Path)),
    responses((status = 200, body = String, content_type = "text/plain; charset=utf-8"), (status = 404, body = ErrorBody)))]
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

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBody {
    /// The step from which on all run again.
    from: Option<String>,
    all: bool,
}

/// Schedules the next attempt: from what has not completed, from a step, or from the start.
#[utoipa::path(post, path = "/api/streamflow/runs/{id}/retry", tag = "runs", params(("id" = i64, Path)),
    request_body = RetryBody, responses((status = 200, body = RunSummary), (status = 404, body = ErrorBody)))]
pub async fn retry(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
    body: Result<Json<RetryBody>, JsonRejection>,
) -> Result<Json<RunSummary>, ResourceError> {
    let Json(RetryBody { from, all }) = body?;
    known(&resources, id).await?;
    let store = &resources.workspace().store;
    let done = flows::schedule_retry(store, id, Again::of(from.as_deref(), all), &actor.0).await;
    done.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(summary(&known(&resources, id).await?)))
}

/// Asks a run to stop at its next safe point.
#[utoipa::path(post, path = "/api/streamflow/runs/{id}/cancel", tag = "runs", params(("id" = i64, Path)),
    responses((status = 200, body = RunSummary), (status = 404, body = ErrorBody)))]
pub async fn cancel(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
) -> Result<Json<RunSummary>, ResourceError> {
    known(&resources, id).await?;
    let done = flows::cancel(&resources.workspace().store, id, &actor.0).await;
    done.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(summary(&known(&resources, id).await?)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    approved: bool,
    #[serde(default)]
    note: String,
}

/// Answers yes or no to what a paused run asks.
#[utoipa::path(post, path = "/api/streamflow/runs/{id}/answer", tag = "runs", params(("id" = i64, Path)),
    request_body = AnswerBody, responses((status = 200, body = RunSummary), (status = 404, body = ErrorBody)))]
pub async fn answer(
    State(resources): State<Resources>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
    body: Result<Json<AnswerBody>, JsonRejection>,
) -> Result<Json<RunSummary>, ResourceError> {
    let Json(AnswerBody { approved, note }) = body?;
    known(&resources, id).await?;
    let answer = Answer { is_approved: approved, by: &actor.0, note: &note };
    let done = flows::record_answer(&resources.workspace().store, id, answer).await;
    done.map_err(|error| ResourceError::refused(&error))?;
    resources.0.parts.wake.wake();
    Ok(Json(summary(&known(&resources, id).await?)))
}

/// A run as lists show it.
#[derive(Serialize, ToSchema)]
pub struct RunSummary {
    id: i64,
    flow: String,
    state: String,
    /// What the run itself says it came to, such as NO_ACTION.
    state_name: String,
    message: String,
    /// When it was started, or asked for while it has not begun.
    started: String,
    ended: Option<String>,
    #[schema(value_type = Object)]
    parameters: Value,
    /// Name of the report it wrote.
    report: Option<String>,
    /// The month it is about.
    period: Option<String>,
    /// Who or what started it.
    cause: String,
    /// When it is to start; none for at once.
    due: Option<String>,
    /// 1 for a run that nobody had to try again.
    attempt: i64,
}

/// A run with all that is known of it.
#[derive(Serialize, ToSchema)]
pub struct RunDetail {
    #[serde(flatten)]
    run: RunSummary,
    tasks: Vec<RunTask>,
    logs: Vec<LogLine>,
    transitions: Vec<Transition>,
    approvals: Vec<Approval>,
}

/// A step of a run.
#[derive(Serialize, ToSchema)]
struct RunTask {
    name: String,
    state: String,
    state_name: String,
    /// The attempt of the run in which it ran.
    attempt: i64,
    started: String,
    duration_ms: Option<f64>,
    error: String,
}

impl From<Task> for RunTask {
    fn from(task: Task) -> Self {
        Self {
            name: task.name,
            state: task.state.as_str().to_owned(),
            state_name: task.state_name,
            attempt: task.attempt,
            started: task.started_at,
            duration_ms: task.duration_ms,
            error: task.message,
        }
    }
}

/// A line of a log.
#[derive(Serialize, ToSchema)]
struct LogLine {
    /// Rises from line to line.
    id: i64,
    time: String,
    level: String,
    message: String,
}

impl From<Log> for LogLine {
    fn from(log: Log) -> Self {
        Self { id: log.id, time: log.at, level: log.level, message: log.message }
    }
}

/// Lines of a log, and how its run stands.
#[derive(Serialize, ToSchema)]
pub struct LogPage {
    state: String,
    state_name: String,
    lines: Vec<LogLine>,
}

pub fn summary(run: &Run) -> RunSummary {
    let run = run.clone();
    RunSummary {
        id: run.id,
        flow: run.flow,
        state: run.state.as_str().to_owned(),
        state_name: run.state_name,
        message: run.message,
        started: run.started_at,
        ended: run.ended_at,
        parameters: run.parameters,
        report: run.report,
        period: run.period,
        cause: run.cause,
        due: run.due_at,
        attempt: run.attempt,
    }
}
