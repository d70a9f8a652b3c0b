//! Labels that came after the answers they are for: the newest of a key counts, and those of before stay with their times.

use std::collections::HashMap;

use sqlx::{FromRow, Row as _};

use super::change::Change as _;
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
    pub truth: Truth,
}

/// What came true.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    /// 1 and 0 for true and false, or the number.
    Number(f64),
    /// One of several classes.
    Class(String),
}

impl Truth {
    /// The columns `label` and `class`.
    fn columns(&self) -> (f64, Option<&str>) {
        match self {
            Self::Number(number) => (*number, None),
            Self::Class(class) => (0.0, Some(class)),
        }
    }

    fn of(number: f64, class: Option<String>) -> Self {
        class.map_or(Self::Number(number), Self::Class)
    }
}

/// A label, and when it was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    pub label: Label,
    /// Microseconds since 1970.
    pub at_us: i64,
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

/// Rows of a page of labels.
const PAGE_ROWS: i64 = 10_000;
/// A page of the labels that no later one has the key of, which `labels_by_key` finds.
const NEWEST_PAGE: &str = "SELECT * FROM labels WHERE id > $1 AND NOT EXISTS (SELECT 1 FROM labels AS later \
     WHERE later.request_id = labels.request_id AND later.entity = labels.entity AND later.time_us = labels.time_us \
     AND later.id > labels.id) ORDER BY id LIMIT $2";

