//! Who changed what: promotions, rollbacks, approvals, pauses. Rows are only ever added.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::{Store, now};

/// A change that somebody made.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEntry {
    pub id: i64,
    pub at: String,
    pub actor: String,
    /// What was done, in a word: `promote`, `rollback`, `approve`.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    pub detail: String,
    pub run_id: Option<i64>,
}

impl FromRow<'_, SqliteRow> for AuditEntry {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            detail: row.try_get("detail")?,
            run_id: row.try_get("run_id")?,
        })
    }
}

/// A change to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub actor: &'a str,
    pub action: &'a str,
    pub subject: &'a str,
    pub detail: &'a str,
    pub run: Option<i64>,
}

/// Records a change; one of a run is recorded once, however often the run tries it.
pub(super) async fn record(
    executor: impl sqlx::Executor<'_, Database = sqlx::Sqlite>,
    change: &Change<'_>,
) -> sqlx::Result<()> {
    let once = change.run.map(|run| format!("{run} {} {}", change.action, change.subject));
    sqlx::query(
        "INSERT INTO audit (at, actor, action, subject, detail, run_id, once) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(now())
    .bind(change.actor)
    .bind(change.action)
    .bind(change.subject)
    .bind(change.detail)
    .bind(change.run)
    .bind(once)
    .execute(executor)
    .await?;
    Ok(())
}

impl Store {
    /// Records a change.
    pub async fn audit(&self, change: &Change<'_>) -> sqlx::Result<()> {
        record(&self.durable, change).await
    }

    /// Promotions and rollbacks of a stretch of time, the newest first.
    pub async fn promotions_between(
        &self,
        from: &str,
        to: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<AuditEntry>> {
        sqlx::query_as(
            "SELECT * FROM audit WHERE action IN ('promote', 'rollback') AND at BETWEEN ? AND ?
             ORDER BY id DESC LIMIT ?",
        )
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }

    /// The changes after an entry that are not older than `since`, oldest first.
    pub async fn audit_after(&self, entry: i64, since: &str) -> sqlx::Result<Vec<AuditEntry>> {
        sqlx::query_as("SELECT * FROM audit WHERE id > ? AND at >= ? ORDER BY id")
            .bind(entry)
            .bind(since)
            .fetch_all(&self.pool)
            .await
    }

    /// The newest changes first.
    pub async fn audit_entries(&self, limit: i64) -> sqlx::Result<Vec<AuditEntry>> {
        sqlx::query_as("SELECT * FROM audit ORDER BY id DESC LIMIT ?").bind(limit).fetch_all(&self.pool).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::temporary;

    #[tokio::test]
    async fn what_a_run_did_is_told_once() {
        let (_dir, store) = temporary().await;
        let change =
            |run| Change { actor: "anna", action: "promote", subject: "churn version 2", detail: "", run };
        for run in [Some(7), Some(7), Some(8), None, None] {
            store.audit(&change(run)).await.unwrap();
        }
        let runs: Vec<Option<i64>> =
            store.audit_entries(10).await.unwrap().into_iter().map(|entry| entry.run_id).collect();
        assert_eq!(runs, [None, None, Some(8), Some(7)]);
    }
}
