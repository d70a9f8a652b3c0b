//! What a database says of itself, read without changing it: neither brought up to date nor its crashed runs ended.

use std::path::Path;

use anyhow::Context as _;
use sqlx::{AnyConnection, Connection as _};

use super::{DATABASE, postgres, process, sqlite};
use crate::config::{StoreConfig, StoreKind};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The newest step of its format; 0 where nothing was made yet.
    pub version: i64,
    /// The last moment that a run or the audit trail was written.
    pub last_at: Option<String>,
    /// Active runs whose process is gone, with their flows.
    pub orphaned: Vec<(i64, String)>,
    /// Entities that are still being forgotten.
    pub forgetting: i64,
    /// The hashes of those that are forgotten, as their receipts say.
    pub forgotten: Vec<String>,
    /// Names and versions of models.
    pub models: Vec<(String, i64)>,
    /// The faults that SQLite finds in its file; looked for where asked. A Postgres server looks after its own.
    pub faults: Vec<String>,
}

/// Whether there is a database that could be read: a file that is there, or a server that is named.
pub fn is_there(settings: &StoreConfig, data_dir: &Path) -> bool {
    settings.kind == StoreKind::Postgres || data_dir.join(DATABASE).exists()
}

/// The runs that are active in the file of a data directory, whatever has become of their processes.
pub async fn active_runs(data_dir: &Path) -> anyhow::Result<Vec<i64>> {
    let path = data_dir.join(DATABASE);
    let read = async {
        let mut database = sqlite::look(data_dir).await?;
        let runs = sqlx::query_scalar(
            "SELECT id FROM runs WHERE state IN ('pending', 'running', 'cancelling') ORDER BY id",
        )
        .fetch_all(&mut database)
        .await?;
        database.close().await?;
        anyhow::Ok(runs)
    };
    read.await.with_context(|| format!("cannot read the database {}", path.display()))
}

/// Reads the database of a data directory, or that of its server; `deep` has SQLite check all of its pages.
pub async fn inspect(settings: &StoreConfig, data_dir: &Path, deep: bool) -> anyhow::Result<Inspection> {
    match settings.kind {
        StoreKind::Sqlite => {
            let path = data_dir.join(DATABASE);
            let read = async { read(sqlite::look(data_dir).await?, deep).await };
            read.await.with_context(|| format!("cannot read the database {}", path.display()))
        }
        StoreKind::Postgres => {
            let mut database = postgres::look(settings).await?;
            let made: Option<String> = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations')::text")
                .fetch_one(&mut database)
                .await
                .context("cannot read the database")?;
            match made {
                Some(_) => read(database, false).await.context("cannot read the database"),
                None => Ok(Inspection::default()),
            }
        }
    }
}

async fn read(mut database: AnyConnection, deep: bool) -> anyhow::Result<Inspection> {
    let version = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut database)
        .await?;
    let mut found = Inspection { version, ..Inspection::default() };
    if deep {
        let answers: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut database).await?;
        found.faults = answers.into_iter().filter(|answer| answer != "ok").collect();
    }
    // Tables of other releases may be otherwise.
    if version == super::NEWEST {
        found.last_at = sqlx::query_scalar(
            "SELECT MAX(at) FROM (SELECT MAX(at) AS at FROM transitions UNION ALL SELECT MAX(at) FROM audit) AS written",
        )
        .fetch_one(&mut database)
        .await?;
        found.models = sqlx::query_as("SELECT name, version FROM model_versions ORDER BY name, version")
            .fetch_all(&mut database)
            .await?;
        found.forgetting =
            sqlx::query_scalar("SELECT COUNT(*) FROM forgetting").fetch_one(&mut database).await?;
        found.forgotten = super::forgetting::receipts(&mut database).await?;
        let active: Vec<(i64, String, Option<String>)> = sqlx::query_as(
            "SELECT id, flow, process FROM runs WHERE state IN ('pending', 'running', 'cancelling')",
        )
        .fetch_all(&mut database)
        .await?;
        let is_gone = |process: Option<String>| {
            process.is_some_and(|process| process::fate(&process) == process::Fate::Gone)
        };
        let gone =
            active.into_iter().filter_map(|(id, flow, process)| is_gone(process).then_some((id, flow)));
        found.orphaned = gone.collect();
    }
    database.close().await?;
    Ok(found)
}
