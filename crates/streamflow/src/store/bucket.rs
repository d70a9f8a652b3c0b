//! The registry as a bucket has it: written from the database, and taken over into it.

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};

use super::models::{ModelVersion, NewVersion, Registration, VERSIONS};
use super::{Kind, Store, be_patient, now, text};
use crate::storage::{ModelRecord, Promotion, VersionRow};

/// Whose doing a promotion is that stands in a bucket without a name.
const UNKNOWN: &str = "the bucket";

/// A change of the registry that nobody sees until it is committed. No other writer comes in between, so what a bucket is
/// told of it is what the database will have.
pub struct Changing {
    transaction: Transaction<'static, Any>,
    kind: Kind,
    name: String,
}

impl Changing {
    pub(super) fn new(store: &Store, transaction: Transaction<'static, Any>, name: &str) -> Self {
        Self { transaction, kind: store.kind(), name: name.to_owned() }
    }

    /// What the database will have of the model.
    pub async fn record(&mut self) -> sqlx::Result<ModelRecord> {
        be_patient(self.kind, &mut self.transaction).await?;
        record_in(&mut self.transaction, &self.name).await
    }

    /// Makes it visible.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.transaction.commit().await
    }
}

impl Store {
    /// What the database has of a model.
    pub async fn model_record(&self, name: &str) -> sqlx::Result<ModelRecord> {
        let mut transaction = self.view().await?;
        record_in(&mut transaction, name).await
    }

