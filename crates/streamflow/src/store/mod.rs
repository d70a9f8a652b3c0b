//! History that outlives a process: runs of flows and versions of models, in SQLite inside the data directory, or
//! in a Postgres server that several machines share. Each query stands once: both read `$1`, `ON CONFLICT` and
//! `RETURNING`, and where they have no words in common, the two spellings stand side by side.

pub mod approvals;
pub mod audit;
mod away;
mod bucket;
pub mod canaries;
mod change;
pub mod copy;
pub mod evaluations;
mod fence;
pub mod forgetting;
pub mod inspect;
pub mod labels;
pub mod leader;
pub mod leases;
pub mod live;
pub mod live_said;
pub mod logs;
pub mod mirror;
pub mod mlflow;
pub mod models;
pub mod notifications;
mod postgres;
mod process;
pub mod production;
pub mod pushed;
pub mod retention;
pub mod runs;
pub mod schedules;
pub mod sessions;
pub mod shadows;
mod sqlite;
mod state;
mod steps;
pub mod tasks;
pub mod transfer;
pub mod transitions;

pub use away::{Away, unanswered};
pub use bucket::Changing;
pub use state::State;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, Row as _, Transaction};

use crate::config::{StoreConfig, StoreKind};
use fence::Fence;

/// How long a database that another process has locked is waited for: a backup or a look by hand takes a minute.
const BUSY: Duration = Duration::from_secs(90);
/// Its file in a data directory.
pub const DATABASE: &str = "streamflow.db";
/// The newest step of its format that this release knows.
pub const NEWEST: i64 = 20;

/// Begins a transaction of a writer, who is alone from its first statement on: SQLite has one writer, and the writers of
/// a Postgres schema wait for each other at a lock of theirs. So what such a transaction reads stays true until it ends.
const BEGIN_ALONE: &str = "BEGIN IMMEDIATE";
const BEGIN_ALONE_POSTGRES: &str =
    "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('streamflow writes ' || current_schema(), 0))";
/// Begins a transaction whose statements all see the database as it was at the first.
const BEGIN_VIEW: &str = "BEGIN";
const BEGIN_VIEW_POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// The database: `DATA/streamflow.db`, or a schema of a Postgres server. Several processes may have it open: writers wait
/// for each other.
#[derive(Debug, Clone)]
pub struct Store {
    kind: Kind,
    /// For what survives `kill -9`: the steps of a run and its log.
    pool: AnyPool,
    /// For what survives a power cut too: ends of runs, approvals, promotions. A commit waits for the disk. Postgres
    /// waits with every commit, and both are one pool.
    durable: AnyPool,
    /// As what this value writes, where it may be that it no longer is that.
    fence: Option<Fence>,
    /// Whether the database answers.
    away: away::Answering,
}

impl Store {
    /// Opens the database of a data directory, creating both where they are missing, and brings it up to date.
    pub async fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let store = sqlite::open(data_dir).await?;
        store.end_crashed_runs().await?;
        Ok(store)
    }

    /// Opens the database that the configuration names.
    pub async fn of(settings: &StoreConfig, data_dir: &Path) -> anyhow::Result<Self> {
        let StoreKind::Postgres = settings.kind else { return Self::open(data_dir).await };
        std::fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
        let store = postgres::open(settings).await?;
        store.end_crashed_runs().await?;
        Ok(store)
    }

    /// Ends the connections: a file is whole without those beside it.
    pub async fn close(&self) {
        self.pool.close().await;
        self.durable.close().await;
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The same question in the words of this database, where they have none in common.
    fn spelled(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.kind {
            Kind::Sqlite => sqlite,
            Kind::Postgres => postgres,
        }
    }

    /// Begins what survives `kill -9`.
    async fn write(&self) -> sqlx::Result<Transaction<'static, Any>> {
        self.begin_alone(&self.pool).await
    }

    /// Begins what survives a power cut too.
    async fn write_durably(&self) -> sqlx::Result<Transaction<'static, Any>> {
        self.begin_alone(&self.durable).await
    }

    async fn begin_alone(&self, pool: &AnyPool) -> sqlx::Result<Transaction<'static, Any>> {
        let begin = self.spelled(BEGIN_ALONE, BEGIN_ALONE_POSTGRES);
        let mut transaction = pool.begin_with(begin).await?;
        if let Some(fence) = &self.fence {
            fence.hold(&mut transaction).await?;
        }
        Ok(transaction)
    }

    /// Begins to read the database as it is at one moment.
    async fn view(&self) -> sqlx::Result<Transaction<'static, Any>> {
        self.pool.begin_with(self.spelled(BEGIN_VIEW, BEGIN_VIEW_POSTGRES)).await
    }
}

