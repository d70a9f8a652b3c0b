//! History that outlives a process: runs of flows and versions of models, in SQLite inside the data directory.

pub mod models;
mod process;
pub mod runs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _, SqlitePool};

/// The database `DATA/streamflow.db`. Several processes may have it open: writers wait for each other.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
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
            // An acknowledged state survives a power cut, not only kill -9.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        migrator().run(&pool).await?;
        let store = Self { pool };
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
    ])
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
