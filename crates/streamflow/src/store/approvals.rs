//! What paused runs wait for, and who answered.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};
use utoipa::ToSchema;

use super::transitions::{Step, move_in};
use super::{State, Store, now, text};

/// A question of a run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Approval {
    pub run_id: i64,
    /// The step that asks.
    pub task: String,
    pub question: String,
    pub asked_at: String,
    /// When no answer means no.
    pub expires_at: String,
    /// `approved` or `rejected`; none while nobody has answered.
    pub answer: Option<String>,
    pub answered_by: Option<String>,
    pub answered_at: Option<String>,
    /// What was said with the answer.
    pub note: String,
}

impl FromRow<'_, AnyRow> for Approval {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            run_id: row.try_get("run_id")?,
            task: row.try_get("task")?,
            question: row.try_get("question")?,
            asked_at: row.try_get("asked_at")?,
            expires_at: row.try_get("expires_at")?,
            answer: row.try_get("answer")?,
            answered_by: row.try_get("answered_by")?,
            answered_at: row.try_get("answered_at")?,
            note: row.try_get("note")?,
        })
    }
}

/// An answer to a question.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub is_approved: bool,
    pub by: &'a str,
    pub note: &'a str,
}

impl Store {
    /// Asks, and pauses the run: its process may end, and the run goes on with the answer. A question that was asked
    /// before is not asked again.
    pub async fn ask(&self, run: i64, task: &str, question: &str, expires_at: &str) -> sqlx::Result<()> {
        let mut transaction = self.write_durably().await?;
        sqlx::query(
            "INSERT INTO approvals (run_id, task, question, asked_at, expires_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(run)
        .bind(task)
        .bind(&*text(question))
        .bind(now())
        .bind(expires_at)
        .execute(&mut *transaction)
        .await?;
        move_in(&mut transaction, run, &Step::new(State::Paused, "Suspended", question)).await?;
        transaction.commit().await
    }

    /// The answer of a step, where it has asked.
    pub async fn approval(&self, run: i64, task: &str) -> sqlx::Result<Option<Approval>> {
        sqlx::query_as("SELECT * FROM approvals WHERE run_id = $1 AND task = $2")
            .bind(run)
            .bind(task)
            .fetch_optional(&self.pool)
            .await
    }

    /// The questions of a run, oldest first.
    pub async fn approvals(&self, run: i64) -> sqlx::Result<Vec<Approval>> {
        sqlx::query_as("SELECT * FROM approvals WHERE run_id = $1 ORDER BY asked_at")
            .bind(run)
            .fetch_all(&self.pool)
            .await
    }

    /// Answers the open question of a paused run and schedules it to go on; false where it waits for none.
    pub async fn answer(&self, run: i64, answer: Answer<'_>) -> sqlx::Result<bool> {
        let mut transaction = self.write_durably().await?;
        let word = if answer.is_approved { "approved" } else { "rejected" };
        let answered = sqlx::query(
            "UPDATE approvals SET answer = $1, answered_by = $2, answered_at = $3, note = $4
             WHERE run_id = $5 AND answer IS NULL AND EXISTS (SELECT 1 FROM runs WHERE id = run_id AND state = 'paused')",
        )
        .bind(word)
        .bind(answer.by)
        .bind(now())
        .bind(&*text(answer.note))
        .bind(run)
        .execute(&mut *transaction)
        .await?;
        if answered.rows_affected() == 0 {
            return Ok(false);
        }
        let message = format!("{word} by {}", answer.by);
        let step = Step { state: State::Scheduled, name: "Resuming", message: &message, actor: answer.by };
        let moved = move_in(&mut transaction, run, &step).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    /// The runs that were paused for longer than their question allows.
    pub async fn expired_approvals(&self) -> sqlx::Result<Vec<i64>> {
        sqlx::query_scalar(
            "SELECT run_id FROM approvals JOIN runs ON runs.id = run_id
             WHERE state = 'paused' AND answer IS NULL AND expires_at <= $1 ORDER BY run_id",
        )
        .bind(now())
        .fetch_all(&self.pool)
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::leases::Claim;
    use crate::store::{each, new_run};

    #[tokio::test]
    async fn a_question_is_asked_and_answered_once() {
        each(async |store| {
            let run = store.schedule_run(&new_run("monthly", &serde_json::json!({}))).await.unwrap().unwrap();
            let by = |is_approved| Answer { is_approved, by: "anna", note: "" };
            assert!(!store.answer(run, by(true)).await.unwrap(), "nothing was asked");
            assert_eq!(store.claim_run(run, "monthly", None).await.unwrap(), Claim::Taken { claim: 1 });
            store.move_run(run, &Step::new(State::Running, "Running", "")).await.unwrap();
            store.ask(run, "promote", "promote version 2?", "2024-01-31T00:00:00.000Z").await.unwrap();
            assert_eq!(store.run(run).await.unwrap().unwrap().state, State::Paused);
            assert_eq!(store.expired_approvals().await.unwrap(), [run]);
            assert!(store.answer(run, by(true)).await.unwrap());
            assert!(!store.answer(run, by(false)).await.unwrap(), "the first answer holds");
            let found = store.run(run).await.unwrap().unwrap();
            assert_eq!((found.state, found.state_name.as_str()), (State::Scheduled, "Resuming"));
            let approval = store.approval(run, "promote").await.unwrap().unwrap();
            assert_eq!(
                (approval.answer.as_deref(), approval.answered_by.as_deref()),
                (Some("approved"), Some("anna"))
            );
            assert!(store.expired_approvals().await.unwrap().is_empty());
        })
        .await;
    }
}
