//! Samples of live traffic, and what they are compared with.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};
use streamflow_live::{BLOCK_MINUTES, Minute, entity_hash};

use super::change::Change as _;
use super::{Store, json_of};

/// Minutes after its end that a quarter of an hour is still kept as single minutes: as long as windows need them.
const SINGLE_MINUTES: i64 = 90;
/// Days for which traffic is kept: what the same clock time of the last seven days needs.
const DAYS: i64 = 8;

/// What the traffic of a version is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReference {
    pub version: i64,
    /// Which rows it was made of.
    pub source: String,
    pub reference: Value,
    /// The first minute with traffic, since 1970.
    pub first_minute: Option<i64>,
    pub alarms: Value,
}

impl FromRow<'_, AnyRow> for StoredReference {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.try_get("version")?,
            source: row.try_get("source")?,
            reference: json_of(row, "reference")?,
            first_minute: row.try_get("first_minute")?,
            alarms: json_of(row, "alarms")?,
        })
    }
}

/// A minute, or a quarter of an hour, as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMinute {
    pub id: i64,
    pub body: Vec<u8>,
}

impl FromRow<'_, AnyRow> for StoredMinute {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { id: row.try_get("id")?, body: row.try_get("body")? })
    }
}

impl Store {
    /// The number in the hashes of entities; `made` becomes it where there is none yet.
    pub async fn live_seed(&self, made: u64) -> sqlx::Result<u64> {
        sqlx::query("INSERT INTO live_secret (id, seed) VALUES (1, $1) ON CONFLICT DO NOTHING")
            .bind(made.cast_signed())
            .change(self)
            .await?;
        let seed: i64 = sqlx::query_scalar("SELECT seed FROM live_secret").fetch_one(&self.pool).await?;
        Ok(seed.cast_unsigned())
    }

    /// What the traffic of a version is compared with, where that was decided.
    pub async fn live_reference(&self, model: &str, version: i64) -> sqlx::Result<Option<StoredReference>> {
        sqlx::query_as("SELECT * FROM live_references WHERE model = $1 AND version = $2")
            .bind(model)
            .bind(version)
            .fetch_optional(&self.pool)
            .await
    }

    /// Decides what the traffic of a version is compared with; what was decided before stays.
    pub async fn add_live_reference(
        &self,
        model: &str,
        version: i64,
        source: &str,
        reference: &Value,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO live_references (model, version, source, reference) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(model)
        .bind(version)
        .bind(source)
        .bind(reference.to_string())
        .change(self)
        .await?;
        Ok(())
    }

