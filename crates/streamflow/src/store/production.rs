//! Which version went into production, when and by whom. Rows are only ever added.

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use utoipa::ToSchema;

use super::audit::AuditFilter;
use super::{Store, now};

/// A promotion or a rollback.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProductionChange {
    pub id: i64,
    pub at: String,
    pub actor: String,
    /// `promote` or `rollback`.
    pub action: String,
    /// The version that is in production since then.
    pub subject: String,
    pub run_id: Option<i64>,
}

impl FromRow<'_, SqliteRow> for ProductionChange {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            run_id: row.try_get("run_id")?,
        })
    }
}

/// A promotion or a rollback to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub actor: &'a str,
    pub action: &'a str,
    pub subject: &'a str,
    pub run: Option<i64>,
}

/// Records a change; one of a run is recorded once, however often the run tries it. A run's stands in the audit trail as
/// well, where nobody has asked for it.
pub(super) async fn record(
    transaction: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    change: &Change<'_>,
) -> sqlx::Result<()> {
    let once = change.run.map(|run| format!("{run} {} {}", change.action, change.subject));
    let added = sqlx::query(
        "INSERT INTO production_log (at, actor, action, subject, run_id, once) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(now())
    .bind(change.actor)
    .bind(change.action)
    .bind(change.subject)
    .bind(change.run)
    .bind(once)
    .execute(&mut **transaction)
    .await?;
    if change.run.is_some() && added.rows_affected() > 0 {
        let Change { actor, action, subject, run } = *change;
        let entry = super::audit::NewEntry { actor, action, subject, run, ..Default::default() };
        super::audit::insert(&mut **transaction, &entry, Some(super::audit::DONE)).await?;
    }
    Ok(())
}

impl Store {
    /// Promotions and rollbacks of a stretch of time, the newest first.
    pub async fn production_changes_between(
        &self,
        from: &str,
        to: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<ProductionChange>> {
        sqlx::query_as("SELECT * FROM production_log WHERE at BETWEEN ? AND ? ORDER BY id DESC LIMIT ?")
            .bind(from)
            .bind(to)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }

    /// The promotions and rollbacks after one that are not older than `since`, oldest first.
    pub async fn production_changes_after(
        &self,
        change: i64,
        since: &str,
    ) -> sqlx::Result<Vec<ProductionChange>> {
        sqlx::query_as("SELECT * FROM production_log WHERE id > ? AND at >= ? ORDER BY id")
            .bind(change)
            .bind(since)
            .fetch_all(&self.pool)
            .await
    }

    /// The newest promotions and rollbacks first.
    pub async fn production_changes(&self, filter: &AuditFilter) -> sqlx::Result<Vec<ProductionChange>> {
        sqlx::query_as("SELECT * FROM production_log WHERE ?1 IS NULL OR at >= ?1 ORDER BY id DESC LIMIT ?2")
            .bind(&filter.since)
            .bind(filter.limit)
            .fetch_all(&self.pool)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::temporary;

    #[tokio::test]
    async fn what_a_run_did_is_told_once_and_is_audited() {
        let (_dir, store) = temporary().await;
        for run in [Some(7), Some(7), Some(8), None, None] {
            let change = Change { actor: "anna", action: "promote", subject: "churn version 2", run };
            let mut transaction = store.durable.begin_with("BEGIN IMMEDIATE").await.unwrap();
            record(&mut transaction, &change).await.unwrap();
            transaction.commit().await.unwrap();
        }
        let newest = AuditFilter { limit: 10, since: None };
        let changes = store.production_changes(&newest).await.unwrap();
        let runs: Vec<Option<i64>> = changes.into_iter().map(|change| change.run_id).collect();
        assert_eq!(runs, [None, None, Some(8), Some(7)]);
        let entries = store.audit_entries(&newest).await.unwrap();
        let runs: Vec<Option<i64>> = entries.into_iter().map(|entry| entry.run_id).collect();
        assert_eq!(runs, [Some(8), Some(7)], "what was asked for is recorded where it is asked");
    }
}
