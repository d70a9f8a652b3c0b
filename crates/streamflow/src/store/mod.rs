//! History that outlives a process: runs of flows and versions of models, in SQLite inside the data directory.

pub mod approvals;
pub mod audit;
mod bucket;
pub mod canaries;
pub mod copy;
pub mod evaluations;
pub mod forgetting;
pub mod inspect;
pub mod labels;
pub mod leases;
pub mod live;
pub mod live_said;
pub mod logs;
pub mod mirror;
pub mod mlflow;
pub mod models;
pub mod notifications;
mod process;
pub mod production;
pub mod retention;
pub mod runs;
pub mod schedules;
pub mod shadows;
mod state;
pub mod tasks;
pub mod transitions;

pub use state::State;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _, SqlitePool};

/// How long a database that another process has locked is waited for: a backup or a look by hand takes a minute.
const BUSY: Duration = Duration::from_secs(90);
/// How often, and after which pause, what another process keeps from the database is tried again.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// Its file in a data directory.
pub const DATABASE: &str = "streamflow.db";
/// The newest step of its format that this release knows.
pub const NEWEST: i64 = 17;

/// The database `DATA/streamflow.db`. Several processes may have it open: writers wait for each other.
#[derive(Debug, Clone)]
pub struct Store {
    /// For what survives `kill -9`: the steps of a run and its log.
    pool: SqlitePool,
    /// For what survives a power cut too: ends of runs, approvals, promotions. A commit waits for the disk.
    durable: SqlitePool,
}

impl Store {
    /// Opens the database of a data directory, creating both where they are missing, and brings it up to date.
    pub async fn open(data_dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
        let path = data_dir.join(DATABASE);
        Self::connect(&path).await.map_err(|error| {
            let hint = if error.is::<Newer>() { "" } else { ": is the folder writable, the file intact?" };
            error.context(format!("cannot open the database {}{hint}", path.display()))
        })
    }

    /// Ends the connections: the file is whole without those beside it.
    pub async fn close(&self) {
        self.pool.close().await;
        self.durable.close().await;
    }

    async fn connect(path: &PathBuf) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY)
            // What is deleted or changed is overwritten: somebody may have asked for that.
            .pragma("secure_delete", "ON");
        let open = |synchronous, connections| {
            let options = options.clone().synchronous(synchronous);
            SqlitePoolOptions::new().max_connections(connections).connect_with(options)
        };
        // The first connection makes a new file a write-ahead log, which SQLite refuses at once, whatever the busy
        // timeout, while another process does the same.
        let durable = until_free(|| open(SqliteSynchronous::Full, 1), is_busy).await?;
        migrate(&durable).await?;
        let store = Self { pool: open(SqliteSynchronous::Normal, 2).await?, durable };
        store.end_crashed_runs().await?;
        Ok(store)
    }
}

/// Tries again what another process keeps from the database, as `is_kept` tells by the error.
async fn until_free<T, E, F: Future<Output = Result<T, E>>>(
    attempt: impl Fn() -> F,
    is_kept: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 1..TRIES {
        match attempt().await {
            Err(error) if is_kept(&error) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    attempt().await
}

/// Whether SQLite answered `SQLITE_BUSY` or one of its extended codes, whose low byte it is.
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: u32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// The steps from an empty database to today's, in order. A database remembers the checksum of each step it took.
fn migrator() -> Migrator {
    let step = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        step(1, "runs and models", include_str!("migrations/0001_runs_and_models.sql")),
        step(2, "model task", include_str!("migrations/0002_model_task.sql")),
        step(3, "report of run", include_str!("migrations/0003_report_of_run.sql")),
        step(4, "process of run", include_str!("migrations/0004_process_of_run.sql")),
        step(5, "runner", include_str!("migrations/0005_runner.sql")),
        step(6, "notifications", include_str!("migrations/0006_notifications.sql")),
        step(7, "prefect", include_str!("migrations/0007_prefect.sql")),
        step(8, "cache and ends", include_str!("migrations/0008_cache_and_ends.sql")),
        step(9, "audit of requests", include_str!("migrations/0009_audit_of_requests.sql")),
        step(10, "forgetting", include_str!("migrations/0010_forgetting.sql")),
        step(11, "origin of a version", include_str!("migrations/0011_origin.sql")),
        step(12, "mlflow", include_str!("migrations/0012_mlflow.sql")),
        step(13, "live", include_str!("migrations/0013_live.sql")),
        step(14, "labels", include_str!("migrations/0014_labels.sql")),
        step(15, "canary", include_str!("migrations/0015_canary.sql")),
        step(16, "classes of labels", include_str!("migrations/0016_classes_of_labels.sql")),
        step(17, "what was said of live traffic", include_str!("migrations/0017_live_said.sql")),
    ])
}

/// Brings the database up to date. Another process may do the same at the same moment, and then one of both fails at a
/// step that the other has taken: it looks again.
async fn migrate(pool: &SqlitePool) -> anyhow::Result<()> {
    refuse_newer(pool).await?;
    let is_taken =
        |error: &MigrateError| matches!(error, MigrateError::ExecuteMigration(..) | MigrateError::Execute(_));
    let migrator = migrator();
    Ok(until_free(|| migrator.run(pool), is_taken).await?)
}

