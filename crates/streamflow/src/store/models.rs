//! Versions of models and which of them is in production.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};
use streamflow_model::Task;
use utoipa::ToSchema;

use super::bucket::Changing;
use super::production::{Change, record};
use super::{Store, be_patient, flag_of, json_of, now};

/// One registered version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersion {
    pub name: String,
    pub version: i64,
    /// Snapshot it was trained on, `YYYY-MM-DD`; of an imported one the last date of its training data, or where nobody
    /// has said that, the snapshot that it was first checked on.
    pub as_of: String,
    /// What it predicts, as [`streamflow_model::Task`] is written.
    pub task: String,
    pub seed: i64,
    /// The validation metrics by name.
    pub metrics: Value,
    pub created_at: String,
    pub production: bool,
    /// The run that trained it, where one did.
    pub run_id: Option<i64>,
    /// Where it comes from, if it was imported.
    pub origin: Option<Origin>,
}

/// Where an imported version comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Origin {
    /// The name of the file.
    pub file: String,
    /// The format of the file.
    pub format: String,
    /// The last date of its training data, where somebody has said it.
    pub trained_until: Option<String>,
}

impl FromRow<'_, AnyRow> for ModelVersion {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            as_of: row.try_get("as_of")?,
            task: row.try_get("task")?,
            seed: row.try_get("seed")?,
            metrics: json_of(row, "metrics")?,
            created_at: row.try_get("created_at")?,
            production: flag_of(row, "production")?,
            run_id: row.try_get("run_id")?,
            origin: origin_of(row)?,
        })
    }
}

impl ModelVersion {
    /// # Errors
    /// A version that predicts something else than the label is for.
    pub fn check_task(&self, expected: Task) -> anyhow::Result<()> {
        let Self { name, version, task, .. } = self;
        if task == expected.name() {
            return Ok(());
        }
        anyhow::bail!(
            "version {version} of {name} is of the task {task:?}, and dataset.label.task is {:?}; give model.name another name for models of this task, or set the task back",
            expected.name()
        )
    }
}

fn origin_of(row: &AnyRow) -> sqlx::Result<Option<Origin>> {
    let text: Option<String> = row.try_get("origin")?;
    let origin = text.map(|text| serde_json::from_str(&text)).transpose();
    origin.map_err(|error| sqlx::Error::ColumnDecode { index: "origin".to_owned(), source: error.into() })
}

pub(super) const VERSIONS: &str = "
    SELECT v.*, CASE WHEN v.version = (SELECT p.version FROM promotions p WHERE p.name = v.name ORDER BY p.id DESC LIMIT 1)
                THEN 1 ELSE 0 END AS production
    FROM model_versions v";

/// Who makes a change.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub actor: &'a str,
    /// The run that makes it, where one does.
    pub run: Option<i64>,
}

impl<'a> By<'a> {
    fn change(self, action: &'a str, subject: &'a str) -> Change<'a> {
        Change { actor: self.actor, action, subject, run: self.run }
    }
}

/// What is recorded of a version.
#[derive(Debug, Clone, Copy)]
pub struct NewVersion<'a> {
    pub as_of: &'a str,
    pub task: Task,
    pub seed: i64,
    pub metrics: &'a Value,
    /// The run that trained it, where one did.
    pub run: Option<i64>,
    /// Where it comes from, if it was imported.
    pub origin: Option<&'a Origin>,
}

/// A version being registered: its number is taken, nobody sees it until `commit`.
pub struct Registration<'a> {
    pub(super) transaction: Transaction<'a, Any>,
    pub name: String,
    pub version: i64,
}

