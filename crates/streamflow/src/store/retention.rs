//! How long runs are kept.

use super::{Store, now};

/// What is kept of the runs of a flow.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub days: u32,
    pub runs_of_flow: u32,
}

impl Store {
    /// Deletes the runs that ended longer ago or that are more than are kept of their flow, with their steps, logs and
    /// transitions. The newest run of a flow that completed stays. How many were deleted.
    pub async fn forget_runs(&self, keep: Retention) -> sqlx::Result<u64> {
        let hours = i64::from(keep.days) * 24;
        let oldest = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(hours));
        let oldest = oldest.map_or_else(|_| now(), |oldest| format!("{oldest:.3}"));
        let deleted = sqlx::query(
            "WITH ranked AS (
                SELECT id, ended_at, ROW_NUMBER() OVER (PARTITION BY flow ORDER BY id DESC) AS place FROM runs
             )
             DELETE FROM runs WHERE id IN (SELECT id FROM ranked WHERE ended_at IS NOT NULL AND (ended_at < ?1 OR place > ?2))
             AND id NOT IN (SELECT MAX(id) FROM runs WHERE state = 'completed' GROUP BY flow)",
        )
        .bind(oldest)
        .bind(keep.runs_of_flow)
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::runs::RunFilter;
    use crate::store::transitions::Step;
    use crate::store::{State, new_run, temporary};

    #[tokio::test]
    async fn old_runs_and_too_many_go_and_the_last_success_stays() {
        let (_dir, store) = temporary().await;
        let parameters = serde_json::json!({});
        let ended = async |state: State, ended_at: &str| {
            let run = store.schedule_run(&new_run("f", &parameters)).await.unwrap().unwrap();
            for state in [State::Running, state] {
                store.move_run(run, &Step::new(state, "x", "")).await.unwrap();
            }
            store.log(run, "info", &["a line"]).await.unwrap();
            sqlx::query("UPDATE runs SET ended_at = ? WHERE id = ?")
                .bind(ended_at)
                .bind(run)
                .execute(&store.pool)
                .await
                .unwrap();
        };
        let (long_ago, lately) = ("2020-01-31T00:00:00.000Z", "2999-01-31T00:00:00.000Z");
        ended(State::Completed, long_ago).await;
        ended(State::Completed, long_ago).await;
        for _ in 0..4 {
            ended(State::Failed, lately).await;
        }
        store.schedule_run(&new_run("f", &parameters)).await.unwrap();
        let deleted = store.forget_runs(Retention { days: 90, runs_of_flow: 3 }).await.unwrap();
        let left: Vec<i64> = store
            .runs(&RunFilter { limit: 10, ..RunFilter::default() })
            .await
            .unwrap()
            .iter()
            .map(|run| run.id)
            .collect();
        assert_eq!((deleted, left), (3, vec![7, 6, 5, 2]));
        assert!(store.logs(1, 0).await.unwrap().is_empty(), "its log went with it");
    }
}
