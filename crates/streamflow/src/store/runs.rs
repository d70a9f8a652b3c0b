//! Runs of flows, their tasks and their logs.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};
use streamflow_drift::{RuleSet, Share};

use super::change::Change as _;
use super::state::State;
use super::transitions::{Step, append, move_in};
use super::{Store, flag_of, json_of, now};

const LAST_SUCCESS: &str = "\
    WITH monitored AS (
        SELECT ended_at, parameters ->> '$.current' || iif(length(parameters ->> '$.current') = 10, 'T24', '') AS current FROM runs
        WHERE flow = $1 AND state = 'completed' AND parameters ->> '$.profile' = $2 AND parameters ->> '$.threshold' = $3
    )
    SELECT MAX(ended_at) FROM monitored WHERE current = (SELECT MAX(current) FROM monitored)";
const LAST_SUCCESS_POSTGRES: &str = "\
    WITH monitored AS (
        SELECT ended_at, (parameters::json ->> 'current')
            || CASE WHEN length(parameters::json ->> 'current') = 10 THEN 'T24' ELSE '' END COLLATE \"C\" AS current
        FROM runs WHERE flow = $1 AND state = 'completed' AND parameters::json ->> 'profile' = $2
        AND (parameters::json ->> 'threshold')::double precision = $3
    )
    SELECT MAX(ended_at) FROM monitored WHERE current = (SELECT MAX(current) FROM monitored)";

/// One run of a flow.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub id: i64,
    pub flow: String,
    pub parameters: Value,
    pub state: State,
    pub state_name: String,
    pub message: String,
    /// When it was started, or asked for while it has not begun.
    pub started_at: String,
    pub ended_at: Option<String>,
    /// Name of the report that it wrote.
    pub report: Option<String>,
    /// The month that it is about.
    pub period: Option<String>,
    /// What started it, in words.
    pub cause: String,
    /// When it is to start; none for at once.
    pub due_at: Option<String>,
    /// 1 for a run that nobody had to try again.
    pub attempt: i64,
    /// Whether it takes over no results of other runs.
    pub afresh: bool,
}

/// The runs of a flow that are in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct RunCount {
    pub flow: String,
    pub state: State,
    pub runs: i64,
    /// When the last of them ended, in seconds since 1970; none where they have not.
    pub last_ended_seconds: Option<f64>,
}

impl FromRow<'_, AnyRow> for RunCount {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            flow: row.try_get("flow")?,
            state: State::of(row, "state")?,
            runs: row.try_get("runs")?,
            last_ended_seconds: seconds(row.try_get("ended_at")?),
        })
    }
}

/// A time of the database in seconds since 1970.
fn seconds(time: Option<String>) -> Option<f64> {
    let time: jiff::Timestamp = time?.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1e3)
}

/// A run to be recorded.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    pub flow: &'a str,
    pub parameters: &'a Value,
    pub period: Option<&'a str>,
    pub cause: &'a str,
    pub due_at: Option<&'a str>,
    /// Names what the run handles; a second run of the same is not recorded.
    pub event: Option<&'a str>,
    /// Whether it takes over no results of other runs.
    pub afresh: bool,
}

/// Which runs a list shows.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    pub flow: Option<String>,
    pub state: Option<String>,
    pub period: Option<String>,
    pub limit: i64,
}

impl FromRow<'_, AnyRow> for Run {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            flow: row.try_get("flow")?,
            parameters: json_of(row, "parameters")?,
            state: State::of(row, "state")?,
            state_name: row.try_get("state_name")?,
            message: row.try_get("message")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
            report: row.try_get("report")?,
            period: row.try_get("period")?,
            cause: row.try_get("cause")?,
            due_at: row.try_get("due_at")?,
            attempt: row.try_get("attempt")?,
            afresh: flag_of(row, "afresh")?,
        })
    }
}

