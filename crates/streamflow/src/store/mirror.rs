//! What a Prefect server was told of each run, and what is next.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::change::Change as _;
use super::{State, Store, flag_of, now};

/// Most lines of each kind that are read at once.
const LINES_MAX: i64 = 200;

/// How much of a run was told.
#[derive(Debug, Clone)]
pub struct Mirrored {
    /// The run's id there; none until it was made.
    pub prefect_id: Option<String>,
    /// A worker started it, so it was there before.
    pub is_attached: bool,
    /// It is not to be told more.
    pub is_closed: bool,
    pub position: Position,
    /// The last state of the run that was told beside waiting ones; none before the first.
    pub last: Option<State>,
}

/// The last line of each kind that was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    pub transition: i64,
    pub log: i64,
    pub artifact: i64,
}

impl FromRow<'_, AnyRow> for Mirrored {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let last: Option<String> = row.try_get("last")?;
        Ok(Self {
            prefect_id: row.try_get("prefect_id")?,
            is_attached: flag_of(row, "is_attached")?,
            is_closed: flag_of(row, "is_closed")?,
            position: Position {
                transition: row.try_get("transition")?,
                log: row.try_get("log")?,
                artifact: row.try_get("artifact")?,
            },
            last: last.map(|_| State::of(row, "last")).transpose()?,
        })
    }
}

/// A transition with what is to be told of its task.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: i64,
    pub state: State,
    pub state_name: String,
    pub message: String,
    pub at: String,
    pub task: Option<ToldTask>,
}

/// The task of a transition.
#[derive(Debug, Clone)]
pub struct ToldTask {
    pub id: i64,
    pub name: String,
    pub started_at: String,
    pub duration_ms: Option<f64>,
    pub attempt: i64,
    /// How often it was running up to the transition.
    pub run_count: i64,
}

impl FromRow<'_, AnyRow> for Told {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let task: Option<i64> = row.try_get("task_id")?;
        let task = match task {
            Some(id) => Some(ToldTask {
                id,
                name: row.try_get("name")?,
                started_at: row.try_get("started_at")?,
                duration_ms: row.try_get("duration_ms")?,
                attempt: row.try_get("attempt")?,
                run_count: row.try_get("run_count")?,
            }),
            None => None,
        };
        Ok(Self {
            id: row.try_get("id")?,
            state: State::of(row, "state")?,
            state_name: row.try_get("state_name")?,
            message: row.try_get("message")?,
            at: row.try_get("at")?,
            task,
        })
    }
}

/// A line of the log with the task that ran when it was written.
#[derive(Debug, Clone)]
pub struct ToldLog {
    pub id: i64,
    pub level: String,
    pub message: String,
    pub at: String,
    pub task: Option<i64>,
}

impl FromRow<'_, AnyRow> for ToldLog {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            level: row.try_get("level")?,
            message: row.try_get("message")?,
            at: row.try_get("at")?,
            task: row.try_get("task")?,
        })
    }
}

/// A document of a run.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub id: i64,
    pub key: String,
    pub markdown: String,
}

impl FromRow<'_, AnyRow> for Artifact {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { id: row.try_get("id")?, key: row.try_get("key")?, markdown: row.try_get("markdown")? })
    }
}

impl Store {
    /// Begins to tell of a run. `attached` is the run there that a worker started this process for.
    pub async fn begin_mirror(&self, run: i64, attached: Option<&str>) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("INSERT INTO mirrored (run_id) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(run)
            .execute(&mut *transaction)
            .await?;
        if let Some(id) = attached {
            sqlx::query(
                "UPDATE mirrored SET prefect_id = $1, is_attached = 1 WHERE run_id = $2 AND prefect_id IS NULL",
            )
            .bind(id)
            .bind(run)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// How much of a run was told; none where nothing is told of it.
    pub async fn mirrored(&self, run: i64) -> sqlx::Result<Option<Mirrored>> {
        sqlx::query_as(
            "SELECT *, (SELECT t.state FROM transitions t WHERE t.run_id = mirrored.run_id AND t.task_id IS NULL
                AND t.id <= mirrored.transition AND t.state NOT IN ('scheduled', 'pending')
                ORDER BY t.id DESC LIMIT 1) AS last
             FROM mirrored WHERE run_id = $1",
        )
        .bind(run)
        .fetch_optional(&self.pool)
        .await
    }

    /// Records the run's id there.
    pub async fn set_prefect_id(&self, run: i64, id: &str) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE mirrored SET prefect_id = $1 WHERE run_id = $2");
        update.bind(id).bind(run).change(self).await.map(drop)
    }

    /// Records how much was told.
    pub async fn set_mirrored(&self, run: i64, position: Position) -> sqlx::Result<()> {
        sqlx::query("UPDATE mirrored SET transition = $1, log = $2, artifact = $3 WHERE run_id = $4")
            .bind(position.transition)
            .bind(position.log)
            .bind(position.artifact)
            .bind(run)
            .change(self)
            .await
            .map(drop)
    }

    /// Ends what is told of a run.
    pub async fn close_mirror(&self, run: i64) -> sqlx::Result<()> {
        let update = sqlx::query("UPDATE mirrored SET is_closed = 1 WHERE run_id = $1");
        update.bind(run).change(self).await.map(drop)
    }

