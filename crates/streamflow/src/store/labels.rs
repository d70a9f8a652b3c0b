//! Labels that came after the answers they are for: the newest of a key counts, and those of before stay with their times.

use std::collections::HashMap;

use sqlx::Row as _;

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
/// Labels that no later one has the key of, which `labels_by_key` finds.
const NEWEST: &str = "NOT EXISTS (SELECT 1 FROM labels AS later WHERE later.request_id = labels.request_id \
     AND later.entity = labels.entity AND later.time_us = labels.time_us AND later.id > labels.id)";
/// What a label is in a page.
const PACKED: &str =
    "json_group_array(json_array(request_id, entity, time_us, printf('%!.17g', label), class, at))";
const PACKED_POSTGRES: &str = "CAST(json_agg(json_build_array(request_id, entity, time_us, CAST(label AS TEXT), class, at) \
     ORDER BY id) AS TEXT)";

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

    /// The newest label of each key that was taken since a time, in the order in which they came. Read in pages of one view
    /// of the database, so that no statement takes long; a page is one row, since the way of a row through the driver takes
    /// longer than all else.
    pub async fn labels(&self, since_us: i64) -> sqlx::Result<Vec<Taken>> {
        let (mut found, mut last, since) = (Vec::new(), 0_i64, spelled(since_us));
        let mut view = self.view().await?;
        let packed = self.spelled(PACKED, PACKED_POSTGRES);
        let page = format!(
            "SELECT MAX(id) AS last, {packed} AS page FROM (SELECT * FROM labels WHERE id > $1 AND at >= $2 AND {NEWEST} \
             ORDER BY id LIMIT $3) AS newest"
        );
        loop {
            let query =
                sqlx::query(sqlx::AssertSqlSafe(page.as_str())).bind(last).bind(&since).bind(PAGE_ROWS);
            let row = query.fetch_one(&mut *view).await?;
            let Some(end) = row.try_get("last")? else { return Ok(found) };
            last = end;
            unpack(row.try_get("page")?, &mut found)?;
        }
    }

    /// How many labels were taken before a time, corrections among them.
    pub async fn labels_before(&self, before_us: i64) -> sqlx::Result<u64> {
        let query = sqlx::query_scalar("SELECT COUNT(*) FROM labels WHERE at < $1").bind(spelled(before_us));
        query.fetch_one(&self.pool).await.map(|count: i64| count.unsigned_abs())
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

/// A time as [`now`] spells it, by which texts are in the order of their times.
fn spelled(time_us: i64) -> String {
    let end = if time_us < 0 { jiff::Timestamp::UNIX_EPOCH } else { jiff::Timestamp::MAX };
    let at = jiff::Timestamp::from_microsecond(time_us).unwrap_or(end);
    format!("{:.3}", at.max(jiff::Timestamp::UNIX_EPOCH))
}

/// Takes the labels of a page.
fn unpack(page: &str, found: &mut Vec<Taken>) -> sqlx::Result<()> {
    type Packed = (String, String, i64, String, Option<String>, String);
    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
    let rows: Vec<Packed> = serde_json::from_str(page).map_err(|error| decode(error.into()))?;
    // The labels of a request have the same time.
    let mut last = (String::new(), 0);
    for (request_id, entity, time_us, number, class, at) in rows {
        if last.0 != at {
            let at_us = microseconds(&at)?;
            last = (at, at_us);
        }
        let number = number.parse().map_err(|error: std::num::ParseFloatError| decode(error.into()))?;
        let label = Label { request_id, entity, time_us, truth: Truth::of(number, class) };
        found.push(Taken { label, at_us: last.1 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    fn label(request_id: &str, entity: &str, time_us: i64, value: f64) -> Label {
        Label { request_id: request_id.into(), entity: entity.into(), time_us, truth: Truth::Number(value) }
    }

    async fn newest(store: &Store) -> Vec<Label> {
        store.labels(0).await.unwrap().into_iter().map(|taken| taken.label).collect()
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
            let before = store.labels(0).await.unwrap()[0].at_us;
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
    async fn texts_and_numbers_are_read_as_they_were_sent() {
        each(async |store| {
            let numbers = [0.1 + 0.2, 1.0 / 3.0, -5e-324, f64::MAX, 1e21, 123_456_789.123_456_7, -0.0];
            let mut sent: Vec<Label> = numbers
                .iter()
                .enumerate()
                .map(|(n, number)| label(&format!("r{n}"), "", 0, *number))
                .collect();
            let odd = "\u{1}\"\\ö\u{1f600}' \n]";
            sent.push(Label { truth: Truth::Class(odd.into()), ..label("", odd, i64::MAX, 0.0) });
            store.add_labels(&sent, "key shop").await.unwrap();
            for (found, sent) in newest(&store).await.iter().zip(&sent) {
                match (&found.truth, &sent.truth) {
                    // A last bit more or less.
                    (Truth::Number(found), Truth::Number(sent)) => {
                        assert!((found - sent).abs() <= sent.abs() * 2.0 * f64::EPSILON, "{found} {sent}");
                    }
                    _ => assert_eq!(found, sent),
                }
            }
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
            // Those of before a time are counted and not read.
            let sql = "UPDATE labels SET at = '2024-03-01T12:00:00.000Z' WHERE request_id IN ('r1', 'r2')";
            sqlx::query(sql).execute(&store.pool).await.unwrap();
            for (since_us, read, counted) in [
                (i64::MIN, sent, 0),
                (1_709_294_400_000_000, sent, 0),
                (1_709_294_400_001_000, sent - 2, 2),
                (i64::MAX, 0, sent + 1),
            ] {
                let found = (
                    store.labels(since_us).await.unwrap().len(),
                    store.labels_before(since_us).await.unwrap(),
                );
                assert_eq!(found, (read, counted as u64), "{since_us}");
            }
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
