//! History that outlives a process: runs of flows and versions of models, in SQLite inside the data directory.

pub mod approvals;
pub mod audit;
pub mod copy;
pub mod evaluations;
pub mod inspect;
mod leases;
pub mod logs;
pub mod mirror;
pub mod models;
pub mod notifications;
mod process;
pub mod retention;
pub mod runs;
pub mod schedules;
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

/// Its file in a data directory.
pub const DATABASE: &str = "streamflow.db";
/// The newest step of its format that this release knows.
pub const NEWEST: i64 = 7;

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
            .busy_timeout(Duration::from_secs(60));
        let open = |synchronous, connections| {
            let options = options.clone().synchronous(synchronous);
            SqlitePoolOptions::new().max_connections(connections).connect_with(options)
        };
        let durable = open(SqliteSynchronous::Full, 1).await?;
        migrate(&durable).await?;
        let store = Self { pool: open(SqliteSynchronous::Normal, 2).await?, durable };
        store.end_crashed_runs().await?;
        Ok(store)
    }
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
    ])
}

/// Brings the database up to date. Another process may do the same at the same moment, and then one of both fails at a
/// step that the other has taken: it looks again.
async fn migrate(pool: &SqlitePool) -> anyhow::Result<()> {
    refuse_newer(pool).await?;
    const TRIES: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 1..TRIES {
        match migrator().run(pool).await {
            Ok(()) => return Ok(()),
            Err(MigrateError::ExecuteMigration(..) | MigrateError::Execute(_)) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(migrator().run(pool).await?)
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
mod tests {
    use super::*;

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
        assert!(error.contains("has the version 8 of a later release"), "{error}");
        assert!(error.contains("use that release, or restore a backup"), "{error}");
    }
}

#[cfg(test)]
pub async fn temporary() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    (dir, store)
}

#[cfg(test)]
pub fn new_run<'a>(flow: &'a str, parameters: &'a Value) -> runs::NewRun<'a> {
    runs::NewRun { flow, parameters, period: None, cause: "command", due_at: None, event: None }
}
