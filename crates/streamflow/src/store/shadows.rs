//! The version of each model that answers beside the one in production and is not heard.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::canaries::is_active;
use super::models::By;
use super::{Store, now};

/// The arm that pairs are kept under.
pub const PAIRS: &str = "pairs";

/// What the pairs of a shadow that a run keeps are kept under.
pub fn trial_of(run: i64) -> String {
    format!("shadow of run {run}")
}

/// A shadow as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    pub version: i64,
    /// The run that keeps it, where one does.
    pub run: Option<i64>,
    /// Whether that run is being worked on.
    pub run_is_active: bool,
}

impl FromRow<'_, SqliteRow> for Shadow {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let run_state: Option<String> = row.try_get("run_state")?;
        Ok(Self {
            version: row.try_get("version")?,
            run: row.try_get("run_id")?,
            run_is_active: is_active(run_state.as_deref()),
        })
    }
}

impl Shadow {
    /// False where the run that kept it is there no more.
    pub fn is_kept(&self) -> bool {
        self.run.is_none() || self.run_is_active
    }
}

impl Store {
    /// The version that is a model's shadow.
    pub async fn shadow(&self, model: &str) -> sqlx::Result<Option<Shadow>> {
        let query = sqlx::query_as(
            "SELECT shadows.*, runs.state AS run_state FROM shadows LEFT JOIN runs ON runs.id = shadows.run_id
             WHERE model = ?",
        );
        query.bind(model).fetch_optional(&self.pool).await
    }

    /// Makes a version the shadow of its model, in the place of another; none ends it.
    pub async fn set_shadow(&self, model: &str, version: Option<i64>, by: By<'_>) -> sqlx::Result<()> {
        let Some(version) = version else {
            let query = sqlx::query("DELETE FROM shadows WHERE model = ?").bind(model);
            return query.execute(&self.durable).await.map(|_| ());
        };
        sqlx::query(
            "INSERT OR REPLACE INTO shadows (model, version, at, actor, run_id) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(model)
        .bind(version)
        .bind(now())
        .bind(by.actor)
        .bind(by.run)
        .execute(&self.durable)
        .await?;
        Ok(())
    }

    /// Ends the shadow that a run keeps, where it still does.
    pub async fn end_shadow_of(&self, model: &str, run: i64) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM shadows WHERE model = ? AND run_id = ?")
            .bind(model)
            .bind(run)
            .execute(&self.durable)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::temporary;

    #[tokio::test]
    async fn one_version_is_the_shadow_until_it_ends() {
        let (_dir, store) = temporary().await;
        let version = async |model: &str| store.shadow(model).await.unwrap().map(|shadow| shadow.version);
        let by = By { actor: "ana", run: None };
        assert_eq!(version("churn").await, None);
        for number in [2, 3] {
            store.set_shadow("churn", Some(number), by).await.unwrap();
            assert_eq!(version("churn").await, Some(number));
        }
        assert_eq!(version("other").await, None);
        store.set_shadow("churn", None, by).await.unwrap();
        assert_eq!(version("churn").await, None);
    }

    #[tokio::test]
    async fn a_run_ends_its_own_shadow_only() {
        let (_dir, store) = temporary().await;
        let by = |run| By { actor: "ana", run };
        store.set_shadow("churn", Some(2), by(Some(7))).await.unwrap();
        assert!(!store.shadow("churn").await.unwrap().unwrap().is_kept(), "there is no run 7");
        store.end_shadow_of("churn", 8).await.unwrap();
        assert!(store.shadow("churn").await.unwrap().is_some());
        store.end_shadow_of("churn", 7).await.unwrap();
        assert_eq!(store.shadow("churn").await.unwrap(), None);
        store.set_shadow("churn", Some(2), by(None)).await.unwrap();
        assert!(store.shadow("churn").await.unwrap().unwrap().is_kept());
    }
}
