//! An entity leaves the database: every text that names it, and the page of the file that the text stood on.

use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, FromRow, Row as _};

use super::audit::{DONE, NewEntry, insert};
use super::change::Change as _;
use super::{Kind, Store, now};

/// Every column whose text somebody else decides on: messages, parameters, documents. The audit trail is only ever added
/// to but for this: a change of it that names who is to be forgotten keeps all but the name.
const TEXTS: [(&str, &str); 36] = [
    ("runs", "parameters"),
    ("runs", "message"),
    ("runs", "event"),
    ("runs", "period"),
    ("runs", "cause"),
    ("tasks", "message"),
    ("tasks", "output"),
    ("logs", "message"),
    ("transitions", "message"),
    ("approvals", "question"),
    ("approvals", "note"),
    ("artifacts", "markdown"),
    ("notifications", "period"),
    ("notifications", "subject"),
    ("notifications", "body"),
    ("notifications", "outcome"),
    ("mlflow_versions", "outcome"),
    ("evaluations", "evaluation"),
    ("audit", "subject"),
    ("audit", "detail"),
    ("audit", "outcome"),
    ("skipped_times", "reason"),
    ("audit", "actor"),
    ("approvals", "answered_by"),
    ("transitions", "actor"),
    ("promotions", "actor"),
    ("production_log", "actor"),
    ("labels", "request_id"),
    ("labels", "class"),
    ("labels", "actor"),
    ("shadows", "actor"),
    ("canaries", "actor"),
    ("canaries", "trouble"),
    ("sessions", "user_name"),
    ("pushed_features", "text"),
    ("pushed_features", "actor"),
];
/// Those of them that hold who did something: a name and no sentence.
const NAMES: [&str; 3] = ["actor", "answered_by", "user_name"];

/// Somebody's wish that an entity is forgotten, while it is not done.
#[derive(Debug, Clone, PartialEq)]
pub struct Forgetting {
    pub id: i64,
    pub entity: String,
    pub hash: String,
    /// Goes before the entity in its hash, where it is the first that is forgotten.
    pub salt: String,
    pub actor: String,
    pub reason: String,
    pub at: String,
    /// What was found where.
    pub found: Value,
}

/// A wish to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewForgetting<'a> {
    pub entity: &'a str,
    pub hash: &'a str,
    pub salt: &'a str,
    pub actor: &'a str,
    pub reason: &'a str,
    pub found: &'a Value,
}

/// How texts name an entity.
pub trait Mask {
    /// Parts of texts that are worth a closer look.
    fn spellings(&self) -> Vec<String>;
    /// The text without the entity; none where it does not name it.
    fn masked(&self, text: &str) -> Option<String>;
    /// The same of a text that is nothing but a name.
    fn masked_name(&self, name: &str) -> Option<String>;
}

