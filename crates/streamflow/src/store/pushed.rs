//! Features that callers pushed: of each feature of each entity the value that was true last.

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::{Store, now, text};

/// A value of a feature of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct PushedFeature {
    /// As the tables name it.
    pub entity: String,
    pub feature: String,
    /// `missing`, `boolean`, `number` or `text`.
    pub kind: String,
    /// 1 and 0 for true and false.
    pub number: Option<f64>,
    pub text: Option<String>,
    /// When it was true: microseconds since 1970.
    pub time_us: i64,
}

/// What became of pushed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Values that were true later than those before, or of features that had none.
    pub taken: u64,
    /// Values that say the same of the same time.
    pub unchanged: u64,
    /// Values that were true before those that are kept.
    pub older: u64,
}

/// Where the values stand: what changes with every push, and what with every deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The newest change.
    pub newest: i64,
    /// Deletions so far.
    pub deletions: i64,
}

/// Rows of a page.
const PAGE_ROWS: i64 = 10_000;
const COUNT_DELETION: &str = "INSERT INTO pushed_deletions (id, count) VALUES (1, 1) \
     ON CONFLICT (id) DO UPDATE SET count = pushed_deletions.count + 1";
const COLUMNS: &str = "entity, feature, kind, number, text, time_us";

impl Store {
    /// Adds values, all or none. The same values a second time change nothing.
    pub async fn add_pushed(&self, values: &[PushedFeature], actor: &str) -> sqlx::Result<Outcomes> {
        let (mut outcomes, at) = (Outcomes::default(), now());
        let mut transaction = self.write_durably().await?;
        for value in values {
            let select = format!("SELECT {COLUMNS} FROM pushed_features WHERE entity = $1 AND feature = $2");
            let known: Option<PushedFeature> = sqlx::query_as(sqlx::AssertSqlSafe(select))
                .bind(&value.entity)
                .bind(&value.feature)
                .fetch_optional(&mut *transaction)
                .await?;
            match known {
                Some(known) if known == *value => {
                    outcomes.unchanged += 1;
                    continue;
                }
                Some(known) if known.time_us > value.time_us => {
                    outcomes.older += 1;
                    continue;
                }
                Some(_) | None => outcomes.taken += 1,
            }
            // A new number tells those who have the old value in memory.
            sqlx::query("DELETE FROM pushed_features WHERE entity = $1 AND feature = $2")
                .bind(&value.entity)
                .bind(&value.feature)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "INSERT INTO pushed_features (entity, feature, kind, number, text, time_us, at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(&value.entity)
            .bind(&value.feature)
            .bind(&value.kind)
            .bind(value.number)
            .bind(value.text.as_deref().map(|written| text(written).into_owned()))
            .bind(value.time_us)
            .bind(&at)
            .bind(actor)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    /// Where the values stand now.
    pub async fn pushed_mark(&self) -> sqlx::Result<Mark> {
        let mark = "SELECT COALESCE((SELECT MAX(id) FROM pushed_features), 0), COALESCE((SELECT count FROM pushed_deletions), 0)";
        let (newest, deletions) = sqlx::query_as(mark).fetch_one(&self.pool).await?;
        Ok(Mark { newest, deletions })
    }

    /// The values that came after a change; those of 0 are all.
    pub async fn pushed_after(&self, change: i64) -> sqlx::Result<Vec<PushedFeature>> {
        let select = format!("SELECT id, {COLUMNS} FROM pushed_features WHERE id > $1 ORDER BY id LIMIT $2");
        let (mut found, mut last) = (Vec::new(), change);
        loop {
            let page = sqlx::query(sqlx::AssertSqlSafe(select.as_str()))
                .bind(last)
                .bind(PAGE_ROWS)
                .fetch_all(&self.pool)
                .await?;
            let Some(end) = page.last() else { return Ok(found) };
            last = end.try_get("id")?;
            for row in &page {
                found.push(PushedFeature::from_row(row)?);
            }
        }
    }

    /// Deletes the values that were true no later than a time, which a snapshot has taken the place of.
    pub async fn delete_pushed_until(&self, time_us: i64) -> sqlx::Result<u64> {
        let mut transaction = self.write_durably().await?;
        let delete = sqlx::query("DELETE FROM pushed_features WHERE time_us <= $1").bind(time_us);
        let deleted = delete.execute(&mut *transaction).await?.rows_affected();
        sqlx::query(COUNT_DELETION).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(deleted)
    }

    /// How many values there are of an entity.
    pub async fn pushed_of(&self, entity: &str) -> sqlx::Result<u64> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM pushed_features WHERE entity = $1").bind(entity);
        count.fetch_one(&self.pool).await.map(|count: i64| count.unsigned_abs())
    }

    /// Deletes the values of an entity.
    pub async fn forget_pushed(&self, entity: &str) -> sqlx::Result<()> {
        let mut transaction = self.write_durably().await?;
        sqlx::query("DELETE FROM pushed_features WHERE entity = $1")
            .bind(entity)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(COUNT_DELETION).execute(&mut *transaction).await?;
        transaction.commit().await
    }
}

impl FromRow<'_, AnyRow> for PushedFeature {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            entity: row.try_get("entity")?,
            feature: row.try_get("feature")?,
            kind: row.try_get("kind")?,
            number: row.try_get("number")?,
            text: row.try_get("text")?,
            time_us: row.try_get("time_us")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::temporary;

    fn value(entity: &str, feature: &str, number: f64, time_us: i64) -> PushedFeature {
        let (entity, feature, kind) = (entity.into(), feature.into(), "number".into());
        PushedFeature { entity, feature, kind, number: Some(number), text: None, time_us }
    }

    fn outcomes(taken: u64, unchanged: u64, older: u64) -> Outcomes {
        Outcomes { taken, unchanged, older }
    }

    #[tokio::test]
    async fn the_value_that_was_true_last_stays_and_every_change_is_told() {
        let (_dir, store) = temporary().await;
        let first = [value("u", "fee", 1.0, 10), value("u", "age", 5.0, 10), value("v", "fee", 2.0, 10)];
        assert_eq!(store.add_pushed(&first, "key shop").await.unwrap(), outcomes(3, 0, 0));
        assert_eq!(store.add_pushed(&first, "key shop").await.unwrap(), outcomes(0, 3, 0), "a second time");
        let mark = store.pushed_mark().await.unwrap();
        let second = [value("u", "fee", 9.0, 5), value("u", "fee", 3.0, 20), value("u", "fee", 4.0, 20)];
        assert_eq!(store.add_pushed(&second, "key shop").await.unwrap(), outcomes(2, 0, 1));
        assert_eq!(store.pushed_after(mark.newest).await.unwrap(), [value("u", "fee", 4.0, 20)]);
        assert_eq!(store.pushed_after(0).await.unwrap().len(), 3);
        assert_eq!(store.pushed_of("u").await.unwrap(), 2);
        let before = store.pushed_mark().await.unwrap();
        assert_eq!(store.delete_pushed_until(10).await.unwrap(), 2);
        store.forget_pushed("u").await.unwrap();
        assert_eq!(store.pushed_after(0).await.unwrap(), []);
        assert_eq!(store.pushed_mark().await.unwrap().deletions, before.deletions + 2);
    }
}
