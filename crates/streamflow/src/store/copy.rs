//! A copy of the database while others use it, as a file of its own.

use std::path::Path;

use anyhow::Context as _;
use sqlx::Connection as _;

use super::transfer::transfer;
use super::{DATABASE, postgres, sqlite};
use crate::config::{StoreConfig, StoreKind};

/// What a copy holds, as far as files beside it belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The newest step of its format.
    pub version: i64,
    /// Names and versions of the registered models.
    pub models: Vec<(String, i64)>,
    /// Names of the reports that its runs made.
    pub reports: Vec<String>,
    /// The hashes of the entities that were forgotten, as their receipts say.
    pub forgotten: Vec<String>,
}

/// Writes the database of a data directory, as it is at one moment, to the new file [`DATABASE`] of the folder `to`. A file
/// is not brought up to date before: a copy of what an older release wrote is one that that release reads. What is in
/// Postgres becomes such a file too.
pub async fn copy(settings: &StoreConfig, data_dir: &Path, to: &Path) -> anyhow::Result<Copied> {
    let file = to.join(DATABASE);
    let copied = async {
        match settings.kind {
            StoreKind::Sqlite => {
                let mut from = sqlite::look(data_dir).await?;
                sqlx::query("VACUUM INTO $1")
                    .bind(file.to_str().context("its path is not UTF-8")?)
                    .execute(&mut from)
                    .await?;
                from.close().await?;
            }
            StoreKind::Postgres => {
                let from = postgres::open(settings).await?;
                let made = sqlite::open(to).await?;
                transfer(&from, &made).await?;
                made.close().await;
                from.close().await;
            }
        }
        held(to).await
    };
    copied.await.with_context(|| format!("cannot copy the database to {}", file.display()))
}

/// What the copy in a folder holds.
async fn held(folder: &Path) -> anyhow::Result<Copied> {
    let mut copy = sqlite::look(folder).await?;
    let version = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut copy)
        .await?;
    let models = sqlx::query_as("SELECT name, version FROM model_versions ORDER BY name, version")
        .fetch_all(&mut copy)
        .await?;
    // Tables of other releases may be otherwise.
    let (mut reports, mut forgotten) = (Vec::new(), Vec::new());
    if version == super::NEWEST {
        reports =
            sqlx::query_scalar("SELECT DISTINCT report FROM runs WHERE report IS NOT NULL ORDER BY report")
                .fetch_all(&mut copy)
                .await?;
        forgotten = super::forgetting::receipts(&mut copy).await?;
    }
    copy.close().await?;
    Ok(Copied { version, models, reports, forgotten })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, new_run, temporary};

    #[tokio::test]
    async fn a_copy_has_what_was_committed_and_nothing_of_what_was_not() {
        let (dir, store) = temporary().await;
        let parameters = serde_json::json!({});
        store.schedule_run(&new_run("f", &parameters)).await.unwrap();
        let registration = store.begin_version("churn").await.unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let copied = copy(&StoreConfig::default(), dir.path(), elsewhere.path()).await.unwrap();
        assert_eq!((copied.version, &copied.models), (super::super::NEWEST, &Vec::new()));
        drop(registration);
        let copy = Store::open(elsewhere.path()).await.unwrap();
        assert!(copy.run(1).await.unwrap().is_some());
    }
}
