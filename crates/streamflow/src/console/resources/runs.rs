//! Past runs of flows.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ResourceError, Resources};
use crate::store::runs::{Run, RunFilter};

/// Most runs in one answer.
const LIMIT_MAX: i64 = 5000;

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

fn default_limit() -> i64 {
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
    let Some(run) = store.run(id).await.map_err(anyhow::Error::from)? else {
        return Err(ResourceError::not_found(format!("there is no run {id}")));
    };
    let tasks = store.tasks(id).await.map_err(anyhow::Error::from)?;
    let logs = store.logs(id, 0).await.map_err(anyhow::Error::from)?;
    let mut value = summary(&run);
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
    value["logs"] = logs
        .iter()
        .map(|log| json!({ "time": log.at, "level": log.level, "message": log.message }))
        .collect();
    Ok(Json(value))
}

fn summary(run: &Run) -> Value {
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
