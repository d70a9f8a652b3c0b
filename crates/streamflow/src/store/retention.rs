//! How long runs are kept.

use super::audit::{DONE, NewEntry, insert};
use super::bucket::Changing;
use super::change::Change as _;
use super::models::By;
use super::runs::Run;
use super::{Store, now};

/// Runs that are kept no longer: those that ended before `?1` and those after the first `?2` of their flow, but for the
/// newest of each flow that completed.
const OLD: &str = "
    SELECT id FROM (
        SELECT id, ended_at, ROW_NUMBER() OVER (PARTITION BY flow ORDER BY id DESC) AS place FROM runs
    ) AS numbered
    WHERE ended_at IS NOT NULL AND (ended_at < $1 OR place > $2)
    AND id NOT IN (SELECT MAX(id) FROM runs WHERE state = 'completed' GROUP BY flow)";

/// What is kept of the runs of a flow.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub days: u32,
    pub runs_of_flow: u32,
}

impl Retention {
    fn oldest(self) -> String {
        let hours = i64::from(self.days) * 24;
        let oldest = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(hours));
        oldest.map_or_else(|_| now(), |oldest| format!("{oldest:.3}"))
    }
}

impl Store {
    /// Deletes the runs that ended longer ago or that are more than are kept of their flow, with their steps, logs and
    /// transitions. The newest run of a flow that completed stays. How many were deleted.
    pub async fn forget_runs(&self, keep: Retention) -> sqlx::Result<u64> {
        let deleted = sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM runs WHERE id IN ({OLD})")))
            .bind(keep.oldest())
            .bind(i64::from(keep.runs_of_flow))
            .change(self)
            .await?;
        Ok(deleted.rows_affected())
    }

    /// The runs that [`Store::forget_runs`] would delete.
    pub async fn old_runs(&self, keep: Retention) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(OLD)
            .bind(keep.oldest())
            .bind(i64::from(keep.runs_of_flow))
            .fetch_all(&self.pool)
            .await
    }

    /// The runs that have not ended: what they refer to is needed.
    pub async fn unfinished_runs(&self) -> sqlx::Result<Vec<Run>> {
        sqlx::query_as("SELECT * FROM runs WHERE ended_at IS NULL ORDER BY id").fetch_all(&self.pool).await
    }

    /// Takes a report that is to be deleted out of the runs that wrote it.
    pub async fn forget_report(&self, name: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE runs SET report = NULL WHERE report = $1").bind(name).change(self).await?;
        Ok(())
    }

    /// Takes a version out of the registry and records who did it; false where it is in production by now, is what a
    /// rollback returns to, is a canary or a shadow, or is not registered. Its evaluations stay: they are the history of the model.
    /// Nobody sees it until it is committed.
    pub async fn begin_removal(
        &self,
        name: &str,
        version: i64,
        by: By<'_>,
    ) -> sqlx::Result<Option<Changing>> {
        let mut transaction = self.write_durably().await?;
        let needed: Vec<i64> =
            sqlx::query_scalar("SELECT version FROM promotions WHERE name = $1 ORDER BY id DESC LIMIT 2")
                .bind(name)
                .fetch_all(&mut *transaction)
                .await?;
        let answers: Option<i64> = sqlx::query_scalar(
            "SELECT version FROM (SELECT model, version FROM canaries UNION SELECT model, version FROM shadows) AS heard
             WHERE model = $1 AND version = $2",
        )
        .bind(name)
        .bind(version)
        .fetch_optional(&mut *transaction)
        .await?;
        if needed.contains(&version) || answers.is_some() {
            return Ok(None);
        }
        sqlx::query("DELETE FROM promotions WHERE name = $1 AND version = $2")
            .bind(name)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        let deleted = sqlx::query("DELETE FROM model_versions WHERE name = $1 AND version = $2")
            .bind(name)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        if deleted.rows_affected() == 0 {
            return Ok(None);
        }
        // Its number may be given to another one.
        sqlx::query("DELETE FROM mlflow_versions WHERE name = $1 AND version = $2")
            .bind(name)
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        let subject = format!("{name} version {version}");
        let By { actor, run } = by;
        let entry = NewEntry { actor, action: "prune", subject: &subject, run, ..NewEntry::default() };
        insert(&mut transaction, &entry, Some(DONE)).await?;
        Ok(Some(Changing::new(self, transaction, name)))
    }

    /// The subjects of the versions that were taken out of the registry: `NAME version N`.
    pub async fn forgotten_versions(&self) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar("SELECT DISTINCT subject FROM audit WHERE action = 'prune'")
            .fetch_all(&self.pool)
            .await
    }
}

#[cfg(test)]
impl Store {
    pub async fn forget_version(&self, name: &str, version: i64, by: By<'_>) -> sqlx::Result<bool> {
        let Some(changing) = self.begin_removal(name, version, by).await? else { return Ok(false) };
        changing.commit().await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::runs::RunFilter;
    use crate::store::transitions::Step;
    use crate::store::{State, each, new_run};

    #[tokio::test]
    async fn old_runs_and_too_many_go_and_the_last_success_stays() {
        each(async |store| {
            let parameters = serde_json::json!({});
            let ended = async |state: State, ended_at: &str| {
                let run = store.schedule_run(&new_run("f", &parameters)).await.unwrap().unwrap();
                for state in [State::Running, state] {
                    store.move_run(run, &Step::new(state, "x", "")).await.unwrap();
                }
                store.log(run, "info", &["a line"]).await.unwrap();
                sqlx::query("UPDATE runs SET ended_at = $1 WHERE id = $2")
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
        })
        .await;
    }
}
