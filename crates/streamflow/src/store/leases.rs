//! Which process works on a run: a run whose process is gone has crashed, and one that another works on is left alone.

use std::time::Duration;

use sqlx::{Any, Transaction};

use super::fence::Fence;
use super::transitions::{Step, move_in};
use super::{Kind, State, Store, now, process};

/// For how long a run counts as alive without a sign from its process. Only for those of other machines: a process of
/// this one can be looked up.
const LEASE: Duration = Duration::from_secs(30);

/// What became of a run whose process is there no more.
const GONE: &str = "its process ended before the run did: it was killed, or the machine went down";

/// What a process that works on a run learns when it says that it still does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    pub state: State,
}

/// What came of trying to take a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This process works on it, and writes by this claim ([`Store::of_claim`]).
    Taken { claim: i64 },
    /// It waits no longer: another process was faster, or it has ended.
    Gone,
    /// Its flow has as many active runs as it may; this is the oldest of them.
    Busy { active: i64 },
}

/// The end of a lease that is renewed now.
fn lease_end() -> String {
    format!("{:.3}", jiff::Timestamp::now() + LEASE)
}

impl Store {
    /// Takes a scheduled run for this process, where its flow has fewer active runs than `most_active`.
    pub async fn claim_run(&self, run: i64, flow: &str, most_active: Option<i64>) -> sqlx::Result<Claim> {
        let mut transaction = self.write().await?;
        if !is_waiting(&mut transaction, run).await? {
            return Ok(Claim::Gone);
        }
        let (count, oldest): (i64, Option<i64>) = sqlx::query_as(
            "SELECT COUNT(*), MIN(id) FROM runs WHERE flow = $1 AND state IN ('pending', 'running', 'cancelling')",
        )
        .bind(flow)
        .fetch_one(&mut *transaction)
        .await?;
        if let Some(active) = oldest.filter(|_| most_active.is_some_and(|most| count >= most)) {
            return Ok(Claim::Busy { active });
        }
        if !move_in(&mut transaction, run, &Step::new(State::Pending, "Pending", "")).await? {
            return Ok(Claim::Gone);
        }
        let claim = sqlx::query_scalar(
            "UPDATE runs SET process = $1, lease_until = $2, claim = claim + 1 WHERE id = $3 RETURNING claim",
        )
        .bind(process::own())
        .bind(lease_end())
        .bind(run)
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Claim::Taken { claim })
    }

    /// Moves a run that waits; false, and nothing happens, where a process has taken it since it was looked at.
    pub async fn move_waiting(&self, run: i64, step: &Step<'_>) -> sqlx::Result<bool> {
        let mut transaction = self.write_durably().await?;
        let moved = is_waiting(&mut transaction, run).await? && move_in(&mut transaction, run, step).await?;
        transaction.commit().await?;
        Ok(moved)
    }

    /// Says that this process still works on the run, and learns whether somebody wants it to stop. A run that was taken
    /// from it has crashed as far as it is concerned.
    pub async fn renew_lease(&self, run: i64) -> sqlx::Result<Sign> {
        let claim = match self.fence {
            Some(Fence::Claim { run: claimed, claim }) if claimed == run => Some(claim),
            _ => None,
        };
        let row = sqlx::query(
            "UPDATE runs SET lease_until = $1 WHERE id = $2 AND ($3 IS NULL OR claim = $3) RETURNING state",
        )
        .bind(lease_end())
        .bind(run)
        .bind(claim)
        .fetch_optional(&self.pool)
        .await?;
        match (row, claim) {
            (Some(row), _) => Ok(Sign { state: State::of(&row, "state")? }),
            (None, Some(_)) => Ok(Sign { state: State::Crashed }),
            (None, None) => Err(sqlx::Error::RowNotFound),
        }
    }

    /// Ends, as crashed, the active runs whose process is gone, with the task that each was at. Their ids.
    pub async fn end_crashed_runs(&self) -> sqlx::Result<Vec<i64>> {
        let active: Vec<(i64, Option<String>, Option<String>)> = sqlx::query_as(
            "SELECT id, process, lease_until FROM runs WHERE state IN ('pending', 'running', 'cancelling')",
        )
        .fetch_all(&self.pool)
        .await?;
        let now = now();
        let mut crashed = Vec::new();
        for (run, process, lease_until) in active {
            let run_out = lease_until.is_some_and(|until| until < now);
            let gone = match process.as_deref().map(|process| (process::fate(process), process)) {
                Some((process::Fate::Gone, _)) => true,
                Some((process::Fate::Elsewhere, _)) => run_out,
                // Other servers are there to go on with its run.
                Some((process::Fate::Alive, process)) => {
                    self.kind == Kind::Postgres && run_out && process::is_stopped(process)
                }
                None => false,
            };
            if gone && self.crash(run, GONE).await? {
                crashed.push(run);
            }
        }
        Ok(crashed)
    }

    /// Ends all active runs as crashed, whatever their process: of a data directory that was copied from elsewhere, none
    /// is worked on here.
    pub async fn end_active_runs(&self, message: &str) -> sqlx::Result<()> {
        let active: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM runs WHERE state IN ('pending', 'running', 'cancelling')")
                .fetch_all(&self.pool)
                .await?;
        for run in active {
            self.crash(run, message).await?;
        }
        Ok(())
    }

    async fn crash(&self, run: i64, message: &str) -> sqlx::Result<bool> {
        let step = Step::new(State::Crashed, "Crashed", message);
        let mut transaction = self.write_durably().await?;
        let moved = move_in(&mut transaction, run, &step).await?;
        if moved {
            // Its process may have been stopped only, and go on: it writes no more of the run.
            sqlx::query("UPDATE runs SET claim = claim + 1 WHERE id = $1")
                .bind(run)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "INSERT INTO transitions (run_id, task_id, state, state_name, message, at)
                 SELECT run_id, id, 'crashed', 'Crashed', $1, $2 FROM tasks
                 WHERE run_id = $3 AND state NOT IN ('completed', 'failed', 'cancelled', 'crashed')",
            )
            .bind(message)
            .bind(now())
            .bind(run)
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "UPDATE tasks SET state = 'crashed', state_name = 'Crashed', message = $1
                 WHERE run_id = $2 AND state NOT IN ('completed', 'failed', 'cancelled', 'crashed')",
            )
            .bind(message)
            .bind(run)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(moved)
    }
}

