//! History that outlives a process: runs of flows and versions of models, in SQLite inside the data directory.

pub mod approvals;
pub mod audit;
pub mod evaluations;
mod leases;
pub mod logs;
pub mod mirror;
pub mod models;
pub mod notifications;
mod process;
pub mod production;
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

/// How long a database that another process has locked is waited for: a backup or a look by hand takes a minute.
const BUSY: Duration = Duration::from_secs(90);
/// How often, and after which pause, what another process keeps from the database is tried again.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

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
        let path = data_dir.join("streamflow.db");
        Self::connect(&path).await.with_context(|| {
            format!("cannot open the database {}: is the folder writable, the file intact?", path.display())
        })
    }

    async fn connect(path: &PathBuf) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY);
        let open = |synchronous, connections| {
            let options = options.clone().synchronous(synchronous);
            SqlitePoolOptions::new().max_connections(connections).connect_with(options)
        };
        let durable = first(|| open(SqliteSynchronous::Full, 1)).await?;
        migrate(&durable).await?;
        let store = Self { pool: open(SqliteSynchronous::Normal, 2).await?, durable };
        store.end_crashed_runs().await?;
        Ok(store)
    }
}

/// Opens the first connection. It makes a new file a write-ahead log, which SQLite refuses at once, whatever the busy
/// timeout, while another process does the same: then it is tried again.
async fn first<F: Future<Output = sqlx::Result<SqlitePool>>>(
    open: impl Fn() -> F,
) -> sqlx::Result<SqlitePool> {
    for _ in 1..TRIES {
        match open().await {
            Err(error) if is_busy(&error) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    open().await
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
    ])
}

/// Brings the database up to date. Another process may do the same at the same moment, and then one of both fails at a
/// step that the other has taken: it looks again.
async fn migrate(pool: &SqlitePool) -> anyhow::Result<()> {
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
    use super::Store;

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
}
