//! The version of each model that answers beside the one in production and is not heard.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::canaries::{Refusal, is_active, production};
use super::change::Change as _;
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
    /// Who named it.
    pub actor: String,
    /// The run that keeps it, where one does.
    pub run: Option<i64>,
    /// Whether that run is being worked on.
    pub run_is_active: bool,
}

impl FromRow<'_, AnyRow> for Shadow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let run_state: Option<String> = row.try_get("run_state")?;
        Ok(Self {
            version: row.try_get("version")?,
            actor: row.try_get("actor")?,
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

const SHADOW: &str = "
    SELECT shadows.*, runs.state AS run_state FROM shadows LEFT JOIN runs ON runs.id = shadows.run_id WHERE model = $1";

impl Store {
    /// The version that is a model's shadow.
    pub async fn shadow(&self, model: &str) -> sqlx::Result<Option<Shadow>> {
        sqlx::query_as(SHADOW).bind(model).fetch_optional(&self.pool).await
    }

    /// Makes a version the shadow of its model, in the place of another. A run does not take the place of one that
    /// somebody named.
    pub async fn set_shadow(
        &self,
        model: &str,
        version: i64,
        by: By<'_>,
    ) -> sqlx::Result<Result<(), Refusal>> {
        let mut transaction = self.write_durably().await?;
        if production(&mut transaction, model).await? == Some(version) {
            return Ok(Err(Refusal::ShadowIsProduction(version)));
        }
        let before: Option<Shadow> =
            sqlx::query_as(SHADOW).bind(model).fetch_optional(&mut *transaction).await?;
        if let Some(Shadow { version, actor, run: None, .. }) = before
            && by.run.is_some()
        {
            return Ok(Err(Refusal::ShadowOfSomebody { version, actor }));
        }
        sqlx::query(
            "INSERT INTO shadows (model, version, at, actor, run_id) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (model) DO UPDATE SET version = $2, at = $3, actor = $4, run_id = $5",
        )
        .bind(model)
        .bind(version)
        .bind(now())
        .bind(by.actor)
        .bind(by.run)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// Ends the shadow of a model; false where there was none.
    pub async fn end_shadow(&self, model: &str) -> sqlx::Result<bool> {
        let query = sqlx::query("DELETE FROM shadows WHERE model = $1").bind(model);
        Ok(query.change_durably(self).await?.rows_affected() > 0)
    }

    /// Ends the shadow that a run keeps, where it still does.
    pub async fn end_shadow_of(&self, model: &str, run: i64) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM shadows WHERE model = $1 AND run_id = $2")
            .bind(model)
            .bind(run)
            .change_durably(self)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn one_version_is_the_shadow_until_it_ends() {
        each(async |store| {
            let version = async |model: &str| store.shadow(model).await.unwrap().map(|shadow| shadow.version);
            let by = By { actor: "ana", run: None };
            assert_eq!(version("churn").await, None);
            for number in [2, 3] {
                store.set_shadow("churn", number, by).await.unwrap().unwrap();
                assert_eq!(version("churn").await, Some(number));
            }
            assert_eq!(version("other").await, None);
            assert!(store.end_shadow("churn").await.unwrap() && !store.end_shadow("churn").await.unwrap());
            assert_eq!(version("churn").await, None);
        })
        .await;
    }

    #[tokio::test]
    async fn a_run_ends_its_own_shadow_only() {
        each(async |store| {
            let by = |run| By { actor: "ana", run };
            store.set_shadow("churn", 2, by(Some(7))).await.unwrap().unwrap();
            assert!(!store.shadow("churn").await.unwrap().unwrap().is_kept(), "there is no run 7");
            store.end_shadow_of("churn", 8).await.unwrap();
            assert!(store.shadow("churn").await.unwrap().is_some());
            store.end_shadow_of("churn", 7).await.unwrap();
            assert_eq!(store.shadow("churn").await.unwrap(), None);
            store.set_shadow("churn", 2, by(None)).await.unwrap().unwrap();
            assert!(store.shadow("churn").await.unwrap().unwrap().is_kept());
            let refused = store.set_shadow("churn", 3, by(Some(7))).await.unwrap().unwrap_err();
            assert!(
                refused
                    .to_string()
                    .starts_with("version 2 answers beside the one in production, as ana wanted"),
                "{refused}"
            );
            assert_eq!(store.shadow("churn").await.unwrap().unwrap().version, 2);
        })
        .await;
    }

    #[tokio::test]
    async fn the_version_in_production_is_no_shadow_and_one_that_becomes_it_ends() {
        each(async |store| {
            let by = By { actor: "ana", run: None };
            let version = async || store.shadow("churn").await.unwrap().map(|shadow| shadow.version);
            crate::store::canaries::tests::with_versions(&store, 3).await;
            let refused = store.set_shadow("churn", 1, by).await.unwrap();
            assert_eq!(refused, Err(Refusal::ShadowIsProduction(1)));
            store.set_shadow("churn", 2, by).await.unwrap().unwrap();
            store.promote("churn", 3, by).await.unwrap();
            assert_eq!(version().await, Some(2), "another version was promoted");
            store.promote("churn", 2, by).await.unwrap();
            assert_eq!(version().await, None);
            store.set_shadow("churn", 3, by).await.unwrap().unwrap();
            store.demote("churn", 3, by).await.unwrap();
            assert_eq!(version().await, None, "a rollback returned to it");
        })
        .await;
    }
}