/// Whether a run waits for a process.
async fn is_waiting(transaction: &mut Transaction<'_, Any>, run: i64) -> sqlx::Result<bool> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM runs WHERE id = $1 AND state = 'scheduled'")
        .bind(run)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{each, new_run};

    #[tokio::test]
    async fn a_run_whose_process_is_gone_has_crashed() {
        each(async |store| {
            let own = process::own().unwrap();
            let gone = own.replace(&format!(" {} ", std::process::id()), " 4194305 ");
            let machine = own.split(' ').next().unwrap();
            let elsewhere = own.replacen(machine, "another-machine", 1);
            let ago = "2024-01-31T00:00:00.000Z";
            let ahead = "2999-01-31T00:00:00.000Z";
            for (process, lease_until, expected) in [
                (Some(own.as_str()), ago, State::Pending),
                (Some(gone.as_str()), ahead, State::Crashed),
                (Some(elsewhere.as_str()), ahead, State::Pending),
                (Some(elsewhere.as_str()), ago, State::Crashed),
                (None, ago, State::Pending),
            ] {
                let run = store.schedule_run(&new_run("f", &serde_json::json!({}))).await.unwrap().unwrap();
                assert!(matches!(store.claim_run(run, "f", None).await.unwrap(), Claim::Taken { .. }));
                let task = store.start_task(run, "train", 1).await.unwrap();
                sqlx::query("UPDATE runs SET process = $1, lease_until = $2 WHERE id = $3")
                    .bind(process)
                    .bind(lease_until)
                    .bind(run)
                    .execute(&store.pool)
                    .await
                    .unwrap();
                let crashed = store.end_crashed_runs().await.unwrap();
                assert_eq!(
                    store.run(run).await.unwrap().unwrap().state,
                    expected,
                    "{process:?} {lease_until}"
                );
                assert_eq!(crashed.contains(&run), expected == State::Crashed);
                let tasks = store.tasks(run).await.unwrap();
                assert_eq!(tasks[0].state == State::Crashed, expected == State::Crashed, "task {task}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_run_is_claimed_once_and_within_the_limit_of_its_flow() {
        each(async |store| {
            let parameters = serde_json::json!({});
            let mut runs = Vec::new();
            for _ in 0..2 {
                runs.push(store.schedule_run(&new_run("f", &parameters)).await.unwrap().unwrap());
            }
            let claim = async |run, most| store.claim_run(run, "f", most).await.unwrap();
            let waits = Step::new(State::Scheduled, "AwaitingConcurrencySlot", "");
            assert!(store.move_waiting(runs[0], &waits).await.unwrap());
            assert_eq!(claim(runs[0], Some(1)).await, Claim::Taken { claim: 1 });
            assert_eq!(claim(runs[0], None).await, Claim::Gone, "it is taken");
            assert_eq!(claim(runs[0], Some(1)).await, Claim::Gone, "a run is not in its own way");
            assert_eq!(claim(runs[1], Some(1)).await, Claim::Busy { active: runs[0] }, "one at a time");
            for state in [State::Pending, State::Running] {
                store.move_run(runs[0], &Step::new(state, "x", "")).await.unwrap();
                assert!(
                    !store.move_waiting(runs[0], &waits).await.unwrap(),
                    "what was taken does not wait again"
                );
            }
            let state = store.run(runs[0]).await.unwrap().unwrap().state;
            assert_eq!(state, State::Running);
            assert_eq!(store.renew_lease(runs[0]).await.unwrap().state, State::Running);
            assert!(store.move_run(runs[0], &Step::new(State::Completed, "x", "")).await.unwrap());
            assert_eq!(claim(runs[1], Some(1)).await, Claim::Taken { claim: 1 });
        })
        .await;
    }

    #[tokio::test]
    async fn a_process_whose_run_was_taken_writes_no_more_of_it() {
        each(async |store| {
            let run = store.schedule_run(&new_run("f", &serde_json::json!({}))).await.unwrap().unwrap();
            let Claim::Taken { claim } = store.claim_run(run, "f", None).await.unwrap() else { panic!() };
            let stopped = store.of_claim(run, claim);
            let task = stopped.start_task(run, "train", 1).await.unwrap();
            assert_eq!(stopped.renew_lease(run).await.unwrap().state, State::Pending);
            // It gave no sign for so long that the run counts as crashed, and another process takes it.
            store.end_active_runs("silent").await.unwrap();
            assert_eq!(stopped.renew_lease(run).await.unwrap().state, State::Crashed);
            assert!(store.schedule_attempt(run, "again", "", &now()).await.unwrap());
            let taken = store.claim_run(run, "f", None).await.unwrap();
            assert_eq!(taken, Claim::Taken { claim: claim + 2 });

            let refused = stopped.start_task(run, "evaluate", 1).await.unwrap_err();
            assert!(refused.to_string().contains("was taken from this process"), "{refused}");
            stopped.log(run, "info", &["a line"]).await.unwrap_err();
            stopped.move_task(run, task, &Step::new(State::Completed, "x", "")).await.unwrap_err();
            stopped.move_run(run, &Step::new(State::Failed, "x", "")).await.unwrap_err();
            stopped.set_report(run, "a report").await.unwrap_err();
            let by = crate::store::models::By { actor: "flow", run: Some(run) };
            stopped.promote("churn", 1, by).await.unwrap_err();
            let found = store.run(run).await.unwrap().unwrap();
            assert_eq!((found.state, found.report), (State::Pending, None));
            assert!(store.logs(run, 0).await.unwrap().is_empty());
        })
        .await;
    }
}
