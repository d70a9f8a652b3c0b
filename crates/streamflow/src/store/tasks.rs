//! The named steps of runs, and what a later attempt of the same run takes over from them.

use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::logs::add_lines;
use super::transitions::{Step, append};
use super::{State, Store, now, text};

/// One named step of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Task {
    pub name: String,
    pub state: State,
    pub state_name: String,
    pub message: String,
    pub started_at: String,
    pub duration_ms: Option<f64>,
    /// The attempt of the run in which it ran.
    pub attempt: i64,
}

impl FromRow<'_, AnyRow> for Task {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let state = State::of(row, "state")?;
        let name: String = row.try_get("state_name")?;
        Ok(Self {
            name: row.try_get("name")?,
            state,
            state_name: if name.is_empty() { state.as_str().to_owned() } else { name },
            message: row.try_get("message")?,
            started_at: row.try_get("started_at")?,
            duration_ms: row.try_get("duration_ms")?,
            attempt: row.try_get("attempt")?,
        })
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy)]
pub struct TaskEnd<'a> {
    pub step: Step<'a>,
    pub duration_ms: f64,
    /// What a later attempt takes instead of running the task.
    pub output: Option<&'a Value>,
    /// Hash of what the output was made from, where other runs may take it too.
    pub input: Option<&'a str>,
    /// Level and line that the run's log gets; none where the line is empty.
    pub line: (&'a str, &'a str),
}

/// What a task of another run gave for the same input.
#[derive(Debug, Clone)]
pub struct Kept {
    pub run: i64,
    pub output: Value,
}

impl Store {
    /// Records the start of a task and returns its id.
    pub async fn start_task(&self, run: i64, name: &str, attempt: i64) -> sqlx::Result<i64> {
        let mut transaction = self.write().await?;
        let at = now();
        let id = sqlx::query_scalar(
            "INSERT INTO tasks (run_id, name, state, state_name, started_at, attempt)
             VALUES ($1, $2, 'running', 'Running', $3, $4) RETURNING id",
        )
        .bind(run)
        .bind(name)
        .bind(&at)
        .bind(attempt)
        .fetch_one(&mut *transaction)
        .await?;
        append(&mut transaction, run, Some(id), &Step::new(State::Running, "Running", ""), &at).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Moves a task to a state between its start and its end.
    pub async fn move_task(&self, run: i64, task: i64, step: &Step<'_>) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        append(&mut transaction, run, Some(task), step, &now()).await?;
        sqlx::query("UPDATE tasks SET state = $1, state_name = $2, message = $3 WHERE id = $4")
            .bind(step.state.as_str())
            .bind(step.name)
            .bind(&*text(step.message))
            .bind(task)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Records the end of a task and its line in the run's log.
    pub async fn finish_task(&self, run: i64, task: i64, end: &TaskEnd<'_>) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        let at = now();
        append(&mut transaction, run, Some(task), &end.step, &at).await?;
        let (level, line) = end.line;
        if !line.is_empty() {
            add_lines(&mut transaction, run, level, &[line], &at).await?;
        }
        sqlx::query(
            "UPDATE tasks SET state = $1, state_name = $2, message = $3, duration_ms = $4, output = $5, input = $6
             WHERE id = $7",
        )
        .bind(end.step.state.as_str())
        .bind(end.step.name)
        .bind(&*text(end.step.message))
        .bind(end.duration_ms)
        .bind(end.output.map(Value::to_string))
        .bind(end.input)
        .bind(task)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// The newest output that a task of any run gave for an input, where it ran itself and ended at `since` or later.
    pub async fn kept_output(&self, input: &str, since: &str) -> sqlx::Result<Option<Kept>> {
        let row: Option<(i64, String)> = sqlx::query_as(
            "SELECT tasks.run_id, output FROM tasks
             JOIN transitions t ON t.task_id = tasks.id AND t.state_name = 'Completed'
             WHERE input = $1 AND tasks.state_name = 'Completed' AND output IS NOT NULL AND t.at >= $2
             ORDER BY tasks.id DESC LIMIT 1",
        )
        .bind(input)
        .bind(since)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.and_then(|(run, output)| Some(Kept { run, output: serde_json::from_str(&output).ok()? })))
    }

    /// Records a task that took the output of another run, whose number the message says.
    pub async fn cached_task(&self, run: i64, name: &str, attempt: i64, kept: &Kept) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        let (at, message) =
            (now(), format!("the inputs are those of run {}, whose result is taken", kept.run));
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO tasks (run_id, name, state, state_name, message, started_at, duration_ms, attempt, output)
             VALUES ($1, $2, 'completed', 'Cached', $3, $4, 0, $5, $6) RETURNING id",
        )
        .bind(run)
        .bind(name)
        .bind(&message)
        .bind(&at)
        .bind(attempt)
        .bind(kept.output.to_string())
        .fetch_one(&mut *transaction)
        .await?;
        append(&mut transaction, run, Some(id), &Step::new(State::Completed, "Cached", &message), &at)
            .await?;
        transaction.commit().await
    }

    /// The outputs of the tasks of a run that have completed, oldest first.
    pub async fn outputs(&self, run: i64) -> sqlx::Result<Vec<(String, Value)>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT name, output FROM tasks WHERE run_id = $1 AND state = 'completed' AND output IS NOT NULL ORDER BY id",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await?;
        let parsed = |(name, output): (String, String)| Some((name, serde_json::from_str(&output).ok()?));
        Ok(rows.into_iter().filter_map(parsed).collect())
    }

    /// Forgets what the tasks of a run gave, from the one of that name on, so that they run again, whatever other runs
    /// gave.
    pub async fn run_afresh(&self, run: i64, from: Option<&str>) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE runs SET afresh = 1 WHERE id = $1").bind(run).execute(&mut *transaction).await?;
        sqlx::query(
            "UPDATE tasks SET output = NULL WHERE run_id = $1
             AND ($2 IS NULL OR id >= (SELECT MIN(id) FROM tasks WHERE run_id = $1 AND name = $2))",
        )
        .bind(run)
        .bind(from)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// The tasks of a run in the order they began.
    pub async fn tasks(&self, run: i64) -> sqlx::Result<Vec<Task>> {
        sqlx::query_as("SELECT * FROM tasks WHERE run_id = $1 ORDER BY id")
            .bind(run)
            .fetch_all(&self.pool)
            .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{each, new_run};

    #[tokio::test]
    async fn a_later_attempt_finds_what_was_completed() {
        each(async |store| {
            let run = store.schedule_run(&new_run("f", &json!({}))).await.unwrap().unwrap();
            for (name, state, output) in [
                ("ingest", State::Completed, Some(json!({"rows": 3}))),
                ("compare", State::Completed, None),
                ("train", State::Failed, None),
                ("monitor", State::Completed, Some(json!("NO_ACTION"))),
            ] {
                let task = store.start_task(run, name, 1).await.unwrap();
                let step = Step::new(state, "Completed", "");
                let end = TaskEnd {
                    step,
                    duration_ms: 1.5,
                    output: output.as_ref(),
                    input: None,
                    line: ("info", ""),
                };
                store.finish_task(run, task, &end).await.unwrap();
            }
            let names = async || {
                store.outputs(run).await.unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
            };
            assert_eq!(names().await, ["ingest", "monitor"]);
            assert_eq!(store.tasks(run).await.unwrap()[0].duration_ms, Some(1.5));
            store.run_afresh(run, Some("train")).await.unwrap();
            assert_eq!(names().await, ["ingest"]);
            store.run_afresh(run, None).await.unwrap();
            assert!(names().await.is_empty());
        })
        .await;
    }
}
