//! A copy of the database while others use it, as a file of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::DATABASE;

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

/// Writes the database of a data directory, as it is at one moment, to the new file `to`. It is not brought up to date
/// before: a copy of what an older release wrote is one that that release reads.
pub async fn copy(data_dir: &Path, to: &Path) -> anyhow::Result<Copied> {
    let path = data_dir.join(DATABASE);
    let copied = async {
        let options = SqliteConnectOptions::new().filename(&path).busy_timeout(Duration::from_secs(60));
        let mut from = options.connect().await?;
        sqlx::query("VACUUM INTO ?")
            .bind(to.to_str().context("its path is not UTF-8")?)
            .execute(&mut from)
            .await?;
        from.close().await?;
        let mut copy = SqliteConnectOptions::new().filename(to).connect().await?;
        let version = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut copy)
            .await?;
        let models = sqlx::query_as("SELECT name, version FROM model_versions ORDER BY name, version")
            .fetch_all(&mut copy)
            .await?;
        // Tables of other releases may be otherwise.
        let (mut reports, mut forgotten) = (Vec::new(), Vec::new());
        if version == super::NEWEST {
            reports = sqlx::query_scalar(
                "SELECT DISTINCT report FROM runs WHERE report IS NOT NULL ORDER BY report",
            )
            .fetch_all(&mut copy)
            .await?;
            forgotten = super::forgetting::receipts(&mut copy).await?;
        }
        copy.close().await?;
        anyhow::Ok(Copied { version, models, reports, forgotten })
    };
    copied.await.with_context(|| format!("cannot copy the database {} to {}", path.display(), to.display()))
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
        let copied = copy(dir.path(), &elsewhere.path().join(DATABASE)).await.unwrap();
        assert_eq!((copied.version, &copied.models), (super::super::NEWEST, &Vec::new()));
        drop(registration);
        let copy = Store::open(elsewhere.path()).await.unwrap();
        assert!(copy.run(1).await.unwrap().is_some());
    }
}
