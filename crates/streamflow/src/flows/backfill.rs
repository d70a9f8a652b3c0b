//! Runs for months of the past, and schedules that are paused.

use anyhow::bail;
use serde_json::{Map, Value, json};
use streamflow_dataset::Period;

use super::blocking;
use super::catalog::Known;
use super::start::{Start, schedule};
use crate::store::runs::RunFilter;
use crate::store::{State, Store};
use crate::workspace::Workspace;

/// Runs of one flow and month that are looked at for one that completed.
const RUNS_OF_MONTH: i64 = 1_000;

/// The months of a backfill.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub from: Period,
    pub to: Period,
    /// Whether months of which a run has completed are left out.
    pub failed_only: bool,
}

/// Records a run for each ingested month of the range, oldest first, and gives their numbers. A month whose run still
/// waits has none more.
///
/// # Errors
/// A flow whose runs are about no month; a range without an ingested one; parameters that the flow does not take.
pub async fn backfill(
    workspace: &Workspace,
    flow: Known<'_>,
    range: Range,
    given: &Map<String, Value>,
    cause: &str,
) -> anyhow::Result<Vec<i64>> {
    let Some(name) = flow.period_parameter() else { bail!("runs of flow {} are about no month", flow.name) };
    let Range { from, to, failed_only } = range;
    if from > to {
        bail!("the first, {from}, is after the last, {to}; the first comes first");
    }
    let snapshots = workspace.snapshots.clone();
    let months: Vec<Period> =
        blocking(move || Ok(snapshots.snapshots()?.iter().map(|snapshot| snapshot.as_of).collect())).await?;
    let months: Vec<Period> = months.into_iter().filter(|month| (from..=to).contains(month)).collect();
    if months.is_empty() {
        bail!("no snapshot from {from} to {to} was ingested");
    }
    let mut runs = Vec::new();
    for month in months {
        let period = month.to_string();
        let has_completed = failed_only && completed(&workspace.store, flow.name, &period).await?;
        if has_completed || workspace.store.is_waiting(flow.name, &period).await? {
            continue;
        }
        let mut given = given.clone();
        given.insert(name.to_owned(), json!(month));
        let parameters = flow.parameters(&given)?;
        let start = Start::now(&parameters, cause);
        runs.extend(schedule(workspace, flow, &start).await?);
    }
    Ok(runs)
}

async fn completed(store: &Store, flow: &str, period: &str) -> anyhow::Result<bool> {
    let filter = RunFilter {
        flow: Some(flow.to_owned()),
        state: Some(State::Completed.as_str().to_owned()),
        period: Some(period.to_owned()),
        limit: RUNS_OF_MONTH,
    };
    Ok(store.runs(&filter).await?.iter().any(|run| run.state == State::Completed))
}

/// Pauses or resumes the schedule of a flow. The times that pass meanwhile are not run.
///
/// # Errors
/// A flow without a schedule.
pub async fn pause(store: &Store, flow: Known<'_>, paused: bool) -> anyhow::Result<()> {
    if flow.schedule()?.is_none() {
        bail!("flow {} has no schedule; set one in flows.{}.schedule", flow.name, flow.name);
    }
    if !paused {
        store.set_handled(flow.name, &jiff::Timestamp::now().to_string(), &[]).await?;
    }
    Ok(store.pause_schedule(flow.name, paused).await?)
}