/// Refuses a database that a later release has brought up to its own date: nothing is known of what it holds.
async fn refuse_newer(pool: &SqlitePool) -> anyhow::Result<()> {
    let is_new = "SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'";
    if sqlx::query(is_new).fetch_optional(pool).await?.is_none() {
        return Ok(());
    }
    let version: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(pool).await?;
    if version > NEWEST {
        return Err(Newer { version }.into());
    }
    Ok(())
}

/// A database that a later release has changed.
#[derive(Debug, thiserror::Error)]
#[error(
    "it has the version {version} of a later release, and this one knows versions up to {NEWEST}: use that release, or \
     restore a backup that was made before the upgrade (`streamflow restore`)"
)]
pub struct Newer {
    pub version: i64,
}

/// Reads a column of JSON; what is no JSON is passed on as a string.
fn json_of(row: &SqliteRow, column: &str) -> sqlx::Result<Value> {
    let text: String = row.try_get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Now, as the database writes it: RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

#[cfg(test)]
pub async fn temporary() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    (dir, store)
}

#[cfg(test)]
pub fn new_run<'a>(flow: &'a str, parameters: &'a Value) -> runs::NewRun<'a> {
    runs::NewRun {
        flow,
        parameters,
        period: None,
        cause: "command",
        due_at: None,
        event: None,
        afresh: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_database_is_opened_by_many_at_once() {
        for _ in 0..8 {
            let dir = tempfile::tempdir().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let runtime =
                            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                        runtime.block_on(Store::open(dir.path())).unwrap();
                    });
                }
            });
        }
    }

    /// As a release wrote it that knew four steps: runs without transitions, models without the run that trained them.
    #[tokio::test]
    async fn a_database_of_before_is_brought_up_to_date_with_all_that_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DATABASE);
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let first_steps = migrator().iter().filter(|step| step.version <= 4).cloned().collect::<Vec<_>>();
        Migrator::with_migrations(first_steps).run(&old).await.unwrap();
        for sql in [
            "INSERT INTO runs (id, flow, parameters, state, state_name, message, started_at, ended_at, report)
             VALUES (1, 'monitor_month', '{\"reference\":\"2024-01-31\"}', 'completed', 'NO_ACTION', '', '2024-02-01T00:00:00.000Z', '2024-02-01T00:01:00.000Z', 'drift_a_vs_b'),
                    (2, 'train_model', '{}', 'failed', 'Crashed', 'killed', '2024-02-02T00:00:00.000Z', '2024-02-02T00:01:00.000Z', NULL)",
            "INSERT INTO tasks (run_id, name, state, started_at, duration_ms) VALUES (1, 'compare', 'completed', '2024-02-01T00:00:00.000Z', 12.5)",
            "INSERT INTO logs (run_id, level, message, at) VALUES (1, 'info', 'a line', '2024-02-01T00:00:00.000Z')",
            "INSERT INTO model_versions (name, version, as_of, seed, metrics, created_at, task)
             VALUES ('churn', 1, '2024-01-31', 42, '{\"auc\":0.8}', '2024-02-01T00:00:00.000Z', 'binary')",
            "INSERT INTO promotions (name, version, at) VALUES ('churn', 1, '2024-02-01T00:00:00.000Z')",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&old).await.unwrap();
        }
        old.close().await;

        let store = Store::open(dir.path()).await.unwrap();
        let run = store.run(1).await.unwrap().unwrap();
        assert_eq!((run.state, run.cause.as_str(), run.attempt), (State::Completed, "command", 1));
        assert_eq!((run.state_name.as_str(), run.report.as_deref()), ("NO_ACTION", Some("drift_a_vs_b")));
        assert_eq!(store.run(2).await.unwrap().unwrap().state, State::Crashed);
        assert_eq!(store.tasks(1).await.unwrap()[0].name, "compare");
        assert_eq!(store.logs(1, 0).await.unwrap()[0].message, "a line");
        let production = store.production("churn").await.unwrap().unwrap();
        assert_eq!(
            (production.version, production.run_id, &production.metrics["auc"]),
            (1, None, &0.8.into())
        );
        let version: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&store.pool)
            .await
            .unwrap();
        assert_eq!(version, NEWEST);
        // And what is written from here on is of today.
        let parameters = serde_json::json!({});
        assert_eq!(store.schedule_run(&new_run("train_model", &parameters)).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn a_database_of_a_later_release_is_refused_by_name() {
        let (dir, store) = temporary().await;
        assert_eq!(migrator().iter().map(|step| step.version).max(), Some(NEWEST));
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (?, 'of later', 1, x'00', 0)",
        )
        .bind(NEWEST + 1)
        .execute(&store.pool)
        .await
        .unwrap();
        store.close().await;
        let error = format!("{:#}", Store::open(dir.path()).await.unwrap_err());
        let expected = format!("has the version {} of a later release", NEWEST + 1);
        assert!(error.contains(&expected), "{error}");
        assert!(error.contains("use that release, or restore a backup"), "{error}");
    }
}
