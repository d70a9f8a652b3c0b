//! The audit trail: who asked for which change, from where, and what came of it. An entry is written before the change is
//! made, so that none is made without one; nothing removes entries.

use reqwest::Url;
use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};
use utoipa::ToSchema;

use super::change::Change as _;
use super::{Store, now};

/// The outcome of a change that was made.
pub const DONE: &str = "done";
/// Stands in the place of a secret.
pub const HIDDEN: &str = "(hidden)";
/// Parts of the names of parameters whose values are secrets, without what stands between their words.
const SECRET_NAMES: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "signature",
];
/// A secret that is shorter is only found again where it stands alone: its letters stand in other words too.
const FOUND_ANYWHERE: usize = 4;
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

impl FromRow<'_, AnyRow> for AuditEntry {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
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
    transaction: &mut Transaction<'_, Any>,
    entry: &NewEntry<'_>,
    outcome: Option<&str>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO audit (at, actor, address, proxy, action, subject, detail, run_id, outcome)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
    )
    .bind(now())
    .bind(cut(entry.actor))
    .bind(entry.address)
    .bind(entry.proxy)
    .bind(entry.action)
    .bind(cut(entry.subject))
    .bind(&*super::text(entry.detail))
    .bind(entry.run)
    .bind(outcome.map(cut))
    .fetch_one(&mut **transaction)
    .await
}

impl Store {
    /// Records a change that is about to be made, and gives the number of its entry.
    pub async fn begin_change(&self, entry: &NewEntry<'_>) -> sqlx::Result<i64> {
        let detail = cut(entry.detail);
        self.add_entry(&NewEntry { detail: &detail, ..*entry }, None).await
    }

