//! The audit trail: who asked for which change, from where, and what came of it. An entry is written before the change is
//! made, so that none is made without one; nothing removes entries.

use reqwest::Url;
use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use utoipa::ToSchema;

use super::{Store, now};

/// The outcome of a change that was made.
pub const DONE: &str = "done";
/// Stands in the place of a secret.
const HIDDEN: &str = "(hidden)";
/// Parts of the names of parameters whose values are secrets.
const SECRET_NAMES: [&str; 7] =
    ["password", "passwd", "secret", "token", "credential", "authorization", "api_key"];
/// Longest text of parameters, actor or outcome; the rest is cut off.
const TEXT_CHARACTERS: usize = 2_000;

/// A change that somebody asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: i64,
    pub at: String,
    /// The user, the token, or the command's user on this machine.
    pub actor: String,
    /// From where a request came; none of a command or a run.
    pub address: Option<String>,
    /// The trusted proxy that it came through.
    pub proxy: Option<String>,
    /// The method of a request; `command`; a word for what a run did.
    pub action: String,
    /// The path of a request; the words of a command; what a run did it to.
    pub subject: String,
    /// The body of a request, without its secrets.
    pub detail: String,
    /// `done`, `refused: …` or `failed: …`; none where the process ended, or the client left, before it was known.
    pub outcome: Option<String>,
    pub run_id: Option<i64>,
}

impl FromRow<'_, SqliteRow> for AuditEntry {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            address: row.try_get("address")?,
            proxy: row.try_get("proxy")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            detail: row.try_get("detail")?,
            outcome: row.try_get("outcome")?,
            run_id: row.try_get("run_id")?,
        })
    }
}

/// A change to be recorded.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewEntry<'a> {
    pub actor: &'a str,
    pub address: Option<&'a str>,
    pub proxy: Option<&'a str>,
    pub action: &'a str,
    pub subject: &'a str,
    pub detail: &'a str,
    pub run: Option<i64>,
}

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Not older than this moment, as the database writes it.
    pub since: Option<String>,
    pub limit: i64,
}

/// Adds an entry with all of its detail and gives its number.
pub(super) async fn insert(
    executor: impl sqlx::Executor<'_, Database = sqlx::Sqlite>,
    entry: &NewEntry<'_>,
    outcome: Option<&str>,
) -> sqlx::Result<i64> {
    let added = sqlx::query(
        "INSERT INTO audit (at, actor, address, proxy, action, subject, detail, run_id, outcome)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(now())
    .bind(cut(entry.actor))
    .bind(entry.address)
    .bind(entry.proxy)
    .bind(entry.action)
    .bind(cut(entry.subject))
    .bind(entry.detail)
    .bind(entry.run)
    .bind(outcome.map(cut))
    .execute(executor)
    .await?;
    Ok(added.last_insert_rowid())
}

impl Store {
    /// Records a change that is about to be made, and gives the number of its entry.
    pub async fn begin_change(&self, entry: &NewEntry<'_>) -> sqlx::Result<i64> {
        let detail = cut(entry.detail);
        insert(&self.durable, &NewEntry { detail: &detail, ..*entry }, None).await
    }

    /// Records what came of it.
    pub async fn end_change(&self, entry: i64, outcome: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE audit SET outcome = ? WHERE id = ? AND outcome IS NULL")
            .bind(cut(outcome))
            .bind(entry)
            .execute(&self.durable)
            .await?;
        Ok(())
    }

    /// Records a change with what came of it.
    pub async fn audit(&self, entry: &NewEntry<'_>, outcome: &str) -> sqlx::Result<()> {
        let detail = cut(entry.detail);
        insert(&self.durable, &NewEntry { detail: &detail, ..*entry }, Some(outcome)).await.map(drop)
    }

    /// The newest changes first.
    pub async fn audit_entries(&self, filter: &AuditFilter) -> sqlx::Result<Vec<AuditEntry>> {
        sqlx::query_as("SELECT * FROM audit WHERE ?1 IS NULL OR at >= ?1 ORDER BY id DESC LIMIT ?2")
            .bind(&filter.since)
            .bind(filter.limit)
            .fetch_all(&self.pool)
            .await
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The value with its secrets hidden: those that their names tell, and passwords in URLs.
pub fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| {
                let value = if is_secret(&name) { HIDDEN.into() } else { without_secrets(value) };
                (name, value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(values) => values.into_iter().map(without_secrets).collect(),
        Value::String(text) => without_password(&text).into(),
        other => other,
    }
}

/// A word of a command line with its secret hidden: `--password=x`, `token=x`, `https://user:x@host`.
pub fn word_without_secret(word: &str) -> String {
    match word.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        Some((name, value)) => format!("{name}={}", without_password(value)),
        None => without_password(word),
    }
}

/// True for the name of a parameter whose value is a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// A URL without the password in it; any other text as it is.
fn without_password(text: &str) -> String {
    let Some(mut url) = Url::parse(text).ok().filter(|url| url.password().is_some()) else {
        return text.to_owned();
    };
    url.set_password(Some("hidden")).map_or_else(|()| HIDDEN.to_owned(), |()| url.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::temporary;

    #[tokio::test]
    async fn an_entry_is_there_before_its_outcome_is_known() {
        let (_dir, store) = temporary().await;
        let entry = NewEntry { actor: "ada", action: "POST", subject: "/x", ..NewEntry::default() };
        let first = store.begin_change(&entry).await.unwrap();
        store.begin_change(&entry).await.unwrap();
        store.end_change(first, DONE).await.unwrap();
        store.end_change(first, "failed: told twice").await.unwrap();
        let outcomes = async |since: Option<&str>| {
            let filter = AuditFilter { since: since.map(str::to_owned), limit: 10 };
            let entries = store.audit_entries(&filter).await.unwrap();
            entries.into_iter().map(|entry| entry.outcome).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(None).await, [None, Some(DONE.to_owned())]);
        assert_eq!(outcomes(Some("2999-01-31")).await, []);
    }

    #[tokio::test]
    async fn texts_have_a_bound() {
        let (_dir, store) = temporary().await;
        let long = "\u{fc}".repeat(100_000);
        let entry = NewEntry { actor: &long, subject: &long, detail: &long, ..NewEntry::default() };
        store.audit(&entry, &long).await.unwrap();
        let entries = store.audit_entries(&AuditFilter { since: None, limit: 1 }).await.unwrap();
        for text in [&entries[0].actor, &entries[0].subject, &entries[0].detail] {
            assert_eq!(text.chars().count(), TEXT_CHARACTERS + 1);
        }
    }

    #[test]
    fn secrets_are_hidden() {
        let given = json!({
            "parameters": { "warehouse_password": "x", "API-Key": "x", "as_of": "2024-01-31", "rows": 5 },
            "list": [{ "token": { "deep": "x" } }],
            "url": "https://ada:x@example.com/a",
        });
        let expected = json!({
            "parameters": { "warehouse_password": HIDDEN, "API-Key": HIDDEN, "as_of": "2024-01-31", "rows": 5 },
            "list": [{ "token": HIDDEN }],
            "url": "https://ada:hidden@example.com/a",
        });
        assert_eq!(without_secrets(given), expected);
        for (word, expected) in [
            ("--param", "--param"),
            ("db_password=x=y", "db_password=(hidden)"),
            ("drop=https://u:x@h/", "drop=https://u:hidden@h/"),
            ("https://u:x@h/", "https://u:hidden@h/"),
            ("as_of=2024-01-31", "as_of=2024-01-31"),
        ] {
            assert_eq!(word_without_secret(word), expected);
        }
    }
}
