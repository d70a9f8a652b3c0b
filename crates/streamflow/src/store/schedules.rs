//! What was handled of the schedules that the configuration has.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};
use utoipa::ToSchema;

use super::Store;
use super::change::Change as _;

/// How far the times of a flow were handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Handled {
    pub paused: bool,
    /// The last time that was started or skipped, RFC 3339; none before the first.
    pub to: Option<String>,
}

/// A time at which a flow was due and was not started.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SkippedTime {
    pub flow: String,
    pub due_at: String,
    pub reason: String,
}

impl FromRow<'_, AnyRow> for SkippedTime {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            flow: row.try_get("flow")?,
            due_at: row.try_get("due_at")?,
            reason: row.try_get("reason")?,
        })
    }
}

/// Skipped times that are kept of a flow.
const SKIPPED_MAX: i64 = 1_000;

impl Store {
    /// How far the times of a flow were handled.
    pub async fn handled(&self, flow: &str) -> sqlx::Result<Handled> {
        let row: Option<(i64, Option<String>)> =
            sqlx::query_as("SELECT paused, handled_to FROM schedules WHERE flow = $1")
                .bind(flow)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(paused, to)| Handled { paused: paused != 0, to }).unwrap_or_default())
    }

    /// Remembers that the times of a flow up to `to` were handled, and those of them that were skipped. Never goes back.
    pub async fn set_handled(&self, flow: &str, to: &str, skipped: &[SkippedTime]) -> sqlx::Result<()> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO schedules (flow, handled_to) VALUES ($1, $2)
             ON CONFLICT (flow) DO UPDATE SET handled_to =
             CASE WHEN schedules.handled_to > $2 THEN schedules.handled_to ELSE $2 END",
        )
        .bind(flow)
        .bind(to)
        .execute(&mut *transaction)
        .await?;
        for time in skipped {
            sqlx::query(
                "INSERT INTO skipped_times (flow, due_at, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(flow)
            .bind(&time.due_at)
            .bind(&time.reason)
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query(
            "DELETE FROM skipped_times WHERE flow = $1 AND due_at NOT IN
             (SELECT due_at FROM skipped_times WHERE flow = $1 ORDER BY due_at DESC LIMIT $2)",
        )
        .bind(flow)
        .bind(SKIPPED_MAX)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Pauses or resumes the schedule of a flow.
    pub async fn pause_schedule(&self, flow: &str, paused: bool) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO schedules (flow, paused) VALUES ($1, $2) ON CONFLICT (flow) DO UPDATE SET paused = $2",
        )
        .bind(flow)
        .bind(i64::from(paused))
        .change_durably(self)
        .await?;
        Ok(())
    }

    /// How far something was looked at; none before the first look.
    pub async fn watermark(&self, name: &str) -> sqlx::Result<Option<String>> {
        sqlx::query_scalar("SELECT position FROM watermarks WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
    }

    /// Remembers how far something was looked at.
    pub async fn set_watermark(&self, name: &str, position: &str) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO watermarks (name, position) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET position = $2",
        )
        .bind(name)
        .bind(position)
        .change(self)
        .await?;
        Ok(())
    }

    /// The newest skipped times of a flow first.
    pub async fn skipped_times(&self, flow: &str, limit: i64) -> sqlx::Result<Vec<SkippedTime>> {
        sqlx::query_as("SELECT * FROM skipped_times WHERE flow = $1 ORDER BY due_at DESC LIMIT $2")
            .bind(flow)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::each;

    #[tokio::test]
    async fn handled_times_never_go_back_and_a_pause_keeps_them() {
        each(async |store| {
            assert_eq!(store.handled("monthly").await.unwrap(), Handled::default());
            let skipped = SkippedTime {
                flow: "monthly".into(),
                due_at: "2026-01-01T06:00:00Z".into(),
                reason: "the server was not running".into(),
            };
            store.set_handled("monthly", "2026-02-01T06:00:00Z", &[skipped.clone(), skipped]).await.unwrap();
            store.set_handled("monthly", "2026-01-01T06:00:00Z", &[]).await.unwrap();
            store.pause_schedule("monthly", true).await.unwrap();
            let expected = Handled { paused: true, to: Some("2026-02-01T06:00:00Z".into()) };
            assert_eq!(store.handled("monthly").await.unwrap(), expected);
            assert_eq!(store.skipped_times("monthly", 10).await.unwrap().len(), 1);
        })
        .await;
    }
}