    async fn add_entry(&self, entry: &NewEntry<'_>, outcome: Option<&str>) -> sqlx::Result<i64> {
        let mut transaction = self.write_durably().await?;
        let id = insert(&mut transaction, entry, outcome).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Records what came of it.
    pub async fn end_change(&self, entry: i64, outcome: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE audit SET outcome = $1 WHERE id = $2 AND outcome IS NULL")
            .bind(cut(outcome))
            .bind(entry)
            .change_durably(self)
            .await?;
        Ok(())
    }

    /// Records a change with what came of it.
    pub async fn audit(&self, entry: &NewEntry<'_>, outcome: &str) -> sqlx::Result<()> {
        let detail = cut(entry.detail);
        self.add_entry(&NewEntry { detail: &detail, ..*entry }, Some(outcome)).await.map(drop)
    }

    /// The newest changes first.
    pub async fn audit_entries(&self, filter: &AuditFilter) -> sqlx::Result<Vec<AuditEntry>> {
        sqlx::query_as("SELECT * FROM audit WHERE $1 IS NULL OR at >= $1 ORDER BY id DESC LIMIT $2")
            .bind(&filter.since)
            .bind(filter.limit)
            .fetch_all(&self.pool)
            .await
    }
}

fn cut(text: &str) -> String {
    let text = &*super::text(text);
    match text.char_indices().nth(TEXT_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The secrets that were hidden in what an entry tells, so that they are hidden in its outcome too.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The value with its secrets hidden: those that their names tell, and those in URLs.
    pub fn hide(&mut self, value: Value) -> Value {
        match value {
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| {
                    let value = if is_secret(&name) { self.whole(&value).into() } else { self.hide(value) };
                    (name, value)
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(values) => values.into_iter().map(|value| self.hide(value)).collect(),
            Value::String(text) => self.hide_in_text(&text).into(),
            other => other,
        }
    }

    /// The words of a command line with their secrets hidden: `--password x`, `token=x`, `--param=token=x`, URLs.
    pub fn hide_in_words(&mut self, words: &[String]) -> String {
        let mut shown = Vec::new();
        let mut is_value = false;
        for word in words {
            let is_flag = word.starts_with("--");
            shown.push(match is_value && !is_flag {
                true => self.text(word),
                false => self.hide_in_word(word),
            });
            is_value = is_flag && !word.contains('=') && is_secret(word);
        }
        shown.join(" ")
    }

    /// The value of a name of a query, hidden where the name tells a secret.
    pub fn hide_named(&mut self, name: &str, value: &str) -> String {
        if is_secret(name) { self.text(value) } else { self.hide_in_text(value) }
    }

    /// A text that was written elsewhere, without the secrets in its URLs and those that were hidden before.
    pub fn hide_again(&self, text: &str) -> String {
        let text = self.clone().hide_in_text(text);
        self.0.iter().fold(text, |text, secret| match secret.chars().count() < FOUND_ANYWHERE {
            true => without_word(&text, secret),
            false => text.replace(secret.as_str(), HIDDEN),
        })
    }

    fn hide_in_word(&mut self, word: &str) -> String {
        match word.split_once('=') {
            // The = belongs to the query of a URL.
            Some((name, _)) if name.contains("://") => self.hide_in_text(word),
            Some((name, value)) if is_secret(name) => format!("{name}={}", self.text(value)),
            Some((name, value)) => format!("{name}={}", self.hide_in_word(value)),
            None => self.hide_in_text(word),
        }
    }

    /// JSON without its secrets; any other text without those in its URLs.
    fn hide_in_text(&mut self, text: &str) -> String {
        let is_json = text.trim_start().starts_with(['{', '[']);
        if let Some(value) = is_json.then(|| serde_json::from_str(text).ok()).flatten() {
            return self.hide(value).to_string();
        }
        text.split_inclusive(char::is_whitespace).map(|word| self.hide_in_url(word)).collect()
    }

    /// A word without the password and the secret values in the query of the URL that it ends with.
    fn hide_in_url(&mut self, word: &str) -> String {
        let Some(scheme_end) = word.find("://") else { return word.to_owned() };
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let start = word[..scheme_end].rfind(|c| !is_scheme(c)).map_or(0, |at| at + 1);
        let end = word.trim_end().len();
        let Some(mut url) = word.get(start..end).and_then(|url| Url::parse(url).ok()) else {
            return word.to_owned();
        };
        let is_changed = [self.hide_password(&mut url), self.hide_query(&mut url)];
        match is_changed.contains(&true) {
            true => format!("{}{url}{}", &word[..start], &word[end..]),
            false => word.to_owned(),
        }
    }

    fn hide_password(&mut self, url: &mut Url) -> bool {
        let Some(password) = url.password().map(str::to_owned) else { return false };
        self.keep(&percent_decoded(&password));
        self.keep(&password);
        // A URL that has a password can have another.
        url.set_password(Some("hidden")).is_ok()
    }

    fn hide_query(&mut self, url: &mut Url) -> bool {
        if !url.query_pairs().any(|(name, _)| is_secret(&name)) {
            return false;
        }
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let raw = url.query().unwrap_or_default().to_owned();
        let written = raw.split('&').filter(|pair| !pair.is_empty());
        let shown: Vec<String> = written
            .zip(&pairs)
            .map(|(pair, (name, value))| match is_secret(name) {
                true => {
                    self.keep(pair.split_once('=').map_or("", |(_, value)| value));
                    format!("{name}={}", self.text(value))
                }
                false => pair.to_owned(),
            })
            .collect();
        url.set_query(Some(&shown.join("&")));
        true
    }

    /// What stands in the place of a value that is a secret as a whole.
    fn whole(&mut self, value: &Value) -> String {
        match value {
            Value::Object(map) => map.values().for_each(|value| drop(self.whole(value))),
            Value::Array(values) => values.iter().for_each(|value| drop(self.whole(value))),
            Value::String(text) => self.keep(text),
            Value::Number(number) => self.keep(&number.to_string()),
            Value::Bool(_) | Value::Null => {}
        }
        HIDDEN.to_owned()
    }

    fn text(&mut self, secret: &str) -> String {
        self.keep(secret);
        HIDDEN.to_owned()
    }

    /// Remembers a secret, the longest first: a shorter one may be a part of it.
    fn keep(&mut self, secret: &str) {
        if !secret.is_empty() && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }
}

/// True for the name of a parameter whose value is a secret.
pub fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// The text without a word that is a secret.
fn without_word(text: &str, secret: &str) -> String {
    let is_end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let mut shown = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        if is_end(text[..at].chars().next_back()) && is_end(text[end..].chars().next()) {
            shown.push_str(&text[done..at]);
            shown.push_str(HIDDEN);
            done = end;
        }
    }
    shown + &text[done..]
}

/// A part of a URL as it was before it was written into one.
fn percent_decoded(text: &str) -> String {
    let url = Url::parse(&format!("http://localhost/?{}", text.replace('+', "%2B")));
    let name = url.ok().and_then(|url| url.query_pairs().next().map(|(name, _)| name.into_owned()));
    name.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn an_entry_is_there_before_its_outcome_is_known() {
        each(async |store| {
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
        })
        .await;
    }

    #[tokio::test]
    async fn texts_have_a_bound() {
        each(async |store| {
            let long = "\u{fc}".repeat(100_000);
            let entry = NewEntry { actor: &long, subject: &long, detail: &long, ..NewEntry::default() };
            store.audit(&entry, &long).await.unwrap();
            let entries = store.audit_entries(&AuditFilter { since: None, limit: 1 }).await.unwrap();
            for text in [&entries[0].actor, &entries[0].subject, &entries[0].detail] {
                assert_eq!(text.chars().count(), TEXT_CHARACTERS + 1);
            }
        })
        .await;
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
        let mut secrets = Secrets::default();
        assert_eq!(secrets.hide(given), expected);
        for name in ["apikey", "PASSPHRASE", "db.pwd", "private_key", "private-key", "X-Amz-Signature"] {
            assert!(is_secret(name), "{name}");
        }
        for (words, expected) in [
            (&["--param", "db_password=x=y"][..], "--param db_password=(hidden)"),
            (&["--param=db_password=x"], "--param=db_password=(hidden)"),
            (&["--param=db=x"], "--param=db=x"),
            (&["--token", "x", "y"], "--token (hidden) y"),
            (&["drop=https://u:x@h/"], "drop=https://u:hidden@h/"),
            (&["https://u:x@h/?a=b"], "https://u:hidden@h/?a=b"),
            (&["drop=https://h/x?a=1&token=x&b=2"], "drop=https://h/x?a=1&token=(hidden)&b=2"),
            (&["see https://u:x@h/ too"], "see https://u:hidden@h/ too"),
            (&["(https://u:x@h/"], "(https://u:hidden@h/"),
            (&["{\"token\":\"x\"}"], "{\"token\":\"(hidden)\"}"),
            (&["body={\"a\":{\"pwd\":1}}"], "body={\"a\":{\"pwd\":\"(hidden)\"}}"),
            (&["as_of=2024-01-31", "https://h/x?a=1"], "as_of=2024-01-31 https://h/x?a=1"),
        ] {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(Secrets::default().hide_in_words(&words), expected);
        }
    }

    #[test]
    fn what_was_hidden_is_hidden_in_the_outcome() {
        let mut secrets = Secrets::default();
        secrets.hide(json!({ "db_password": "hunterFAIL", "pin_token": 42, "url": "https://u:p%40ss@h/" }));
        for (outcome, expected) in [
            ("false hunterFAIL ended with 1", "false (hidden) ended with 1"),
            ("42 of 1420", "(hidden) of 1420"),
            ("p@ss or p%40ss", "(hidden) or (hidden)"),
            ("cannot get https://a:bcde@h/?token=x", "cannot get https://a:hidden@h/?token=(hidden)"),
            ("done", "done"),
        ] {
            assert_eq!(secrets.hide_again(outcome), expected);
        }
    }
}
