//! Labels that came after the answers they are for: the newest of a key counts, and those of before stay with their times.

use sqlx::{AssertSqlSafe, FromRow, Row as _};

use super::{Store, now};

/// A label and what it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The request; empty where an entity and a time are named.
    pub request_id: String,
    /// The entity as the log of predictions has it; empty where a request alone is named.
    pub entity: String,
    /// Microseconds since 1970; 0 of a request.
    pub time_us: i64,
    /// 1 and 0 for true and false, or the number.
    pub value: f64,
}

/// What became of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Added {
    /// Labels of requests or entities that had none.
    pub new: u64,
    /// Labels that say otherwise than the one before.
    pub corrected: u64,
    /// Labels that say the same.
    pub unchanged: u64,
}

/// Columns that make a key.
const KEY: &str = "request_id, entity, time_us";

impl Store {
    /// Adds labels, all or none. The same labels a second time change nothing.
    pub async fn add_labels(&self, labels: &[Label], actor: &str) -> sqlx::Result<Added> {
        let (mut added, at) = (Added::default(), now());
        let mut transaction = self.durable.begin_with("BEGIN IMMEDIATE").await?;
        for label in labels {
            let known: Option<f64> = sqlx::query_scalar(
                "SELECT label FROM labels WHERE request_id = ? AND entity = ? AND time_us = ? ORDER BY id DESC LIMIT 1",
            )
            .bind(&label.request_id)
            .bind(&label.entity)
            .bind(label.time_us)
            .fetch_optional(&mut *transaction)
            .await?;
            match known {
                Some(value) if value == label.value => {
                    added.unchanged += 1;
                    continue;
                }
                Some(_) => added.corrected += 1,
                None => added.new += 1,
            }
            sqlx::query(
                "INSERT INTO labels (request_id, entity, time_us, label, at, actor) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&label.request_id)
            .bind(&label.entity)
            .bind(label.time_us)
            .bind(label.value)
            .bind(&at)
            .bind(actor)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(added)
    }

    /// The newest label of each key.
    pub async fn labels(&self) -> sqlx::Result<Vec<Label>> {
        let newest = format!(
            "SELECT * FROM labels WHERE id IN (SELECT MAX(id) FROM labels GROUP BY {KEY}) ORDER BY id"
        );
        sqlx::query_as(AssertSqlSafe(newest)).fetch_all(&self.pool).await
    }

    /// How many labels name the entity, in one of the ways in which it may stand there.
    pub async fn labels_of(&self, names: &[String]) -> sqlx::Result<u64> {
        let mut count = 0;
        for name in names {
            let query = sqlx::query_scalar("SELECT COUNT(*) FROM labels WHERE entity = ?");
            count += query.bind(name).fetch_one(&self.pool).await.map(|count: i64| count.unsigned_abs())?;
        }
        Ok(count)
    }

    /// Deletes the labels of the entity.
    pub async fn forget_labels(&self, names: &[String]) -> sqlx::Result<()> {
        for name in names {
            sqlx::query("DELETE FROM labels WHERE entity = ?").bind(name).execute(&self.durable).await?;
        }
        Ok(())
    }
}

impl FromRow<'_, sqlx::sqlite::SqliteRow> for Label {
    fn from_row(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            request_id: row.try_get("request_id")?,
            entity: row.try_get("entity")?,
            time_us: row.try_get("time_us")?,
            value: row.try_get("label")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::temporary;

    fn label(request_id: &str, entity: &str, time_us: i64, value: f64) -> Label {
        Label { request_id: request_id.into(), entity: entity.into(), time_us, value }
    }

    #[tokio::test]
    async fn the_same_label_changes_nothing_and_a_correction_is_kept_beside_the_first() {
        let (_dir, store) = temporary().await;
        let first = [label("r1", "", 0, 1.0), label("", "a", 5, 0.0)];
        let added = |new, corrected, unchanged| Added { new, corrected, unchanged };
        assert_eq!(store.add_labels(&first, "key shop").await.unwrap(), added(2, 0, 0));
        assert_eq!(store.add_labels(&first, "key shop").await.unwrap(), added(0, 0, 2));
        let second = [label("r1", "", 0, 0.0), label("r2", "a", 0, 1.0), label("r2", "a", 0, 1.0)];
        assert_eq!(store.add_labels(&second, "key shop").await.unwrap(), added(1, 1, 1));
        assert_eq!(
            store.labels().await.unwrap(),
            [label("", "a", 5, 0.0), label("r1", "", 0, 0.0), label("r2", "a", 0, 1.0)]
        );
        let kept: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM labels").fetch_one(&store.pool).await.unwrap();
        assert_eq!(kept, 4);
        let names = ["a".to_owned(), "hash of a".to_owned()];
        assert_eq!(store.labels_of(&names).await.unwrap(), 2);
        store.forget_labels(&names).await.unwrap();
        assert_eq!(store.labels().await.unwrap(), [label("r1", "", 0, 0.0)]);
    }
}
