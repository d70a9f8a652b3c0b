//! The log of what happened to runs and tasks: it is only ever added to, and each line leads where the rows say.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};
use utoipa::ToSchema;

use super::{State, Store, now, text};

/// One step of a run or a task from a state to the next.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub state: State,
    /// The state in the user's words: `Retrying`, `NO_ACTION`.
    pub name: &'a str,
    pub message: &'a str,
    /// Who asked for it; empty where nobody did.
    pub actor: &'a str,
}

impl<'a> Step<'a> {
    /// A step that nobody asked for.
    pub fn new(state: State, name: &'a str, message: &'a str) -> Self {
        Self { state, name, message, actor: "" }
    }
}

/// A line of the log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Transition {
    /// Name of the task; none for the run itself.
    pub task: Option<String>,
    #[schema(value_type = String)]
    pub state: State,
    pub state_name: String,
    pub message: String,
    /// Who asked for it; empty where nobody did.
    pub actor: String,
    pub at: String,
}

impl FromRow<'_, AnyRow> for Transition {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            task: row.try_get("task")?,
            state: State::of(row, "state")?,
            state_name: row.try_get("state_name")?,
            message: row.try_get("message")?,
            actor: row.try_get("actor")?,
            at: row.try_get("at")?,
        })
    }
}

/// A run that completed.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Line of the log.
    pub id: i64,
    pub run: i64,
    pub flow: String,
    pub period: Option<String>,
    /// The outcome in a word.
    pub state_name: String,
}

impl FromRow<'_, AnyRow> for Completion {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            run: row.try_get("run")?,
            flow: row.try_get("flow")?,
            period: row.try_get("period")?,
            state_name: row.try_get("state_name")?,
        })
    }
}

/// Adds a line.
pub(super) async fn append(
    transaction: &mut Transaction<'_, Any>,
    run: i64,
    task: Option<i64>,
    step: &Step<'_>,
    at: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO transitions (run_id, task_id, state, state_name, message, actor, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(run)
    .bind(task)
    .bind(step.state.as_str())
    .bind(step.name)
    .bind(&*text(step.message))
    .bind(step.actor)
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

impl Store {
    /// Moves a run to its next state; false, and nothing happens, where that state may not follow.
    pub async fn move_run(&self, run: i64, step: &Step<'_>) -> sqlx::Result<bool> {
        let mut transaction =
            if step.state.is_terminal() { self.write_durably().await? } else { self.write().await? };
        let moved = move_in(&mut transaction, run, step).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    /// The runs that completed after a line of the log: the line, the run's number, flow, month and outcome.
    pub async fn completions(&self, after: i64) -> sqlx::Result<Vec<Completion>> {
        sqlx::query_as(
            "SELECT t.id, r.id AS run, r.flow, r.period, t.state_name FROM transitions t JOIN runs r ON r.id = t.run_id
             WHERE t.task_id IS NULL AND t.state = 'completed' AND t.id > $1 ORDER BY t.id",
        )
        .bind(after)
        .fetch_all(&self.pool)
        .await
    }

    /// The last line of the log; 0 before the first.
    pub async fn last_transition(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM transitions").fetch_one(&self.pool).await
    }

    /// What happened to a run and its tasks, in that order.
    pub async fn transitions(&self, run: i64) -> sqlx::Result<Vec<Transition>> {
        sqlx::query_as(
            "SELECT t.state, t.state_name, t.message, t.actor, t.at, tasks.name AS task
             FROM transitions t LEFT JOIN tasks ON tasks.id = t.task_id WHERE t.run_id = $1 ORDER BY t.id",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await
    }
}

/// Moves a run inside a transaction that began as a writer's.
pub(super) async fn move_in(
    transaction: &mut Transaction<'_, Any>,
    run: i64,
    step: &Step<'_>,
) -> sqlx::Result<bool> {
    let row = sqlx::query("SELECT state FROM runs WHERE id = $1").bind(run);
    let Some(row) = row.fetch_optional(&mut **transaction).await? else { return Ok(false) };
    let state = State::of(&row, "state")?;
    if !state.may_become(step.state) {
        return Ok(false);
    }
    let at = now();
    append(transaction, run, None, step, &at).await?;
    sqlx::query(
        "UPDATE runs SET state = $1, state_name = $2, message = $3,
         ended_at = CASE WHEN $4 THEN $5 END,
         started_at = CASE WHEN $1 = 'running' AND 1 = (SELECT COUNT(*) FROM transitions WHERE run_id = $6
                                AND task_id IS NULL AND state = 'running') THEN $5 ELSE started_at END
         WHERE id = $6",
    )
    .bind(step.state.as_str())
    .bind(step.name)
    .bind(&*text(step.message))
    .bind(step.state.is_terminal())
    .bind(at)
    .bind(run)
    .execute(&mut **transaction)
    .await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{each, new_run};

    #[tokio::test]
    async fn a_run_that_waited_for_an_answer_started_when_it_first_ran() {
        each(async |store| {
            let run = store.schedule_run(&new_run("f", &serde_json::json!({}))).await.unwrap().unwrap();
            let mut started = Vec::new();
            for state in [State::Running, State::Paused, State::Scheduled, State::Pending, State::Running] {
                assert!(store.move_run(run, &Step::new(state, state.as_str(), "")).await.unwrap());
                started.push(store.run(run).await.unwrap().unwrap().started_at);
                sqlx::query("UPDATE runs SET started_at = '2024-01-01T00:00:00.000Z'")
                    .execute(&store.pool)
                    .await
                    .unwrap();
            }
            assert_ne!(started[0], "2024-01-01T00:00:00.000Z");
            assert_eq!(started[4], "2024-01-01T00:00:00.000Z");
        })
        .await;
    }

    #[tokio::test]
    async fn a_run_keeps_its_end_and_the_log_has_the_way_there() {
        each(async |store| {
            let parameters = serde_json::json!({"reference": "2024-01-31"});
            let run = store.schedule_run(&new_run("monitor_month", &parameters)).await.unwrap().unwrap();
            let step = async |state, name| store.move_run(run, &Step::new(state, name, "")).await.unwrap();
            assert!(step(State::Running, "Running").await);
            assert!(step(State::Failed, "Failed").await);
            assert!(!step(State::Completed, "NO_ACTION").await, "an end is kept");
            assert!(step(State::Scheduled, "AwaitingRetry").await, "unless somebody retries");
            assert!(step(State::Running, "Retrying").await);
            assert!(step(State::Completed, "NO_ACTION").await);
            assert!(!step(State::Scheduled, "AwaitingRetry").await, "success is for good");

            let names: Vec<String> =
                store.transitions(run).await.unwrap().into_iter().map(|line| line.state_name).collect();
            assert_eq!(names, ["Scheduled", "Running", "Failed", "AwaitingRetry", "Retrying", "NO_ACTION"]);
            let found = store.run(run).await.unwrap().unwrap();
            assert_eq!((found.state, found.state_name.as_str()), (State::Completed, "NO_ACTION"));
            assert!(found.ended_at.is_some());
            assert!(!store.move_run(run + 1, &Step::new(State::Running, "Running", "")).await.unwrap());
        })
        .await;
    }
}