impl Store {
    /// Adds labels, all or none. The same labels a second time change nothing.
    pub async fn add_labels(&self, labels: &[Label], actor: &str) -> sqlx::Result<Added> {
        let (mut added, at) = (Added::default(), now());
        let mut transaction = self.write_durably().await?;
        for label in labels {
            let known: Option<(f64, Option<String>)> = sqlx::query_as(
                "SELECT label, class FROM labels WHERE request_id = $1 AND entity = $2 AND time_us = $3 ORDER BY id DESC LIMIT 1",
            )
            .bind(&label.request_id)
            .bind(&label.entity)
            .bind(label.time_us)
            .fetch_optional(&mut *transaction)
            .await?;
            match known {
                Some((number, class)) if Truth::of(number, class.clone()) == label.truth => {
                    added.unchanged += 1;
                    continue;
                }
                Some(_) => added.corrected += 1,
                None => added.new += 1,
            }
            let (number, class) = label.truth.columns();
            sqlx::query(
                "INSERT INTO labels (request_id, entity, time_us, label, class, at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&label.request_id)
            .bind(&label.entity)
            .bind(label.time_us)
            .bind(number)
            .bind(class)
            .bind(&at)
            .bind(actor)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(added)
    }

    /// The newest label of each key, in the order in which they came. Read in pages of one view of the database, so that no
    /// statement takes long, however many labels there are.
    pub async fn labels(&self) -> sqlx::Result<Vec<Taken>> {
        let (mut found, mut last) = (Vec::new(), 0_i64);
        let mut view = self.view().await?;
        loop {
            let page = sqlx::query(NEWEST_PAGE).bind(last).bind(PAGE_ROWS).fetch_all(&mut *view).await?;
            let Some(end) = page.last() else { return Ok(found) };
            last = end.try_get("id")?;
            for row in &page {
                found.push(Taken::from_row(row)?);
            }
        }
    }

    /// A number that grows with every label and shrinks with none but those that are forgotten, and how many there are.
    pub async fn labels_mark(&self) -> sqlx::Result<(i64, i64)> {
        sqlx::query_as("SELECT COALESCE(MAX(id), 0), COUNT(*) FROM labels").fetch_one(&self.pool).await
    }

    /// Tells which content the labels of a month have. The same content again changes nothing.
    pub async fn add_label_drop(&self, as_of: &str, sha256: &str) -> sqlx::Result<()> {
        let mut transaction = self.write_durably().await?;
        let newest = "SELECT sha256 FROM label_drops WHERE as_of = $1 ORDER BY id DESC LIMIT 1";
        let known: Option<String> =
            sqlx::query_scalar(newest).bind(as_of).fetch_optional(&mut *transaction).await?;
        if known.as_deref() != Some(sha256) {
            let add = "INSERT INTO label_drops (as_of, sha256, at) VALUES ($1, $2, $3)";
            sqlx::query(add).bind(as_of).bind(sha256).bind(now()).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// Since when the labels of each month have the content that they have, in microseconds since 1970. Months of the
    /// time before this was recorded are not in it.
    pub async fn label_drops(&self) -> sqlx::Result<HashMap<String, i64>> {
        let newest =
            "SELECT as_of, at FROM label_drops WHERE id IN (SELECT MAX(id) FROM label_drops GROUP BY as_of)";
        let rows: Vec<(String, String)> = sqlx::query_as(newest).fetch_all(&self.pool).await?;
        rows.into_iter().map(|(as_of, at)| Ok((as_of, microseconds(&at)?))).collect()
    }

    /// How many labels name the entity, in one of the ways in which it may stand there.
    pub async fn labels_of(&self, names: &[String]) -> sqlx::Result<u64> {
        let mut count = 0;
        for name in names {
            let query = sqlx::query_scalar("SELECT COUNT(*) FROM labels WHERE entity = $1");
            count += query.bind(name).fetch_one(&self.pool).await.map(|count: i64| count.unsigned_abs())?;
        }
        Ok(count)
    }

    /// Deletes the labels of the entity.
    pub async fn forget_labels(&self, names: &[String]) -> sqlx::Result<()> {
        for name in names {
            sqlx::query("DELETE FROM labels WHERE entity = $1").bind(name).change_durably(self).await?;
        }
        Ok(())
    }
}

fn microseconds(at: &str) -> sqlx::Result<i64> {
    let time: Result<jiff::Timestamp, _> = at.parse();
    time.map(|time| time.as_microsecond()).map_err(|error| sqlx::Error::Decode(error.into()))
}

impl FromRow<'_, sqlx::any::AnyRow> for Taken {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        let label = Label {
            request_id: row.try_get("request_id")?,
            entity: row.try_get("entity")?,
            time_us: row.try_get("time_us")?,
            truth: Truth::of(row.try_get("label")?, row.try_get("class")?),
        };
        Ok(Self { label, at_us: microseconds(row.try_get("at")?)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    fn label(request_id: &str, entity: &str, time_us: i64, value: f64) -> Label {
        Label { request_id: request_id.into(), entity: entity.into(), time_us, truth: Truth::Number(value) }
    }

    async fn newest(store: &Store) -> Vec<Label> {
        store.labels().await.unwrap().into_iter().map(|taken| taken.label).collect()
    }

    #[tokio::test]
    async fn a_class_is_a_label_of_its_own_and_drops_have_times() {
        each(async |store| {
            let of = |class: &str| Label { truth: Truth::Class(class.into()), ..label("r1", "", 0, 0.0) };
            for (class, expected) in [("plus", (1, 0, 0)), ("plus", (0, 0, 1)), ("basic", (0, 1, 0))] {
                let added = store.add_labels(&[of(class)], "key shop").await.unwrap();
                assert_eq!((added.new, added.corrected, added.unchanged), expected);
            }
            let zero = store.add_labels(&[label("r1", "", 0, 0.0)], "key shop").await.unwrap();
            assert_eq!(zero.corrected, 1, "a number is no class");
            let before = store.labels().await.unwrap()[0].at_us;
            for sha256 in ["one", "one", "two"] {
                store.add_label_drop("2024-01-31", sha256).await.unwrap();
            }
            let drops = store.label_drops().await.unwrap();
            assert!(drops["2024-01-31"] >= before && drops.len() == 1, "{drops:?}");
            let rows: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM label_drops").fetch_one(&store.pool).await.unwrap();
            assert_eq!(rows, 2, "a correction is kept beside the first");
        })
        .await;
    }

    #[tokio::test]
    async fn more_labels_than_a_page_are_read_once_each() {
        each(async |store| {
            let sent = usize::try_from(PAGE_ROWS).unwrap() + 2;
            let labels: Vec<Label> = (0..sent).map(|n| label(&format!("r{n}"), "", 0, 1.0)).collect();
            store.add_labels(&labels, "key shop").await.unwrap();
            store.add_labels(&[label("r0", "", 0, 0.0)], "key shop").await.unwrap();
            let found = newest(&store).await;
            assert_eq!(
                (found.len(), &found[..2], &found[sent - 1]),
                (sent, &labels[1..3], &label("r0", "", 0, 0.0))
            );
        })
        .await;
    }

    #[tokio::test]
    async fn the_same_label_changes_nothing_and_a_correction_is_kept_beside_the_first() {
        each(async |store| {
            let first = [label("r1", "", 0, 1.0), label("", "a", 5, 0.0)];
            let added = |new, corrected, unchanged| Added { new, corrected, unchanged };
            assert_eq!(store.add_labels(&first, "key shop").await.unwrap(), added(2, 0, 0));
            assert_eq!(store.add_labels(&first, "key shop").await.unwrap(), added(0, 0, 2));
            let second = [label("r1", "", 0, 0.0), label("r2", "a", 0, 1.0), label("r2", "a", 0, 1.0)];
            assert_eq!(store.add_labels(&second, "key shop").await.unwrap(), added(1, 1, 1));
            assert_eq!(
                newest(&store).await,
                [label("", "a", 5, 0.0), label("r1", "", 0, 0.0), label("r2", "a", 0, 1.0)]
            );
            let kept: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM labels").fetch_one(&store.pool).await.unwrap();
            assert_eq!(kept, 4);
            let names = ["a".to_owned(), "hash of a".to_owned()];
            assert_eq!(store.labels_of(&names).await.unwrap(), 2);
            store.forget_labels(&names).await.unwrap();
            assert_eq!(newest(&store).await, [label("r1", "", 0, 0.0)]);
        })
        .await;
    }
}