impl Store {
    /// Records that an entity is to be forgotten; a second time changes nothing.
    pub async fn begin_forgetting(&self, new: &NewForgetting<'_>) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO forgetting (entity, hash, salt, actor, reason, at, found) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING",
        )
        .bind(new.entity)
        .bind(new.hash)
        .bind(new.salt)
        .bind(new.actor)
        .bind(new.reason)
        .bind(now())
        .bind(new.found.to_string())
        .change_durably(self)
        .await?;
        Ok(())
    }

    /// What is not finished.
    pub async fn unfinished_forgetting(&self) -> sqlx::Result<Vec<Forgetting>> {
        let rows = sqlx::query("SELECT * FROM forgetting ORDER BY id").fetch_all(&self.pool).await?;
        let of = |row: &sqlx::any::AnyRow| {
            Ok(Forgetting {
                id: row.try_get("id")?,
                entity: row.try_get("entity")?,
                hash: row.try_get("hash")?,
                salt: row.try_get("salt")?,
                actor: row.try_get("actor")?,
                reason: row.try_get("reason")?,
                at: row.try_get("at")?,
                found: super::json_of(row, "found")?,
            })
        };
        rows.iter().map(of).collect()
    }

    /// How many texts of each column name the entity.
    pub async fn texts_naming(&self, mask: &(impl Mask + Sync)) -> sqlx::Result<Vec<(String, u64)>> {
        let mut connection = self.pool.acquire().await?;
        let mut found = Vec::new();
        for (table, column) in TEXTS {
            let texts = naming(&mut connection, self.kind, mask, (table, column)).await?;
            if !texts.is_empty() {
                found.push((format!("{table}.{column}"), texts.len() as u64));
            }
        }
        Ok(found)
    }

    /// Takes the entity out of every text. The pages that had it are overwritten.
    pub async fn mask_texts(&self, mask: &(impl Mask + Sync)) -> sqlx::Result<()> {
        let mut transaction = self.write_durably().await?;
        for (table, column) in TEXTS {
            if self.kind == Kind::Postgres {
                // The place of a row is its name here, and it moves when it is changed.
                let lock = AssertSqlSafe(format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"));
                sqlx::query(lock).execute(&mut *transaction).await?;
            }
            for (row, text) in naming(&mut transaction, self.kind, mask, (table, column)).await? {
                let is_row = match self.kind {
                    Kind::Sqlite => "rowid = CAST($2 AS INTEGER)",
                    Kind::Postgres => "ctid = CAST($2 AS tid)",
                };
                let update = format!("UPDATE {table} SET {column} = $1 WHERE {is_row}");
                sqlx::query(AssertSqlSafe(update)).bind(text).bind(row).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await
    }

    /// Ends it: the receipt goes into the audit trail in the moment in which the wish, and with it the name, goes.
    pub async fn end_forgetting(&self, wish: &Forgetting, receipt: &Value) -> sqlx::Result<()> {
        let mut transaction = self.write_durably().await?;
        let (subject, detail) = (format!("entity {}", wish.hash), receipt.to_string());
        // Who asked may be who is forgotten: the receipt has the name that is left.
        let actor = receipt["by"].as_str().unwrap_or(&wish.actor);
        let (subject, detail) = (subject.as_str(), detail.as_str());
        let entry = NewEntry { actor, action: "forget", subject, detail, ..NewEntry::default() };
        insert(&mut transaction, &entry, Some(DONE)).await?;
        sqlx::query("DELETE FROM forgetting WHERE id = $1").bind(wish.id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.write_back().await
    }

    /// Brings the pages of the log beside the file into the file and empties the log: what was taken out of the pages is
    /// then in neither. Postgres writes its tables anew, without the rows as they were.
    pub async fn write_back(&self) -> sqlx::Result<()> {
        if self.kind == Kind::Sqlite {
            return sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.durable).await.map(drop);
        }
        let mut tables: Vec<&str> = TEXTS.iter().map(|(table, _)| *table).chain(["forgetting"]).collect();
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            let anew = sqlx::raw_sql(AssertSqlSafe(format!("VACUUM (FULL) {table}")));
            anew.execute(&self.durable).await?;
        }
        Ok(())
    }

    /// The receipt of an entity that was forgotten before.
    pub async fn receipt(&self, hash: &str) -> sqlx::Result<Option<Value>> {
        let row =
            sqlx::query("SELECT detail FROM audit WHERE action = 'forget' AND subject = $1 ORDER BY id DESC")
                .bind(format!("entity {hash}"))
                .fetch_optional(&self.pool)
                .await?;
        row.map(|row| super::json_of(&row, "detail")).transpose()
    }
}

/// The hashes of all entities that have a receipt.
pub(super) async fn receipts(connection: &mut AnyConnection) -> sqlx::Result<Vec<String>> {
    let subjects: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT subject FROM audit WHERE action = 'forget' AND subject LIKE 'entity %' ORDER BY subject",
    )
    .fetch_all(connection)
    .await?;
    Ok(subjects
        .into_iter()
        .filter_map(|subject| subject.strip_prefix("entity ").map(str::to_owned))
        .collect())
}