    /// Keeps a minute, and since when there is traffic. `origin` is the name of the process, a dot and what tells the minute
    /// from its others: one that is kept already stays.
    pub async fn add_live_minute(
        &self,
        model: &str,
        version: i64,
        origin: &str,
        minute: &Minute,
    ) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        insert(&mut transaction, model, version, origin, minute).await?;
        sqlx::query(
            "UPDATE live_references SET first_minute = CASE WHEN first_minute <= $1 THEN first_minute ELSE $1 END
             WHERE model = $2 AND version = $3",
        )
        .bind(minute.start)
        .bind(model)
        .bind(version)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// What has drifted, as it was kept last.
    pub async fn live_alarms(&self, model: &str, version: i64) -> sqlx::Result<Option<Value>> {
        let row = sqlx::query("SELECT alarms FROM live_references WHERE model = $1 AND version = $2")
            .bind(model)
            .bind(version)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| json_of(&row, "alarms")).transpose()
    }

    /// Keeps what has drifted.
    pub async fn set_live_alarms(&self, model: &str, version: i64, alarms: &Value) -> sqlx::Result<()> {
        sqlx::query("UPDATE live_references SET alarms = $1 WHERE model = $2 AND version = $3")
            .bind(alarms.to_string())
            .bind(model)
            .bind(version)
            .change(self)
            .await?;
        Ok(())
    }

    /// All that is kept of the traffic of a version, oldest first.
    pub async fn live_minutes(&self, model: &str, version: i64) -> sqlx::Result<Vec<StoredMinute>> {
        sqlx::query_as(
            "SELECT id, body FROM live_minutes WHERE model = $1 AND version = $2 ORDER BY start, minutes, id",
        )
        .bind(model)
        .bind(version)
        .fetch_all(&self.pool)
        .await
    }

    /// The minutes that processes of other names than `process` have added since `after`.
    pub async fn live_minutes_of_others(
        &self,
        model: &str,
        version: i64,
        process: &str,
        after: i64,
    ) -> sqlx::Result<Vec<StoredMinute>> {
        sqlx::query_as(
            "SELECT id, body FROM live_minutes
             WHERE model = $1 AND version = $2 AND minutes = 1 AND origin NOT LIKE $3 AND id > $4 ORDER BY id",
        )
        .bind(model)
        .bind(version)
        .bind(format!("{process}.%"))
        .bind(after)
        .fetch_all(&self.pool)
        .await
    }

    /// Takes single minutes that are no longer needed together in quarters of an hour, and deletes what is older than
    /// eight days. `now` is in minutes since 1970.
    pub async fn fold_live_minutes(&self, model: &str, now: i64) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM live_minutes WHERE model = $1 AND start < $2")
            .bind(model)
            .bind(now.saturating_sub(DAYS * 24 * 60 + BLOCK_MINUTES))
            .execute(&mut *transaction)
            .await?;
        let old: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT DISTINCT version, start - ((start % $1) + $1) % $1 FROM live_minutes
             WHERE model = $2 AND minutes = 1 AND start < $3",
        )
        .bind(BLOCK_MINUTES)
        .bind(model)
        .bind(now.saturating_sub(SINGLE_MINUTES).div_euclid(BLOCK_MINUTES) * BLOCK_MINUTES)
        .fetch_all(&mut *transaction)
        .await?;
        for (version, start) in old {
            fold(&mut transaction, model, version, start).await?;
        }
        // A version without traffic for so long begins anew when it is served again.
        sqlx::query(
            "DELETE FROM live_references WHERE model = $1 AND first_minute < $2
             AND version NOT IN (SELECT version FROM live_minutes WHERE model = $1)",
        )
        .bind(model)
        .bind(now.saturating_sub(DAYS * 24 * 60 + BLOCK_MINUTES))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Drops an entity, as the tables spell it, from all samples; how many had it.
    pub async fn forget_live_entity(&self, entity: &str) -> sqlx::Result<usize> {
        let seed: Option<i64> =
            sqlx::query_scalar("SELECT seed FROM live_secret").fetch_optional(&self.pool).await?;
        // Without a seed nothing was ever sampled.
        let Some(seed) = seed else { return Ok(0) };
        let hash = entity_hash(seed.cast_unsigned(), entity.as_bytes());
        let mut transaction = self.write().await?;
        let all: Vec<StoredMinute> =
            sqlx::query_as("SELECT id, body FROM live_minutes").fetch_all(&mut *transaction).await?;
        let mut found = 0;
        for StoredMinute { id, body } in all {
            let Ok(mut minute) = Minute::decode(&body) else { continue };
            if minute.sample.forget(hash) {
                found += 1;
                sqlx::query("UPDATE live_minutes SET body = $1 WHERE id = $2")
                    .bind(minute.encode())
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        transaction.commit().await?;
        Ok(found)
    }
}

/// What was kept of a quarter of an hour becomes one row.
async fn fold(
    transaction: &mut Transaction<'_, Any>,
    model: &str,
    version: i64,
    start: i64,
) -> sqlx::Result<()> {
    let range = "model = $1 AND version = $2 AND start >= $3 AND start < $4";
    let select = format!("SELECT id, body FROM live_minutes WHERE {range}");
    let bodies: Vec<StoredMinute> = sqlx::query_as(sqlx::AssertSqlSafe(select))
        .bind(model)
        .bind(version)
        .bind(start)
        .bind(start + BLOCK_MINUTES)
        .fetch_all(&mut **transaction)
        .await?;
    let minutes: Vec<Minute> = bodies.iter().filter_map(|stored| Minute::decode(&stored.body).ok()).collect();
    let delete = format!("DELETE FROM live_minutes WHERE {range}");
    sqlx::query(sqlx::AssertSqlSafe(delete))
        .bind(model)
        .bind(version)
        .bind(start)
        .bind(start + BLOCK_MINUTES)
        .execute(&mut **transaction)
        .await?;
    match Minute::block(&minutes) {
        Some(block) => insert(transaction, model, version, "", &block).await,
        None => Ok(()),
    }
}

async fn insert(
    transaction: &mut Transaction<'_, Any>,
    model: &str,
    version: i64,
    origin: &str,
    minute: &Minute,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO live_minutes (model, version, start, minutes, origin, body) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
    )
    .bind(model)
    .bind(version)
    .bind(minute.start)
    .bind(i64::from(minute.minutes))
    .bind(origin)
    .bind(minute.encode())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use streamflow_live::{FeatureReference, Reference, Value as Of};

    use super::*;
    use crate::store::each;

    fn minute(start: i64, users: std::ops::Range<u64>) -> Minute {
        let x = FeatureReference::numerical("x", vec![1.0, 2.0]);
        let reference = Reference::new(vec![x], vec![]);
        let mut open = reference.open_minute();
        users.for_each(|user| {
            let hash = entity_hash(5, user.to_string().as_bytes());
            open.add(&reference, hash, start.unsigned_abs() * 60_000, &[Of::Number(1.0)]);
        });
        open.close(start)
    }

    async fn entities(store: &Store) -> Vec<(i64, u32, usize)> {
        let stored = store.live_minutes("churn", 1).await.unwrap();
        let decoded = stored.iter().map(|stored| Minute::decode(&stored.body).unwrap());
        decoded.map(|minute| (minute.start, minute.minutes, minute.sample.len())).collect()
    }

    #[tokio::test]
    async fn minutes_of_two_processes_become_quarters_and_go_after_eight_days() {
        each(async |store| {
            store.add_live_reference("churn", 1, "training", &json!({ "a": 1 })).await.unwrap();
            store.add_live_reference("churn", 1, "another", &json!({})).await.unwrap();
            for (origin, minute) in [
                ("a.1", minute(1_001, 0..3)),
                ("b.1", minute(1_001, 2..5)),
                ("a.2", minute(1_006, 5..7)),
                ("a.2", minute(1_006, 5..7)),
            ] {
                store.add_live_minute("churn", 1, origin, &minute).await.unwrap();
            }
            let kept = store.live_reference("churn", 1).await.unwrap().unwrap();
            assert_eq!((kept.source.as_str(), kept.first_minute), ("training", Some(1_001)));
            assert_eq!(entities(&store).await, [(1_001, 1, 3), (1_001, 1, 3), (1_006, 1, 2)]);
            let others = store.live_minutes_of_others("churn", 1, "a", 0).await.unwrap();
            assert_eq!(others.len(), 1);
            assert_eq!(store.live_minutes_of_others("churn", 1, "a", others[0].id).await.unwrap(), []);

            store.fold_live_minutes("churn", 1_080).await.unwrap();
            assert_eq!(entities(&store).await.len(), 3, "windows need single minutes for an hour");
            store.fold_live_minutes("churn", 1_110).await.unwrap();
            assert_eq!(entities(&store).await, [(990, 15, 5), (1_005, 15, 2)]);
            // A late one joins its quarter.
            store.add_live_minute("churn", 1, "b.2", &minute(1_007, 9..10)).await.unwrap();
            store.fold_live_minutes("churn", 1_110).await.unwrap();
            assert_eq!(entities(&store).await, [(990, 15, 5), (1_005, 15, 3)]);

            assert_eq!(store.forget_live_entity("9").await.unwrap(), 0, "there is no seed");
            assert_eq!(store.live_seed(5).await.unwrap(), 5);
            assert_eq!(store.forget_live_entity("9").await.unwrap(), 1);
            assert_eq!(entities(&store).await, [(990, 15, 5), (1_005, 15, 2)]);
            store.fold_live_minutes("churn", 1_000 + 8 * 1440 + 16).await.unwrap();
            assert_eq!(entities(&store).await, [(1_005, 15, 2)]);
            store.fold_live_minutes("churn", 1_000 + 9 * 1440).await.unwrap();
            assert_eq!(entities(&store).await, []);
            assert_eq!(store.live_reference("churn", 1).await.unwrap(), None);
        })
        .await;
    }

    #[tokio::test]
    async fn the_seed_is_decided_once() {
        each(async |store| {
            assert_eq!(store.live_seed(u64::MAX - 3).await.unwrap(), u64::MAX - 3);
            assert_eq!(store.live_seed(7).await.unwrap(), u64::MAX - 3);
        })
        .await;
    }
}
