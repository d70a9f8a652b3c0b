//! What an MLflow server was told of the versions of models, and what is left to tell.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::change::Change as _;
use super::{Store, now};

/// Most versions that wait; the oldest give way.
pub const BACKLOG_MAX: i64 = 100;

/// A version that is to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub name: String,
    pub version: i64,
    /// Its run there, once that was made.
    pub run_uuid: Option<String>,
}

impl FromRow<'_, AnyRow> for Waiting {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let run_uuid = row.try_get("run_uuid")?;
        Ok(Self { name: row.try_get("name")?, version: row.try_get("version")?, run_uuid })
    }
}

impl Store {
    /// A version that was trained is to be told of. Returns how many older ones are given up for it.
    pub async fn mlflow_wait(&self, name: &str, version: i64) -> sqlx::Result<u64> {
        sqlx::query(
            "INSERT INTO mlflow_versions (name, version, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .bind(version)
        .bind(now())
        .change(self)
        .await?;
        let given_up = sqlx::query(
            "UPDATE mlflow_versions SET state = 'refused', outcome = 'too many versions waited'
             WHERE state = 'waiting' AND (name, version) NOT IN
                (SELECT name, version FROM mlflow_versions WHERE state = 'waiting'
                 ORDER BY at DESC, name DESC, version DESC LIMIT $1)",
        );
        Ok(given_up.bind(BACKLOG_MAX).change(self).await?.rows_affected())
    }

    /// The next version that nobody is telling of, the oldest first. It is the caller's until `until`.
    pub async fn mlflow_take(&self, until: &str) -> sqlx::Result<Option<Waiting>> {
        sqlx::query_as(
            "UPDATE mlflow_versions SET taken_until = $1 WHERE (name, version) =
                (SELECT name, version FROM mlflow_versions
                 WHERE state = 'waiting' AND (taken_until IS NULL OR taken_until < $2)
                 ORDER BY at, name, version LIMIT 1)
             AND state = 'waiting' AND (taken_until IS NULL OR taken_until < $2)
             RETURNING name, version, run_uuid",
        )
        .bind(until)
        .bind(now())
        .fetch_optional(&self.pool)
        .await
    }

    /// Gives a version back that was taken and could not be told of.
    pub async fn mlflow_give_back(&self, of: &Waiting) -> sqlx::Result<()> {
        self.mlflow_set("taken_until = $1", None, of).await
    }

    /// Records the run of a version there.
    pub async fn mlflow_has_run(&self, of: &Waiting, run: &str) -> sqlx::Result<()> {
        self.mlflow_set("run_uuid = $1", Some(run), of).await
    }

    /// Records the number of a version there: all of it was told.
    pub async fn mlflow_registered(&self, of: &Waiting, number: &str) -> sqlx::Result<()> {
        self.mlflow_set("state = 'registered', registered = $1", Some(number), of).await
    }

    /// Gives a version up that the server does not take.
    pub async fn mlflow_refused(&self, of: &Waiting, reason: &str) -> sqlx::Result<()> {
        self.mlflow_set("state = 'refused', outcome = $1", Some(reason), of).await
    }

    async fn mlflow_set(&self, what: &'static str, value: Option<&str>, of: &Waiting) -> sqlx::Result<()> {
        let sql = format!("UPDATE mlflow_versions SET {what} WHERE name = $2 AND version = $3");
        let update = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(value).bind(&of.name).bind(of.version);
        update.change(self).await.map(drop)
    }

    /// The number there of a version, where it is registered.
    pub async fn mlflow_number(&self, name: &str, version: i64) -> sqlx::Result<Option<String>> {
        let number: Option<Option<String>> =
            sqlx::query_scalar("SELECT registered FROM mlflow_versions WHERE name = $1 AND version = $2")
                .bind(name)
                .bind(version)
                .fetch_optional(&self.pool)
                .await?;
        Ok(number.flatten())
    }

    /// The version of a model that has this number there.
    pub async fn mlflow_version(&self, name: &str, number: &str) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar("SELECT MAX(version) FROM mlflow_versions WHERE name = $1 AND registered = $2")
            .bind(name)
            .bind(number)
            .fetch_one(&self.pool)
            .await
    }

    /// How many versions are left to tell of.
    pub async fn mlflow_backlog(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar("SELECT COUNT(*) FROM mlflow_versions WHERE state = 'waiting'")
            .fetch_one(&self.pool)
            .await
    }

    /// The production version of a model that the server knows of.
    pub async fn mlflow_production(&self, name: &str) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar("SELECT version FROM mlflow_production WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
    }

    /// Records which production version of a model the server knows of.
    pub async fn set_mlflow_production(&self, name: &str, version: i64) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO mlflow_production (name, version) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET version = $2",
        )
        .bind(name)
        .bind(version)
        .change(self)
        .await
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    const LATER: &str = "2100-01-01T00:00:00.000Z";
    const EARLIER: &str = "2000-01-01T00:00:00.000Z";

    #[tokio::test]
    async fn a_version_is_told_of_once_and_the_oldest_give_way() {
        each(async |store| {
            for version in [1, 2, 2] {
                assert_eq!(store.mlflow_wait("churn", version).await.unwrap(), 0);
            }
            let first = store.mlflow_take(LATER).await.unwrap().unwrap();
            assert_eq!((first.version, &first.run_uuid), (1, &None));
            assert_eq!(store.mlflow_take(EARLIER).await.unwrap().map(|taken| taken.version), Some(2));
            // The time of the second is over.
            assert_eq!(store.mlflow_take(LATER).await.unwrap().map(|taken| taken.version), Some(2));
            assert_eq!(store.mlflow_take(LATER).await.unwrap(), None);
            store.mlflow_has_run(&first, "abc").await.unwrap();
            store.mlflow_give_back(&first).await.unwrap();
            let again = store.mlflow_take(LATER).await.unwrap().unwrap();
            assert_eq!(again.run_uuid.as_deref(), Some("abc"));
            store.mlflow_registered(&again, "7").await.unwrap();
            assert_eq!(store.mlflow_number("churn", 1).await.unwrap().as_deref(), Some("7"));
            assert_eq!(store.mlflow_version("churn", "7").await.unwrap(), Some(1));
            assert_eq!(store.mlflow_version("churn", "8").await.unwrap(), None);
            assert_eq!(store.mlflow_backlog().await.unwrap(), 1);

            for version in 3..=BACKLOG_MAX + 1 {
                assert_eq!(store.mlflow_wait("churn", version).await.unwrap(), 0, "{version}");
            }
            assert_eq!(store.mlflow_wait("churn", 200).await.unwrap(), 1);
            assert_eq!(store.mlflow_backlog().await.unwrap(), BACKLOG_MAX);

            assert_eq!(store.mlflow_production("churn").await.unwrap(), None);
            store.set_mlflow_production("churn", 1).await.unwrap();
            store.set_mlflow_production("churn", 2).await.unwrap();
            assert_eq!(store.mlflow_production("churn").await.unwrap(), Some(2));
        })
        .await;
    }
}