/// The rows of a column that name the entity, by what the database calls them, with their texts without it.
async fn naming(
    connection: &mut AnyConnection,
    kind: Kind,
    mask: &(impl Mask + Sync),
    (table, column): (&str, &str),
) -> sqlx::Result<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    let row = match kind {
        Kind::Sqlite => "rowid",
        Kind::Postgres => "ctid",
    };
    let without = |text: &str| match NAMES.contains(&column) {
        true => mask.masked_name(text),
        false => mask.masked(text),
    };
    for spelling in mask.spellings() {
        let select = format!(
            "SELECT CAST({row} AS TEXT), {column} FROM {table} WHERE replace({column}, $1, '') <> {column}"
        );
        let rows = sqlx::query(AssertSqlSafe(select)).bind(spelling).fetch_all(&mut *connection).await?;
        for row in rows {
            let (id, text) = <(String, String)>::from_row(&row)?;
            if found.iter().all(|(other, _)| *other != id) {
                found.extend(without(&text).map(|text| (id, text)));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{each, temporary};

    /// Columns in which only the product or the configuration puts a word.
    const OURS: [&str; 92] = [
        // Rows that name an entity are deleted.
        "labels.entity",
        "pushed_features.entity",
        "pushed_features.feature",
        "pushed_features.kind",
        "pushed_features.at",
        "labels.at",
        "label_drops.as_of",
        "label_drops.at",
        "label_drops.sha256",
        "shadows.model",
        "shadows.at",
        "canaries.model",
        "canaries.at",
        "tallies.model",
        "tallies.trial",
        "tallies.arm",
        "tallies.process",
        // Scores and counts; no entity is in them.
        "tallies.tally",
        "tallies.at",
        "approvals.answer",
        "approvals.answered_at",
        "approvals.asked_at",
        "approvals.expires_at",
        "approvals.task",
        "artifacts.at",
        "artifacts.key",
        "audit.action",
        "audit.address",
        "audit.at",
        "audit.once",
        "audit.proxy",
        "evaluations.at",
        "evaluations.kind",
        "evaluations.model",
        "evaluations.period",
        // Names of features, counts and effects.
        // A process.
        "leader.holder",
        "live_certificates.certificate",
        "live_certificates.model",
        "live_certificates.settings",
        "live_changes.at",
        "live_changes.model",
        "live_changes.text",
        "live_minutes.model",
        "live_minutes.origin",
        // Categories of features, thirty at most, and names of features.
        "live_references.alarms",
        "live_references.model",
        "live_references.reference",
        "live_references.source",
        "logs.at",
        "logs.level",
        "mirrored.prefect_id",
        "mlflow_production.name",
        "mlflow_versions.at",
        "mlflow_versions.name",
        "mlflow_versions.registered",
        "mlflow_versions.run_uuid",
        "mlflow_versions.state",
        "mlflow_versions.taken_until",
        "notifications.at",
        "notifications.channel",
        "notifications.ended_at",
        "notifications.flow",
        "notifications.next_try_at",
        "notifications.what",
        "production_log.action",
        "production_log.at",
        "production_log.once",
        "production_log.subject",
        "promotions.at",
        "promotions.name",
        "runs.due_at",
        "runs.ended_at",
        "runs.flow",
        "runs.lease_until",
        "runs.process",
        "runs.report",
        "runs.started_at",
        "runs.state",
        "runs.state_name",
        // Digests and a random number.
        "sessions.id",
        "sessions.proof",
        "sessions.token",
        "skipped_times.due_at",
        "skipped_times.flow",
        "tasks.input",
        "tasks.name",
        "tasks.started_at",
        "tasks.state",
        "tasks.state_name",
        "transitions.at",
        "transitions.state",
        "transitions.state_name",
    ];
    /// Tables without a word of anybody else, and the wish itself, which goes with its receipt.
    const TABLES: [&str; 4] = ["forgetting", "model_versions", "schedules", "watermarks"];

    #[tokio::test]
    async fn every_column_of_text_is_searched_or_known_to_name_nobody() {
        let (_dir, store) = temporary().await;
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT tables.name || '.' || columns.name FROM sqlite_schema tables, pragma_table_info(tables.name) columns
             WHERE tables.type = 'table' AND tables.name NOT LIKE '\\_%' ESCAPE '\\' AND columns.type = 'TEXT'",
        )
        .fetch_all(&store.pool)
        .await
        .unwrap();
        let known: BTreeSet<String> =
            TEXTS.iter().map(|(table, column)| format!("{table}.{column}")).collect();
        let unknown: Vec<&String> = columns
            .iter()
            .filter(|column| !known.contains(*column) && !OURS.contains(&column.as_str()))
            .filter(|column| TABLES.iter().all(|table| !column.starts_with(&format!("{table}."))))
            .collect();
        assert!(unknown.is_empty(), "may these name an entity? {unknown:?}");
        let gone: Vec<&String> = known.iter().filter(|column| !columns.contains(column)).collect();
        assert!(gone.is_empty(), "{gone:?}");
    }

    struct Ada;

    impl Mask for Ada {
        fn spellings(&self) -> Vec<String> {
            vec!["ada".to_owned()]
        }

        fn masked(&self, text: &str) -> Option<String> {
            text.contains("ada").then(|| "a text".to_owned())
        }

        fn masked_name(&self, name: &str) -> Option<String> {
            (name == "ada").then(|| "a name".to_owned())
        }
    }

    #[tokio::test]
    async fn who_did_something_may_be_who_is_forgotten() {
        each(async |store| {
            let entry = NewEntry { actor: "ada", action: "prune", subject: "of ada", ..NewEntry::default() };
            store.audit(&entry, DONE).await.unwrap();
            store.audit(&NewEntry { actor: "adam", ..entry }, DONE).await.unwrap();
            sqlx::query(
            "INSERT INTO production_log (at, actor, action, subject) VALUES ('', 'ada', 'promote', 'churn')",
        )
        .execute(&store.pool)
        .await
        .unwrap();
            store.mask_texts(&Ada).await.unwrap();
            let actors: Vec<(String, String)> =
                sqlx::query_as("SELECT actor, subject FROM audit ORDER BY id")
                    .fetch_all(&store.pool)
                    .await
                    .unwrap();
            let expected = [("a name", "a text"), ("adam", "a text")];
            assert_eq!(actors, expected.map(|(actor, subject)| (actor.to_owned(), subject.to_owned())));
            let promoted: String =
                sqlx::query_scalar("SELECT actor FROM production_log").fetch_one(&store.pool).await.unwrap();
            assert_eq!(promoted, "a name");
            store.write_back().await.unwrap();
        })
        .await;
    }
}