impl Store {
    /// Records a run that is to start, and returns its id; none when its event was handled before.
    pub async fn schedule_run(&self, new: &NewRun<'_>) -> sqlx::Result<Option<i64>> {
        let mut transaction = self.write_durably().await?;
        let at = now();
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO runs (flow, parameters, state, state_name, started_at, period, cause, due_at, event, afresh)
             VALUES ($1, $2, 'scheduled', 'Scheduled', $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(new.flow)
        .bind(new.parameters.to_string())
        .bind(&at)
        .bind(new.period)
        .bind(new.cause)
        .bind(new.due_at)
        .bind(new.event)
        .bind(i64::from(new.afresh))
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(id) = id {
            let step = Step { state: State::Scheduled, name: "Scheduled", message: "", actor: new.cause };
            append(&mut transaction, id, None, &step, &at).await?;
        }
        transaction.commit().await?;
        Ok(id)
    }

    /// Schedules the next attempt of a run that failed, crashed or was cancelled, or of one that is about to fail; false
    /// where none may follow.
    pub async fn schedule_attempt(
        &self,
        run: i64,
        message: &str,
        actor: &str,
        due_at: &str,
    ) -> sqlx::Result<bool> {
        let mut transaction = self.write_durably().await?;
        let step = Step { state: State::Scheduled, name: "AwaitingRetry", message, actor };
        let moved = move_in(&mut transaction, run, &step).await?;
        if moved {
            sqlx::query("UPDATE runs SET attempt = attempt + 1, due_at = $1 WHERE id = $2")
                .bind(due_at)
                .bind(run)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(moved)
    }

    /// Records which report a run wrote.
    pub async fn set_report(&self, run: i64, report: &str) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE runs SET report = $1 WHERE id = $2");
        update.bind(report).bind(run).change(self).await.map(drop)
    }

    /// The last run that wrote each report, by the report's name.
    pub async fn runs_of_reports(&self) -> sqlx::Result<HashMap<String, i64>> {
        let pairs: Vec<(String, i64)> =
            sqlx::query_as("SELECT report, MAX(id) FROM runs WHERE report IS NOT NULL GROUP BY report")
                .fetch_all(&self.pool)
                .await?;
        Ok(pairs.into_iter().collect())
    }

    /// The newest runs first.
    pub async fn runs(&self, filter: &RunFilter) -> sqlx::Result<Vec<Run>> {
        sqlx::query_as(
            "SELECT * FROM runs WHERE ($1 IS NULL OR flow = $1) AND ($2 IS NULL OR state = $2 OR state_name = $2)
             AND ($3 IS NULL OR period = $3) ORDER BY id DESC LIMIT $4",
        )
        .bind(&filter.flow)
        .bind(&filter.state)
        .bind(&filter.period)
        .bind(filter.limit)
        .fetch_all(&self.pool)
        .await
    }

    /// The runs that completed in a stretch of time with a verdict of their own, the newest first.
    pub async fn decisions_between(&self, from: &str, to: &str, limit: i64) -> sqlx::Result<Vec<Run>> {
        sqlx::query_as(
            "SELECT * FROM runs WHERE state = 'completed' AND state_name NOT IN ('', 'Completed')
             AND ended_at BETWEEN $1 AND $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }

    /// The runs that wait for their turn, oldest first.
    pub async fn scheduled_runs(&self) -> sqlx::Result<Vec<Run>> {
        sqlx::query_as(
            "SELECT * FROM runs WHERE state = 'scheduled' ORDER BY COALESCE(due_at, started_at), id",
        )
        .fetch_all(&self.pool)
        .await
    }

    /// The runs that crashed within the last day, oldest first.
    pub async fn crashed_runs(&self) -> sqlx::Result<Vec<Run>> {
        let since = format!("{:.3}", jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24));
        sqlx::query_as("SELECT * FROM runs WHERE state = 'crashed' AND ended_at > $1 ORDER BY id")
            .bind(since)
            .fetch_all(&self.pool)
            .await
    }

    /// True where a run of the flow about that month waits for its turn.
    pub async fn is_waiting(&self, flow: &str, period: &str) -> sqlx::Result<bool> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM runs WHERE flow = $1 AND period = $2 AND state = 'scheduled' LIMIT 1",
        )
        .bind(flow)
        .bind(period)
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }

    /// Runs so far by flow and state.
    pub async fn run_counts(&self) -> sqlx::Result<Vec<RunCount>> {
        let counts = "SELECT flow, state, COUNT(*) AS runs, MAX(ended_at) AS ended_at FROM runs
                      GROUP BY flow, state ORDER BY flow, state";
        sqlx::query_as(counts).fetch_all(&self.pool).await
    }

    /// How many runs of each flow wait although they were due at `before` or earlier; flows without such are left out.
    pub async fn late_runs(&self, before: &str) -> sqlx::Result<Vec<(String, i64)>> {
        let late = "SELECT flow, COUNT(*) FROM runs
                    WHERE state = 'scheduled' AND COALESCE(due_at, started_at) <= $1 GROUP BY flow ORDER BY flow";
        sqlx::query_as(late).bind(before).fetch_all(&self.pool).await
    }

    /// When a run of the flow last completed that compared the newest month under these rules, in seconds since 1970.
    /// A comparison of an older month, or under other rules, is no sign that monitoring keeps up.
    pub async fn last_success(
        &self,
        flow: &str,
        profile: RuleSet,
        threshold: Share,
    ) -> sqlx::Result<Option<f64>> {
        let ended: Option<String> = sqlx::query_scalar(self.spelled(LAST_SUCCESS, LAST_SUCCESS_POSTGRES))
            .bind(flow)
            .bind(profile.as_str())
            .bind(threshold.get())
            .fetch_one(&self.pool)
            .await?;
        Ok(seconds(ended))
    }

    /// One run, if there is one of that id.
    pub async fn run(&self, id: i64) -> sqlx::Result<Option<Run>> {
        sqlx::query_as("SELECT * FROM runs WHERE id = $1").bind(id).fetch_optional(&self.pool).await
    }
}