    /// The transitions of a run that were not told, oldest first, at most some hundred.
    pub async fn transitions_to_tell(&self, run: i64, after: i64) -> sqlx::Result<Vec<Told>> {
        sqlx::query_as(
            "SELECT t.*, tasks.name, tasks.started_at, tasks.duration_ms, tasks.attempt,
                (SELECT COUNT(*) FROM transitions r WHERE r.task_id = t.task_id AND r.id <= t.id AND r.state = 'running')
                    AS run_count
             FROM transitions t LEFT JOIN tasks ON tasks.id = t.task_id
             WHERE t.run_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3",
        )
        .bind(run)
        .bind(after)
        .bind(LINES_MAX)
        .fetch_all(&self.pool)
        .await
    }

    /// The lines of a run's log that were not told, oldest first, at most some hundred.
    pub async fn logs_to_tell(&self, run: i64, after: i64) -> sqlx::Result<Vec<ToldLog>> {
        sqlx::query_as(
            "SELECT l.*, (SELECT MAX(id) FROM tasks WHERE tasks.run_id = l.run_id AND tasks.started_at <= l.at) AS task
             FROM logs l WHERE l.run_id = $1 AND l.id > $2 ORDER BY l.id LIMIT $3",
        )
        .bind(run)
        .bind(after)
        .bind(LINES_MAX)
        .fetch_all(&self.pool)
        .await
    }

    /// Keeps a document of a run.
    pub async fn keep_artifact(&self, run: i64, key: &str, markdown: &str) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO artifacts (run_id, key, markdown, at) VALUES ($1, $2, $3, $4)")
            .bind(run)
            .bind(key)
            .bind(markdown)
            .bind(now())
            .change(self)
            .await
            .map(drop)
    }

    /// The documents of a run that were not told, oldest first.
    pub async fn artifacts_to_tell(&self, run: i64, after: i64) -> sqlx::Result<Vec<Artifact>> {
        sqlx::query_as("SELECT * FROM artifacts WHERE run_id = $1 AND id > $2 ORDER BY id LIMIT $3")
            .bind(run)
            .bind(after)
            .bind(LINES_MAX)
            .fetch_all(&self.pool)
            .await
    }

    /// The runs of the last day that nobody works on and of which not all was told, oldest first; not those that came to
    /// their state after `before`, which their own process may still tell of.
    pub async fn runs_to_tell(&self, before: &str) -> sqlx::Result<Vec<i64>> {
        let since = format!("{:.3}", jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24));
        sqlx::query_scalar(
            "SELECT m.run_id FROM mirrored m JOIN runs r ON r.id = m.run_id
             WHERE m.is_closed = 0 AND r.state NOT IN ('pending', 'running', 'cancelling')
             AND (SELECT MAX(t.at) FROM transitions t WHERE t.run_id = m.run_id AND t.id > m.transition) BETWEEN $1 AND $2
             ORDER BY m.run_id LIMIT $3",
        )
        .bind(since)
        .bind(before)
        .bind(LINES_MAX)
        .fetch_all(&self.pool)
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::transitions::Step;
    use crate::store::{each, new_run};

    const ID: &str = "d689ca4e-d232-46f4-a1d7-c2121f136c36";

    #[tokio::test]
    async fn a_run_is_told_from_where_it_was_left() {
        each(async |store| {
            let parameters = serde_json::json!({});
            let mut runs = Vec::new();
            for _ in 0..2 {
                let run = store.schedule_run(&new_run("f", &parameters)).await.unwrap().unwrap();
                store.begin_mirror(run, Some(ID).filter(|_| runs.is_empty())).await.unwrap();
                runs.push(run);
            }
            let attached =
                |found: Option<Mirrored>| found.map(|found| (found.is_attached, found.last)).unwrap();
            assert_eq!(attached(store.mirrored(runs[0]).await.unwrap()), (true, None));
            assert_eq!(attached(store.mirrored(runs[1]).await.unwrap()), (false, None));

            let run = runs[0];
            store.move_run(run, &Step::new(State::Running, "Running", "")).await.unwrap();
            let task = store.start_task(run, "train", 1).await.unwrap();
            store.log(run, "info", &["training"]).await.unwrap();
            for (state, name) in [(State::Scheduled, "AwaitingRetry"), (State::Running, "Retrying")] {
                store.move_task(run, task, &Step::new(state, name, "")).await.unwrap();
            }
            let told = store.transitions_to_tell(run, 0).await.unwrap();
            let shown: Vec<(&str, Option<i64>)> = told
                .iter()
                .map(|told| (told.state_name.as_str(), told.task.as_ref().map(|task| task.run_count)))
                .collect();
            let expected = [
                ("Scheduled", None),
                ("Running", None),
                ("Running", Some(1)),
                ("AwaitingRetry", Some(1)),
                ("Retrying", Some(2)),
            ];
            assert_eq!(shown, expected);
            assert_eq!(store.logs_to_tell(run, 0).await.unwrap()[0].task, Some(task));

            let position = Position { transition: told[1].id, log: 0, artifact: 0 };
            store.set_mirrored(run, position).await.unwrap();
            assert_eq!(attached(store.mirrored(run).await.unwrap()), (true, Some(State::Running)));
            assert_eq!(store.transitions_to_tell(run, told[1].id).await.unwrap().len(), 3);
            let future = "2100-01-01T00:00:00.000Z";
            assert_eq!(store.runs_to_tell(future).await.unwrap(), [runs[1]], "the other is being worked on");
            store.move_run(run, &Step::new(State::Failed, "Failed", "")).await.unwrap();
            assert_eq!(store.runs_to_tell(future).await.unwrap(), runs);
            assert!(store.runs_to_tell("2024-01-01T00:00:00.000Z").await.unwrap().is_empty());
            store.close_mirror(run).await.unwrap();
            assert_eq!(store.runs_to_tell(future).await.unwrap(), [runs[1]]);
        })
        .await;
    }
}