impl Store {
    /// Takes the next version number of `name`. Another registration waits until this one commits or is dropped.
    pub async fn begin_version(&self, name: &str) -> sqlx::Result<Registration<'_>> {
        let mut transaction = self.write_durably().await?;
        be_patient(self.kind(), &mut transaction).await?;
        let version =
            sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) + 1 FROM model_versions WHERE name = $1")
                .bind(name)
                .fetch_one(&mut *transaction)
                .await?;
        Ok(Registration { transaction, name: name.to_owned(), version })
    }

    /// All versions, by name and newest first.
    pub async fn model_versions(&self) -> sqlx::Result<Vec<ModelVersion>> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{VERSIONS} ORDER BY v.name, v.version DESC")))
            .fetch_all(&self.pool)
            .await
    }

    /// The production version of a model, if there is one.
    pub async fn production(&self, name: &str) -> sqlx::Result<Option<ModelVersion>> {
        let sql = format!("SELECT * FROM ({VERSIONS}) AS versions WHERE name = $1 AND production = 1");
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(&self.pool).await
    }

    /// Makes a registered version the production version and records who did it; nobody sees it until it is committed. A
    /// run that promoted the version before changes nothing.
    pub async fn begin_promotion(
        &self,
        name: &str,
        version: i64,
        by: By<'_>,
    ) -> sqlx::Result<Option<Changing>> {
        let mut transaction = self.write_durably().await?;
        let done: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM promotions WHERE name = $1 AND version = $2 AND run_id = $3")
                .bind(name)
                .bind(version)
                .bind(by.run)
                .fetch_optional(&mut *transaction)
                .await?;
        if done.is_some() {
            return Ok(None);
        }
        sqlx::query("INSERT INTO promotions (name, version, at, run_id, actor) VALUES ($1, $2, $3, $4, $5)")
            .bind(name)
            .bind(version)
            .bind(now())
            .bind(by.run)
            .bind(by.actor)
            .execute(&mut *transaction)
            .await?;
        super::canaries::end_with_production(&mut transaction, name, version).await?;
        let subject = format!("{name} version {version}");
        record(&mut transaction, &by.change("promote", &subject)).await?;
        Ok(Some(Changing::new(self, transaction, name)))
    }

    /// The version that a run has registered, if any.
    pub async fn version_of_run(&self, name: &str, run: i64) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar("SELECT MAX(version) FROM model_versions WHERE name = $1 AND run_id = $2")
            .bind(name)
            .bind(run)
            .fetch_one(&self.pool)
            .await
    }

    /// The version that was in production before the present one, if any: what a rollback returns to.
    pub async fn previous_production(&self, name: &str) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar("SELECT version FROM promotions WHERE name = $1 ORDER BY id DESC LIMIT 1 OFFSET 1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
    }

    /// Takes the newest promotion back, so that a second rollback goes one step further, and records who did it; nobody
    /// sees it until it is committed.
    pub async fn begin_rollback(&self, name: &str, to: i64, by: By<'_>) -> sqlx::Result<Changing> {
        let mut transaction = self.write_durably().await?;
        sqlx::query("DELETE FROM promotions WHERE id = (SELECT MAX(id) FROM promotions WHERE name = $1)")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        super::canaries::end_with_production(&mut transaction, name, to).await?;
        let subject = format!("{name} version {to}");
        record(&mut transaction, &by.change("rollback", &subject)).await?;
        Ok(Changing::new(self, transaction, name))
    }
}

#[cfg(test)]
impl Store {
    pub async fn promote(&self, name: &str, version: i64, by: By<'_>) -> sqlx::Result<()> {
        match self.begin_promotion(name, version, by).await? {
            Some(changing) => changing.commit().await,
            None => Ok(()),
        }
    }

    pub async fn demote(&self, name: &str, to: i64, by: By<'_>) -> sqlx::Result<()> {
        self.begin_rollback(name, to, by).await?.commit().await
    }
}

impl Registration<'_> {
    /// Makes the version visible. The first version of a name becomes its production version.
    pub async fn commit(mut self, new: &NewVersion<'_>) -> sqlx::Result<()> {
        let origin = new.origin.map(|origin| serde_json::to_string(origin).expect("three texts"));
        sqlx::query(
            "INSERT INTO model_versions (name, version, as_of, task, seed, metrics, created_at, run_id, origin)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&self.name)
        .bind(self.version)
        .bind(new.as_of)
        .bind(new.task.name())
        .bind(new.seed)
        .bind(new.metrics.to_string())
        .bind(now())
        .bind(new.run)
        .bind(origin)
        .execute(&mut *self.transaction)
        .await?;
        let promoted = sqlx::query(
            "INSERT INTO promotions (name, version, at, run_id, actor)
             SELECT $1, $2, $3, $4, 'the first version' WHERE NOT EXISTS (SELECT 1 FROM promotions WHERE name = $1)",
        )
        .bind(&self.name)
        .bind(self.version)
        .bind(now())
        .bind(new.run)
        .execute(&mut *self.transaction)
        .await?;
        if promoted.rows_affected() > 0 {
            let subject = format!("{} version {}", self.name, self.version);
            let by = By { actor: "the first version", run: new.run };
            record(&mut self.transaction, &by.change("promote", &subject)).await?;
        }
        self.transaction.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    const ANNA: By = By { actor: "anna", run: None };

    async fn register(store: &Store, name: &str) -> i64 {
        let registration = store.begin_version(name).await.unwrap();
        let version = registration.version;
        let metrics = serde_json::json!({"auc": 0.84});
        let new = NewVersion {
            as_of: "2024-01-31",
            task: Task::Binary,
            seed: 42,
            metrics: &metrics,
            run: None,
            origin: None,
        };
        registration.commit(&new).await.unwrap();
        version
    }

    #[tokio::test]
    async fn the_first_version_becomes_production_and_a_rollback_returns() {
        each(async |store| {
            assert_eq!(store.production("churn").await.unwrap(), None);
            assert_eq!((register(&store, "churn").await, register(&store, "churn").await), (1, 2));
            assert_eq!(register(&store, "other").await, 1);
            let production = async || store.production("churn").await.unwrap().unwrap().version;
            assert_eq!(production().await, 1);
            store.promote("churn", 2, ANNA).await.unwrap();
            assert_eq!(production().await, 2);
            assert_eq!(store.previous_production("churn").await.unwrap(), Some(1));
            store.demote("churn", 1, ANNA).await.unwrap();
            assert_eq!(production().await, 1);
            assert!(
                store.promote("churn", 9, ANNA).await.is_err(),
                "an unregistered version cannot be promoted"
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_dropped_registration_leaves_its_number_free() {
        each(async |store| {
            drop(store.begin_version("churn").await.unwrap());
            assert_eq!(register(&store, "churn").await, 1);
        })
        .await;
    }
}
