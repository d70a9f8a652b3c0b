//! Runs of flows, their tasks and their logs.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use streamflow_drift::{RuleSet, Share};

use super::{Store, json_of, now, process};

const LAST_SUCCESS: &str = "\
    WITH monitored AS (
        SELECT ended_at, parameters ->> '$.current' AS current FROM runs
        WHERE flow = ? AND state = 'completed' AND parameters ->> '$.profile' = ? AND parameters ->> '$.threshold' = ?
    )
    SELECT MAX(ended_at) FROM monitored WHERE current = (SELECT MAX(current) FROM monitored)";

/// How far a run or a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Running,
    Completed,
    Failed,
}

impl State {
    /// The state's name, as the database, metrics and the terminal have it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Completed => "completed",
            State::Failed => "failed",
        }
    }

    /// Reads a column that holds [`State::as_str`].
    fn of(row: &SqliteRow, column: &str) -> sqlx::Result<Self> {
        let word: String = row.try_get(column)?;
        let state = [State::Running, State::Completed, State::Failed]
            .into_iter()
            .find(|state| state.as_str() == word);
        state.ok_or_else(|| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: format!("{word:?} is no state of a run").into(),
        })
    }
}

/// One run of a flow.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub id: i64,
    pub flow: String,
    pub parameters: Value,
    pub state: State,
    pub state_name: String,
    pub message: String,
    pub started_at: String,
    pub ended_at: Option<String>,
    /// Name of the report that it wrote.
    pub report: Option<String>,
}

/// One named step of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Task {
    pub name: String,
    pub state: State,
    pub message: String,
    pub started_at: String,
    pub duration_ms: Option<f64>,
}

/// One line of a run's log.
#[derive(Debug, Clone, Serialize)]
pub struct Log {
    pub level: String,
    pub message: String,
    pub at: String,
}

impl FromRow<'_, SqliteRow> for Run {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
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
        })
    }
}

impl FromRow<'_, SqliteRow> for Task {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            state: State::of(row, "state")?,
            message: row.try_get("message")?,
            started_at: row.try_get("started_at")?,
            duration_ms: row.try_get("duration_ms")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Log {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self { level: row.try_get("level")?, message: row.try_get("message")?, at: row.try_get("at")? })
    }
}

