//! Which version went into production, when and by whom. Rows are only ever added.

use serde::Serialize;
use sqlx::any::AnyRow;
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

impl FromRow<'_, AnyRow> for ProductionChange {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
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
    transaction: &mut sqlx::Transaction<'_, sqlx::Any>,
    change: &Change<'_>,
) -> sqlx::Result<()> {
    let once = change.run.map(|run| format!("{run} {} {}", change.action, change.subject));
    let added = sqlx::query(
        "INSERT INTO production_log (at, actor, action, subject, run_id, once) VALUES ($1, $2, $3, $4, $5, $6)
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
        super::audit::insert(transaction, &entry, Some(super::audit::DONE)).await?;
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
        sqlx::query_as("SELECT * FROM production_log WHERE at BETWEEN $1 AND $2 ORDER BY id DESC LIMIT $3")
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
        sqlx::query_as("SELECT * FROM production_log WHERE id > $1 AND at >= $2 ORDER BY id")
            .bind(change)
            .bind(since)
            .fetch_all(&self.pool)
            .await
    }

    /// The newest promotions and rollbacks first.
    pub async fn production_changes(&self, filter: &AuditFilter) -> sqlx::Result<Vec<ProductionChange>> {
        sqlx::query_as("SELECT * FROM production_log WHERE $1 IS NULL OR at >= $1 ORDER BY id DESC LIMIT $2")
            .bind(&filter.since)
            .bind(filter.limit)
            .fetch_all(&self.pool)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn what_a_run_did_is_told_once_and_is_audited() {
        each(async |store| {
            for run in [Some(7), Some(7), Some(8), None, None] {
                let change = Change { actor: "anna", action: "promote", subject: "churn version 2", run };
                let mut transaction = store.write_durably().await.unwrap();
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
        })
        .await;
    }

    /// A database as the release before left it, with a promotion that was told and one that was not.
    #[tokio::test]
    async fn what_stood_in_the_audit_trail_is_taken_over_and_nothing_is_told_twice_or_missed() {
        crate::store::install_drivers();
        let pool = sqlx::any::AnyPoolOptions::new().max_connections(1);
        let pool = pool.connect("sqlite::memory:").await.unwrap();
        for step in [
            include_str!("migrations/0001_runs_and_models.sql"),
            include_str!("migrations/0005_runner.sql"),
            "INSERT INTO audit (at, actor, action, subject, once) VALUES
             ('2024-01-31', 'anna', 'promote', 'churn version 1', '3 promote'), ('2024-02-01', 'anna', 'pause', 'f', NULL),
             ('2024-02-02', 'bob', 'rollback', 'churn version 1', NULL), ('2024-02-03', 'bob', 'cancel', 'run 3', NULL);
             INSERT INTO watermarks VALUES ('notified changes', '4'), ('notified transitions', '9');",
            include_str!("migrations/0009_audit_of_requests.sql"),
            "INSERT INTO production_log (at, actor, action, subject) VALUES ('2024-03-01', 'eve', 'promote', 'churn version 2')",
        ] {
            sqlx::raw_sql(step).execute(&pool).await.unwrap();
        }
        let changes: Vec<ProductionChange> =
            sqlx::query_as("SELECT * FROM production_log ORDER BY id").fetch_all(&pool).await.unwrap();
        let told: Vec<_> =
            changes.iter().map(|change| (change.id, change.action.as_str(), change.actor.as_str())).collect();
        assert_eq!(told, [(1, "promote", "anna"), (3, "rollback", "bob"), (4, "promote", "eve")]);
        let position: String =
            sqlx::query_scalar("SELECT position FROM watermarks WHERE name = 'notified changes'")
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(position, "3", "what comes next is looked at");
        let outcomes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit WHERE outcome = 'done'")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(outcomes, 4, "old entries stay");
    }
}