    /// Makes the registry of a model what a bucket has of it, at once, if `is_newest` still says so when no other writer can
    /// change it; false where it does not. Versions that the bucket has not are no longer in production, and stay otherwise.
    pub async fn take_over_models(
        &self,
        name: &str,
        record: &ModelRecord,
        is_newest: impl Future<Output = anyhow::Result<bool>>,
    ) -> anyhow::Result<bool> {
        let mut transaction = self.write_durably().await?;
        be_patient(self.kind(), &mut transaction).await?;
        if !is_newest.await? {
            return Ok(false);
        }
        for row in &record.versions {
            sqlx::query(
                "INSERT INTO model_versions (name, version, as_of, task, seed, metrics, created_at, origin)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            )
            .bind(name)
            .bind(row.version)
            .bind(&row.as_of)
            .bind(&row.task)
            .bind(row.seed)
            .bind(row.metrics.to_string())
            .bind(&row.created_at)
            .bind(row.origin.as_ref().map(ToString::to_string))
            .execute(&mut *transaction)
            .await?;
        }
        take_over_promotions(&mut transaction, name, &record.promotions).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// What both have keeps its rows, which know the run that promoted: a database that several machines share has them all.
async fn take_over_promotions(
    transaction: &mut Transaction<'_, Any>,
    name: &str,
    promotions: &[Promotion],
) -> sqlx::Result<()> {
    let there: Vec<(i64, i64, String)> =
        sqlx::query_as("SELECT id, version, actor FROM promotions WHERE name = $1 ORDER BY id")
            .bind(name)
            .fetch_all(&mut **transaction)
            .await?;
    let same = there.iter().zip(promotions);
    let same = same
        .take_while(|((_, version, actor), other)| *version == other.version && *actor == actor_of(other));
    let same = same.count();
    for (id, ..) in &there[same..] {
        sqlx::query("DELETE FROM promotions WHERE id = $1").bind(*id).execute(&mut **transaction).await?;
    }
    for promotion in &promotions[same..] {
        sqlx::query("INSERT INTO promotions (name, version, at, actor) VALUES ($1, $2, $3, $4)")
            .bind(name)
            .bind(promotion.version)
            .bind(&promotion.at)
            .bind(actor_of(promotion))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

fn actor_of(promotion: &Promotion) -> String {
    match promotion.actor.as_str() {
        "" => UNKNOWN.to_owned(),
        actor => text(actor).into_owned(),
    }
}

async fn record_in(transaction: &mut Transaction<'_, Any>, name: &str) -> sqlx::Result<ModelRecord> {
    let sql = format!("SELECT * FROM ({VERSIONS}) AS versions WHERE name = $1 ORDER BY version");
    let versions: Vec<ModelVersion> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(name).fetch_all(&mut **transaction).await?;
    let promotions = sqlx::query("SELECT version, at, actor FROM promotions WHERE name = $1 ORDER BY id")
        .bind(name)
        .fetch_all(&mut **transaction)
        .await?;
    let promotion = |row: &AnyRow| -> sqlx::Result<Promotion> {
        let (version, at, actor) = (row.try_get("version")?, row.try_get("at")?, row.try_get("actor")?);
        Ok(Promotion { version, at, actor })
    };
    let promotions = promotions.iter().map(promotion).collect::<sqlx::Result<_>>()?;
    Ok(ModelRecord { versions: versions.into_iter().map(row_of).collect(), promotions })
}

impl Registration<'_> {
    /// What the database will have of the model with this version.
    pub async fn record_with(&mut self, new: &NewVersion<'_>) -> anyhow::Result<ModelRecord> {
        let mut record = record_in(&mut self.transaction, &self.name).await?;
        let origin = new.origin.map(serde_json::to_value).transpose()?;
        record.versions.push(VersionRow {
            version: self.version,
            as_of: new.as_of.to_owned(),
            task: new.task.name().to_owned(),
            seed: new.seed,
            metrics: new.metrics.clone(),
            created_at: now(),
            origin,
        });
        if record.promotions.is_empty() {
            let (version, at) = (self.version, now());
            record.promotions.push(Promotion { version, at, actor: "the first version".to_owned() });
        }
        Ok(record)
    }
}

fn row_of(version: ModelVersion) -> VersionRow {
    let ModelVersion { version, as_of, task, seed, metrics, created_at, origin, .. } = version;
    let origin = origin.map(|origin| serde_json::to_value(origin).expect("three texts"));
    VersionRow { version, as_of, task, seed, metrics, created_at, origin }
}

#[cfg(test)]
mod tests {
    use streamflow_model::Task;

    use super::*;
    use crate::store::models::By;
    use crate::store::{each, temporary};

    async fn register(store: &Store) -> ModelRecord {
        let mut registration = store.begin_version("churn").await.unwrap();
        let metrics = serde_json::json!({"auc": 0.84});
        let (as_of, task) = ("2024-01-31", Task::Binary);
        let new = NewVersion { as_of, task, seed: 42, metrics: &metrics, run: None, origin: None };
        let record = registration.record_with(&new).await.unwrap();
        registration.commit(&new).await.unwrap();
        record
    }

    #[tokio::test]
    async fn a_registry_that_is_taken_over_is_the_one_that_was_written() {
        each(async |store| {
            let announced = register(&store).await;
            let written = store.model_record("churn").await.unwrap();
            assert_eq!((announced.versions.len(), announced.promotions.len()), (1, 1));
            assert_eq!(announced.promotions[0].version, written.promotions[0].version);
            register(&store).await;
            store.promote("churn", 2, By { actor: "anna", run: None }).await.unwrap();
            let written = store.model_record("churn").await.unwrap();
            let (_dir, other) = temporary().await;
            for _ in 0..2 {
                assert!(other.take_over_models("churn", &written, async { Ok(true) }).await.unwrap());
                assert_eq!(other.model_record("churn").await.unwrap(), written);
            }
            assert_eq!(other.production("churn").await.unwrap().unwrap().version, 2);
            assert_eq!(other.previous_production("churn").await.unwrap(), Some(1));
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_bucket_is_told_before_a_change_is_what_the_database_has_after_it() {
        each(async |store| {
            register(&store).await;
            register(&store).await;
            let by = By { actor: "anna", run: None };
            let mut changing = store.begin_promotion("churn", 2, by).await.unwrap().unwrap();
            let told = changing.record().await.unwrap();
            assert_eq!(store.production("churn").await.unwrap().unwrap().version, 1);
            changing.commit().await.unwrap();
            assert_eq!(store.model_record("churn").await.unwrap(), told);
            assert_eq!(store.production("churn").await.unwrap().unwrap().version, 2);
            let mut changing = store.begin_rollback("churn", 1, by).await.unwrap();
            assert_eq!(changing.record().await.unwrap().promotions.len(), 1);
            drop(changing);
            assert_eq!(store.model_record("churn").await.unwrap(), told);
        })
        .await;
    }

    /// Of a machine that shares the database with the one that promoted.
    #[tokio::test]
    async fn what_the_database_has_already_is_taken_over_without_a_trace() {
        each(async |store| {
            register(&store).await;
            register(&store).await;
            let before = store.model_record("churn").await.unwrap();
            let by = By { actor: "anna", run: Some(7) };
            store.promote("churn", 2, by).await.unwrap();
            let promoted = store.model_record("churn").await.unwrap();
            assert!(store.take_over_models("churn", &promoted, async { Ok(true) }).await.unwrap());
            assert!(store.begin_promotion("churn", 2, by).await.unwrap().is_none(), "the run is known still");
            assert!(!store.take_over_models("churn", &before, async { Ok(false) }).await.unwrap());
            assert_eq!(store.model_record("churn").await.unwrap(), promoted, "an old record changes nothing");
        })
        .await;
    }
}