impl Store {
    /// Records the start of a run and returns its id.
    pub async fn start_run(&self, flow: &str, parameters: &serde_json::Value) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "INSERT INTO runs (flow, parameters, state, state_name, started_at, process)
             VALUES (?, ?, 'running', 'Running', ?, ?) RETURNING id",
        )
        .bind(flow)
        .bind(parameters.to_string())
        .bind(now())
        .bind(process::own())
        .fetch_one(&self.pool)
        .await
    }

    /// Ends, as crashed, the runs whose process is gone without having said how they ended.
    pub async fn end_crashed_runs(&self) -> sqlx::Result<()> {
        let running: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, process FROM runs WHERE state = 'running' AND process IS NOT NULL")
                .fetch_all(&self.pool)
                .await?;
        for (run, _) in running.into_iter().filter(|(_, process)| process::is_gone(process)) {
            let message = "its process ended before the run did: it was killed, or the machine went down";
            self.finish_run(run, State::Failed, "Crashed", message).await?;
        }
        Ok(())
    }

    /// Records the end of a run. A run that has ended keeps its state.
    pub async fn finish_run(&self, run: i64, state: State, name: &str, message: &str) -> sqlx::Result<()> {
        sqlx::query(
            "UPDATE runs SET state = ?, state_name = ?, message = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL",
        )
        .bind(state.as_str())
        .bind(name)
        .bind(message)
        .bind(now())
        .bind(run)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Records the start of a task and returns its id.
    pub async fn start_task(&self, run: i64, name: &str) -> sqlx::Result<i64> {
        sqlx::query_scalar(
            "INSERT INTO tasks (run_id, name, state, started_at) VALUES (?, ?, 'running', ?) RETURNING id",
        )
        .bind(run)
        .bind(name)
        .bind(now())
        .fetch_one(&self.pool)
        .await
    }

    /// Records the end of a task.
    pub async fn finish_task(
        &self,
        task: i64,
        state: State,
        message: &str,
        duration_ms: f64,
    ) -> sqlx::Result<()> {
        sqlx::query("UPDATE tasks SET state = ?, message = ?, duration_ms = ? WHERE id = ?")
            .bind(state.as_str())
            .bind(message)
            .bind(duration_ms)
            .bind(task)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Records which report a run wrote.
    pub async fn set_report(&self, run: i64, report: &str) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE runs SET report = ? WHERE id = ?");
        update.bind(report).bind(run).execute(&self.pool).await.map(drop)
    }

    /// The last run that wrote each report, by the report's name.
    pub async fn runs_of_reports(&self) -> sqlx::Result<HashMap<String, i64>> {
        let pairs: Vec<(String, i64)> =
            sqlx::query_as("SELECT report, MAX(id) FROM runs WHERE report IS NOT NULL GROUP BY report")
                .fetch_all(&self.pool)
                .await?;
        Ok(pairs.into_iter().collect())
    }

    /// Adds a line to a run's log.
    pub async fn log(&self, run: i64, level: &str, message: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO logs (run_id, level, message, at) VALUES (?, ?, ?, ?)")
            .bind(run)
            .bind(level)
            .bind(message)
            .bind(now())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The newest runs first, at most `limit`.
    pub async fn runs(&self, limit: i64) -> sqlx::Result<Vec<Run>> {
        sqlx::query_as("SELECT * FROM runs ORDER BY id DESC LIMIT ?").bind(limit).fetch_all(&self.pool).await
    }

    /// Runs so far by flow and state.
    pub async fn run_counts(&self) -> sqlx::Result<Vec<(String, State, i64)>> {
        let counts =
            "SELECT flow, state, COUNT(*) AS runs FROM runs GROUP BY flow, state ORDER BY flow, state";
        let rows = sqlx::query(counts).fetch_all(&self.pool).await?;
        let count =
            |row| Ok((SqliteRow::try_get(row, "flow")?, State::of(row, "state")?, row.try_get("runs")?));
        rows.iter().map(count).collect()
    }

    /// When a run of the flow last completed that compared the newest month under these rules, in seconds since 1970.
    /// A comparison of an older month, or under other rules, is no sign that monitoring keeps up.
    pub async fn last_success(
        &self,
        flow: &str,
        profile: RuleSet,
        threshold: Share,
    ) -> sqlx::Result<Option<f64>> {
        let ended: Option<String> = sqlx::query_scalar(LAST_SUCCESS)
            .bind(flow)
            .bind(profile.as_str())
            .bind(threshold.get())
            .fetch_one(&self.pool)
            .await?;
        let ended = ended.and_then(|ended| ended.parse::<jiff::Timestamp>().ok());
        Ok(ended.map(|ended| ended.as_millisecond() as f64 / 1e3))
    }

    /// One run, if there is one of that id.
    pub async fn run(&self, id: i64) -> sqlx::Result<Option<Run>> {
        sqlx::query_as("SELECT * FROM runs WHERE id = ?").bind(id).fetch_optional(&self.pool).await
    }

    /// The tasks of a run in the order they began.
    pub async fn tasks(&self, run: i64) -> sqlx::Result<Vec<Task>> {
        sqlx::query_as(
            "SELECT name, state, message, started_at, duration_ms FROM tasks WHERE run_id = ? ORDER BY id",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await
    }

    /// The log of a run in the order it was written.
    pub async fn logs(&self, run: i64) -> sqlx::Result<Vec<Log>> {
        sqlx::query_as("SELECT level, message, at FROM logs WHERE run_id = ? ORDER BY id")
            .bind(run)
            .fetch_all(&self.pool)
            .await
    }
}

#[cfg(test)]
mod tests {
    use streamflow_drift::DRIFT_SHARE_THRESHOLD;

    use super::*;
    use crate::store::temporary;

    #[tokio::test]
    async fn a_run_whose_process_is_gone_has_crashed() {
        let (_dir, store) = temporary().await;
        let parameters = serde_json::json!({});
        let [alive, gone] = [
            store.start_run("f", &parameters).await.unwrap(),
            store.start_run("f", &parameters).await.unwrap(),
        ];
        let other = process::own().unwrap().replace(&format!(" {} ", std::process::id()), " 4194305 ");
        sqlx::query("UPDATE runs SET process = ? WHERE id = ?")
            .bind(other)
            .bind(gone)
            .execute(&store.pool)
            .await
            .unwrap();
        store.end_crashed_runs().await.unwrap();
        assert_eq!(store.run(alive).await.unwrap().unwrap().state, State::Running);
        let run = store.run(gone).await.unwrap().unwrap();
        assert_eq!((run.state, run.state_name.as_str()), (State::Failed, "Crashed"));
    }

    #[tokio::test]
    async fn a_run_keeps_its_first_end_state() {
        let (_dir, store) = temporary().await;
        let run =
            store.start_run("monitor_month", &serde_json::json!({"reference": "2024-01-31"})).await.unwrap();
        let task = store.start_task(run, "drift_report").await.unwrap();
        store.finish_task(task, State::Failed, "no snapshot", 1.5).await.unwrap();
        store.log(run, "error", "no snapshot").await.unwrap();
        store.finish_run(run, State::Failed, "Failed", "no snapshot").await.unwrap();
        store.finish_run(run, State::Completed, "NO_ACTION", "").await.unwrap();

        let found = store.run(run).await.unwrap().unwrap();
        assert_eq!((found.state, found.message.as_str()), (State::Failed, "no snapshot"));
        assert!(found.ended_at.is_some());
        assert_eq!(store.tasks(run).await.unwrap()[0].duration_ms, Some(1.5));
        assert_eq!(store.logs(run).await.unwrap().len(), 1);
        assert_eq!(store.run_counts().await.unwrap(), [("monitor_month".into(), State::Failed, 1)]);
        let second = store.start_run("monitor_month", &serde_json::json!({})).await.unwrap();
        assert!(store.run(second + 1).await.unwrap().is_none());
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
            let run = store.start_run("monitor_month", &parameters).await.unwrap();
            store.finish_run(run, state, "NO_ACTION", "").await.unwrap();
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
