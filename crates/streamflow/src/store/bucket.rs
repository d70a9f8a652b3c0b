//! The registry as a bucket has it: written from the database, and taken over into it.

use sqlx::Row as _;

use super::models::{ModelVersion, NewVersion, Registration};
use super::{Store, now};
use crate::storage::{ModelRecord, Promotion, VersionRow};

/// Whose doing a promotion is that stands in a bucket without a name.
const UNKNOWN: &str = "the bucket";

impl Store {
    /// What the database has of a model.
    pub async fn model_record(&self, name: &str) -> sqlx::Result<ModelRecord> {
        let mut versions: Vec<VersionRow> =
            self.model_versions().await?.into_iter().filter(|row| row.name == name).map(row_of).collect();
        versions.sort_by_key(|row| row.version);
        let promotions = sqlx::query("SELECT version, at, actor FROM promotions WHERE name = ? ORDER BY id")
            .bind(name)
            .fetch_all(&self.pool)
            .await?;
        let promotion = |row: &sqlx::sqlite::SqliteRow| -> sqlx::Result<Promotion> {
            let (version, at, actor) = (row.try_get("version")?, row.try_get("at")?, row.try_get("actor")?);
            Ok(Promotion { version, at, actor })
        };
        let promotions = promotions.iter().map(promotion).collect::<sqlx::Result<_>>()?;
        Ok(ModelRecord { versions, promotions })
    }

    /// Makes the registry of a model what a bucket has of it, at once. Versions that the bucket has not are no longer in
    /// production, and stay otherwise.
    pub async fn take_over_models(&self, name: &str, record: &ModelRecord) -> sqlx::Result<()> {
        let mut transaction = self.durable.begin_with("BEGIN IMMEDIATE").await?;
        for row in &record.versions {
            sqlx::query(
                "INSERT INTO model_versions (name, version, as_of, task, seed, metrics, created_at, origin)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
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
        sqlx::query("DELETE FROM promotions WHERE name = ?").bind(name).execute(&mut *transaction).await?;
        for promotion in &record.promotions {
            let actor = if promotion.actor.is_empty() { UNKNOWN } else { &promotion.actor };
            sqlx::query("INSERT INTO promotions (name, version, at, actor) VALUES (?, ?, ?, ?)")
                .bind(name)
                .bind(promotion.version)
                .bind(&promotion.at)
                .bind(actor)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
    }
}

impl Registration<'_> {
    /// What the registry is to be with this version, beside those that are known.
    pub fn record_with(&self, known: ModelRecord, new: &NewVersion<'_>) -> anyhow::Result<ModelRecord> {
        let mut record = known;
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
    use crate::store::temporary;

    async fn register(store: &Store) -> ModelRecord {
        let registration = store.begin_version("churn").await.unwrap();
        let metrics = serde_json::json!({"auc": 0.84});
        let (as_of, task) = ("2024-01-31", Task::Binary);
        let new = NewVersion { as_of, task, seed: 42, metrics: &metrics, run: None, origin: None };
        let known = store.model_record("churn").await.unwrap();
        let record = registration.record_with(known, &new).unwrap();
        registration.commit(&new).await.unwrap();
        record
    }

    #[tokio::test]
    async fn a_registry_that_is_taken_over_is_the_one_that_was_written() {
        let (_dir, store) = temporary().await;
        let announced = register(&store).await;
        let written = store.model_record("churn").await.unwrap();
        assert_eq!((announced.versions.len(), announced.promotions.len()), (1, 1));
        assert_eq!(announced.promotions[0].version, written.promotions[0].version);
        register(&store).await;
        store.promote("churn", 2, By { actor: "anna", run: None }).await.unwrap();
        let written = store.model_record("churn").await.unwrap();
        let (_dir, other) = temporary().await;
        for _ in 0..2 {
            other.take_over_models("churn", &written).await.unwrap();
            assert_eq!(other.model_record("churn").await.unwrap(), written);
        }
        assert_eq!(other.production("churn").await.unwrap().unwrap().version, 2);
        assert_eq!(other.previous_production("churn").await.unwrap(), Some(1));
    }
}