#[cfg(test)]
mod tests {
    use streamflow_drift::DRIFT_SHARE_THRESHOLD;

    use super::*;
    use crate::store::{each, new_run};

    #[tokio::test]
    async fn an_event_is_handled_by_one_run() {
        each(async |store| {
            let parameters = serde_json::json!({});
            let new = |event| NewRun { event, ..new_run("f", &parameters) };
            assert_eq!(store.schedule_run(&new(Some("drop 2024-02-29"))).await.unwrap(), Some(1));
            assert_eq!(store.schedule_run(&new(Some("drop 2024-02-29"))).await.unwrap(), None);
            // Postgres has given the number of the one that was none.
            let second = store.schedule_run(&new(None)).await.unwrap().unwrap();
            let third = store.schedule_run(&new(None)).await.unwrap().unwrap();
            assert!(1 < second && second < third);
            let states =
                |state: &str| RunFilter { state: Some(state.into()), limit: 10, ..Default::default() };
            assert_eq!(store.runs(&states("scheduled")).await.unwrap().len(), 3);
            assert_eq!(store.runs(&states("completed")).await.unwrap().len(), 0);
            assert_eq!(store.runs(&RunFilter { limit: 2, ..Default::default() }).await.unwrap()[0].id, third);
        })
        .await;
    }

    #[tokio::test]
    async fn only_the_newest_month_under_the_configured_rules_is_a_success_of_monitoring() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let last = || store.last_success("monitor_month", RuleSet::Calibrated, DRIFT_SHARE_THRESHOLD);
        assert_eq!(last().await.unwrap(), None);
        let mut found = Vec::new();
        for (current, profile, threshold, state) in [
            ("2024-03-31", "calibrated", 0.3, State::Failed),
            ("2024-03-31", "calibrated", 0.3, State::Completed),
            ("2024-02-29", "calibrated", 0.3, State::Completed),
            ("2024-04-30", "evidently", 0.3, State::Completed),
            ("2024-04-30", "calibrated", 0.5, State::Completed),
            ("2024-04-30", "calibrated", 0.3, State::Completed),
        ] {
            let parameters =
                serde_json::json!({"current": current, "profile": profile, "threshold": threshold});
            let run = store.schedule_run(&new_run("monitor_month", &parameters)).await.unwrap().unwrap();
            for state in [State::Running, state] {
                let step = Step { state, name: "NO_ACTION", message: "", actor: "" };
                assert!(store.move_run(run, &step).await.unwrap());
            }
            // The next run ends at a later millisecond, the unit in which the end is kept.
            let ended_ms = jiff::Timestamp::now().as_millisecond();
            while jiff::Timestamp::now().as_millisecond() == ended_ms {
                tokio::task::yield_now().await;
            }
            found.push(last().await.unwrap());
        }
        assert!(found[0].is_none() && found[1].unwrap() > 1.7e9);
        assert_eq!(found[1..5], [found[1]; 4], "an older month or other rules reset no clock");
        assert!(found[5] > found[4]);
    }
}