/// Lets a transaction wait before its commit for what is slow: files that are put in their place, a bucket.
async fn be_patient(kind: Kind, transaction: &mut Transaction<'_, Any>) -> sqlx::Result<()> {
    if kind == Kind::Postgres {
        let patience = "SET LOCAL idle_in_transaction_session_timeout = '90s'";
        sqlx::query(patience).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Reads a column that is 0 or 1.
fn flag_of(row: &AnyRow, column: &str) -> sqlx::Result<bool> {
    row.try_get::<i64, _>(column).map(|flag| flag != 0)
}

/// A text that somebody else has written, as a database can keep it: Postgres knows no NUL.
fn text(written: &str) -> Cow<'_, str> {
    match written.contains('\0') {
        true => written.replace('\0', "\u{fffd}").into(),
        false => written.into(),
    }
}

/// Reads a column of JSON; what is no JSON is passed on as a string.
fn json_of(row: &AnyRow, column: &str) -> sqlx::Result<Value> {
    let text: String = row.try_get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Now, as the database writes it: RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Makes both databases known to the driver that chooses one by its URL.
fn install_drivers() {
    sqlx::any::install_default_drivers();
}

/// Runs a test on SQLite, and on Postgres where there is one.
#[cfg(test)]
pub async fn each(test: impl AsyncFn(Store)) {
    let (_dir, store) = temporary().await;
    test(store).await;
    if let Some(store) = postgres_of_test("the store was tested on SQLite alone").await {
        test(store).await;
    }
}

/// An empty schema of the Postgres server that tests share; none where there is no server.
#[cfg(test)]
pub async fn postgres_of_test(left_out: &str) -> Option<Store> {
    let url = streamflow_oracles::postgres(left_out)?;
    let dir = tempfile::tempdir().unwrap();
    let schema = format!("t{}", crate::random::random_hex::<12>().unwrap());
    let settings = StoreConfig::at(&url, &schema, dir.path());
    Some(Store::of(&settings, dir.path()).await.unwrap())
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
    use sqlx::migrate::Migrator;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

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

    #[test]
    fn a_new_schema_is_made_by_many_at_once() {
        let Some(url) = streamflow_oracles::postgres("no schema was made") else { return };
        let dir = tempfile::tempdir().unwrap();
        let schema = format!("t{}", crate::random::random_hex::<12>().unwrap());
        let settings = StoreConfig::at(&url, &schema, dir.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(Store::of(&settings, dir.path())).unwrap();
                });
            }
        });
    }

    /// As a release wrote it that knew four steps: runs without transitions, models without the run that trained them.
    #[tokio::test]
    async fn a_database_of_before_is_brought_up_to_date_with_all_that_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DATABASE);
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let first_steps =
            steps::sqlite().iter().filter(|step| step.version <= 4).cloned().collect::<Vec<_>>();
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
        for steps in [steps::sqlite(), steps::postgres()] {
            assert_eq!(steps.iter().map(|step| step.version).max(), Some(NEWEST));
        }
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES ($1, 'of later', 1, x'00', 0)",
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
