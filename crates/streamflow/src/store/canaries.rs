//! The version of each model that answers a share of the entities, and what serving processes have counted of it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};

use super::audit::{DONE, NewEntry, insert};
use super::change::Change as _;
use super::models::By;
use super::{State, Store, now, text};
use crate::canary::Share;

/// A canary as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Another one for each share.
    pub id: i64,
    pub version: i64,
    /// The version in production when it began.
    pub production: i64,
    pub share: Share,
    /// The run that keeps it, where one does.
    pub run: Option<i64>,
    /// Whether that run is being worked on.
    pub run_is_active: bool,
    /// Why the serving process cannot answer by it.
    pub trouble: Option<String>,
    pub at: String,
    pub actor: String,
}

impl FromRow<'_, AnyRow> for Canary {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let share = Share::new(row.try_get("share")?);
        let run_state: Option<String> = row.try_get("run_state")?;
        Ok(Self {
            id: row.try_get("id")?,
            version: row.try_get("version")?,
            production: row.try_get("production")?,
            share: share.ok_or_else(|| sqlx::Error::Decode("share is not above 0 and up to 1".into()))?,
            run: row.try_get("run_id")?,
            run_is_active: is_active(run_state.as_deref()),
            trouble: row.try_get("trouble")?,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
        })
    }
}

impl Canary {
    /// False where the run that kept it is there no more.
    pub fn is_kept(&self) -> bool {
        self.run.is_none() || self.run_is_active
    }

    /// What its tallies are kept under.
    pub fn trial(&self) -> String {
        trial_of(self.id)
    }
}

/// What the tallies of a canary are kept under.
pub fn trial_of(canary: i64) -> String {
    format!("canary {canary}")
}

pub(super) fn is_active(state: Option<&str>) -> bool {
    state
        .is_some_and(|state| State::ALL.into_iter().any(|known| known.as_str() == state && known.is_active()))
}

/// Why there is no canary, or no shadow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("nothing is in production, so nothing answers the other entities; promote a version first")]
    NoProduction,
    #[error("version {0} is in production and answers everybody; a canary is another version")]
    IsProduction(i64),
    #[error(
        "run {run} keeps a canary of version {version}; end it with `streamflow flows cancel {run}`, or with \
         `streamflow models canary --off`, which the run takes for an end"
    )]
    Held { version: i64, run: i64 },
    #[error(
        "version {version} answers {share} of the entities, as {actor} wanted; end that with \
         `streamflow models canary --off` before a run takes its place"
    )]
    CanaryOfSomebody { version: i64, share: Share, actor: String },
    #[error("version {0} is in production and is heard by everybody; a shadow is another version")]
    ShadowIsProduction(i64),
    #[error(
        "version {version} answers beside the one in production, as {actor} wanted; end that with \
         `streamflow models shadow --end` before a run takes its place"
    )]
    ShadowOfSomebody { version: i64, actor: String },
}

/// A tally as a process has kept it.
#[derive(Debug, Clone, Copy)]
pub struct NewTally<'a> {
    pub model: &'a str,
    pub trial: &'a str,
    pub arm: &'a str,
    pub process: &'a str,
}

/// The tallies of an arm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallied<T> {
    pub arm: String,
    pub tally: T,
}

const CANARY: &str = "
    SELECT canaries.*, runs.state AS run_state FROM canaries LEFT JOIN runs ON runs.id = canaries.run_id WHERE model = $1";

impl Store {
    /// The canary of a model.
    pub async fn canary(&self, model: &str) -> sqlx::Result<Option<Canary>> {
        sqlx::query_as(CANARY).bind(model).fetch_optional(&self.pool).await
    }

    /// Makes a version the canary of its model with this share, in the place of another, and gives its number. Counting
    /// begins anew.
    pub async fn set_canary(
        &self,
        model: &str,
        version: i64,
        share: Share,
        by: By<'_>,
    ) -> sqlx::Result<Result<i64, Refusal>> {
        let mut transaction = self.write_durably().await?;
        let Some(production) = production(&mut transaction, model).await? else {
            return Ok(Err(Refusal::NoProduction));
        };
        if production == version {
            return Ok(Err(Refusal::IsProduction(version)));
        }
        let before: Option<Canary> =
            sqlx::query_as(CANARY).bind(model).fetch_optional(&mut *transaction).await?;
        match before {
            Some(Canary { version, run: Some(run), run_is_active: true, .. }) if by.run != Some(run) => {
                return Ok(Err(Refusal::Held { version, run }));
            }
            Some(Canary { version, run: None, share, actor, .. }) if by.run.is_some() => {
                return Ok(Err(Refusal::CanaryOfSomebody { version, share, actor }));
            }
            _ => {}
        }
        clear(&mut transaction, model).await?;
        let id = sqlx::query_scalar(
            "INSERT INTO canaries (model, version, production, share, run_id, at, actor) VALUES ($1, $2, $3, $4, $5, $6, $7)
             RETURNING id",
        )
        .bind(model)
        .bind(version)
        .bind(production)
        .bind(share.value())
        .bind(by.run)
        .bind(now())
        .bind(by.actor)
        .fetch_one(&mut *transaction)
        .await?;
        record(&mut transaction, by, &format!("{model} version {version} answers {share} of the entities"))
            .await?;
        transaction.commit().await?;
        Ok(Ok(id))
    }

    /// Ends the canary of a model, or only the one with this number; false where there was none.
    pub async fn end_canary(&self, model: &str, id: Option<i64>, by: By<'_>) -> sqlx::Result<bool> {
        let mut transaction = self.write_durably().await?;
        let found: Option<Canary> =
            sqlx::query_as(CANARY).bind(model).fetch_optional(&mut *transaction).await?;
        let Some(found) = found.filter(|found| id.is_none_or(|id| id == found.id)) else { return Ok(false) };
        clear(&mut transaction, model).await?;
        record(&mut transaction, by, &format!("{model} version {} answers nobody", found.version)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Records why the serving process cannot answer by a canary, or that it can.
    pub async fn set_canary_trouble(&self, id: i64, trouble: Option<&str>) -> sqlx::Result<()> {
        sqlx::query("UPDATE canaries SET trouble = $1 WHERE id = $2")
            .bind(trouble.map(|trouble| text(trouble).into_owned()))
            .bind(id)
            .change(self)
            .await?;
        Ok(())
    }

    /// Keeps what a process has counted, in the place of what it had kept before.
    pub async fn keep_tally(&self, of: NewTally<'_>, tally: &impl Serialize) -> sqlx::Result<()> {
        let text = serde_json::to_string(tally).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(
            "INSERT INTO tallies (model, trial, arm, process, tally, at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (model, trial, arm, process) DO UPDATE SET tally = $5, at = $6",
        )
        .bind(of.model)
        .bind(of.trial)
        .bind(of.arm)
        .bind(of.process)
        .bind(text)
        .bind(now())
        .change(self)
        .await?;
        Ok(())
    }

    /// What all processes have kept of a trial.
    pub async fn tallies<T: DeserializeOwned>(
        &self,
        model: &str,
        trial: &str,
    ) -> sqlx::Result<Vec<Tallied<T>>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT arm, tally FROM tallies WHERE model = $1 AND trial = $2 ORDER BY arm, process",
        )
        .bind(model)
        .bind(trial)
        .fetch_all(&self.pool)
        .await?;
        let read = |(arm, text): (String, String)| match serde_json::from_str(&text) {
            Ok(tally) => Ok(Tallied { arm, tally }),
            Err(error) => Err(sqlx::Error::Decode(error.into())),
        };
        rows.into_iter().map(read).collect()
    }

    /// Deletes what was kept of a trial.
    pub async fn forget_tallies(&self, model: &str, trial: &str) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM tallies WHERE model = $1 AND trial = $2")
            .bind(model)
            .bind(trial)
            .change(self)
            .await?;
        Ok(())
    }

    /// A run of this flow that is active beside `run`: the first one, or the one that keeps a canary or a shadow.
    pub async fn rival_of(&self, run: i64, flow: &str) -> sqlx::Result<Option<i64>> {
        sqlx::query_scalar(
            "SELECT MIN(id) FROM runs WHERE flow = $1 AND id <> $2 AND state IN ('pending', 'running', 'cancelling')
             AND (id < $2 OR id IN (SELECT run_id FROM canaries UNION SELECT run_id FROM shadows))",
        )
        .bind(flow)
        .bind(run)
        .fetch_one(&self.pool)
        .await
    }
}

/// Deletes the canary of a model with what was counted of any: whoever counts still does so under a number that is over.
async fn clear(transaction: &mut Transaction<'_, Any>, model: &str) -> sqlx::Result<u64> {
    sqlx::query("DELETE FROM tallies WHERE model = $1 AND trial LIKE 'canary %'")
        .bind(model)
        .execute(&mut **transaction)
        .await?;
    let gone =
        sqlx::query("DELETE FROM canaries WHERE model = $1").bind(model).execute(&mut **transaction).await?;
    Ok(gone.rows_affected())
}

/// Ends the canary of a model whose version in production becomes `version`: what it was compared with answers nobody.
/// So does the shadow, where that is the version that is heard now.
pub(super) async fn end_with_production(
    transaction: &mut Transaction<'_, Any>,
    model: &str,
    version: i64,
) -> sqlx::Result<()> {
    clear(transaction, model).await?;
    sqlx::query("DELETE FROM shadows WHERE model = $1 AND version = $2")
        .bind(model)
        .bind(version)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The version in production, as a transaction sees it.
pub(super) async fn production(
    transaction: &mut Transaction<'_, Any>,
    model: &str,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT version FROM promotions WHERE name = $1 ORDER BY id DESC LIMIT 1")
        .bind(model)
        .fetch_optional(&mut **transaction)
        .await
}

/// What a run does stands in the audit trail; what somebody asks for is recorded where it is asked.
async fn record(transaction: &mut Transaction<'_, Any>, by: By<'_>, subject: &str) -> sqlx::Result<()> {
    let By { actor, run } = by;
    if run.is_some() {
        let entry = NewEntry { actor, action: "canary", subject, run, ..NewEntry::default() };
        insert(transaction, &entry, Some(DONE)).await?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;
    use streamflow_model::Task;

    use super::*;
    use crate::canary::ArmTally;
    use crate::store::each;
    use crate::store::models::NewVersion;
    use crate::store::runs::NewRun;
    use crate::store::transitions::Step;

    const ANNA: By = By { actor: "anna", run: None };

    fn share(share: f64) -> Share {
        Share::new(share).unwrap()
    }

    pub(in crate::store) async fn with_versions(store: &Store, number: i64) {
        for _ in 0..number {
            let new = NewVersion {
                as_of: "2024-01-31",
                task: Task::Binary,
                seed: 42,
                metrics: &json!({}),
                run: None,
                origin: None,
            };
            store.begin_version("churn").await.unwrap().commit(&new).await.unwrap();
        }
    }

    async fn running(store: &Store) -> i64 {
        let new = NewRun {
            flow: "promote_gradually",
            parameters: &json!({}),
            period: None,
            cause: "command",
            due_at: None,
            event: None,
            afresh: false,
        };
        let run = store.schedule_run(&new).await.unwrap().unwrap();
        store.claim_run(run, new.flow, None).await.unwrap();
        run
    }

    #[tokio::test]
    async fn a_canary_grows_and_ends_with_every_change_of_production() {
        each(async |store| {
            assert_eq!(
                store.set_canary("churn", 1, share(0.1), ANNA).await.unwrap(),
                Err(Refusal::NoProduction)
            );
            with_versions(&store, 3).await;
            assert_eq!(
                store.set_canary("churn", 1, share(0.1), ANNA).await.unwrap(),
                Err(Refusal::IsProduction(1))
            );
            let mut before = 0;
            for percent in [0.01, 0.1, 0.5] {
                let id = store.set_canary("churn", 2, share(percent), ANNA).await.unwrap().unwrap();
                assert!(id > before, "counting begins anew");
                before = id;
                let found = store.canary("churn").await.unwrap().unwrap();
                assert_eq!(
                    (found.id, found.version, found.production, found.share),
                    (id, 2, 1, share(percent))
                );
            }
            assert!(!store.end_canary("churn", Some(before - 1), ANNA).await.unwrap(), "that one is over");
            store.promote("churn", 2, ANNA).await.unwrap();
            assert_eq!(store.canary("churn").await.unwrap(), None);
            store.set_canary("churn", 3, share(1.0), ANNA).await.unwrap().unwrap();
            store.demote("churn", 1, ANNA).await.unwrap();
            assert_eq!(store.canary("churn").await.unwrap(), None);
            store.set_canary("churn", 3, share(1.0), ANNA).await.unwrap().unwrap();
            assert!(!store.forget_version("churn", 3, ANNA).await.unwrap(), "it answers");
            assert!(store.end_canary("churn", None, ANNA).await.unwrap());
            assert!(!store.end_canary("churn", None, ANNA).await.unwrap());
            assert!(store.forget_version("churn", 3, ANNA).await.unwrap());
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_run_keeps_nobody_else_takes_and_it_ends_with_the_run() {
        each(async |store| {
            with_versions(&store, 3).await;
            let (run, other) = (running(&store).await, running(&store).await);
            assert_eq!(store.rival_of(run, "promote_gradually").await.unwrap(), None);
            assert_eq!(store.rival_of(other, "promote_gradually").await.unwrap(), Some(run));
            let by = |run| By { actor: "run", run: Some(run) };
            store.set_canary("churn", 2, share(0.1), by(other)).await.unwrap().unwrap();
            assert_eq!(store.rival_of(run, "promote_gradually").await.unwrap(), Some(other));
            for refused in [by(run), ANNA] {
                let held = Err(Refusal::Held { version: 2, run: other });
                assert_eq!(store.set_canary("churn", 3, share(0.1), refused).await.unwrap(), held);
            }
            store.set_canary("churn", 2, share(0.5), by(other)).await.unwrap().unwrap();
            assert!(store.canary("churn").await.unwrap().unwrap().is_kept());
            assert!(store.end_canary("churn", None, ANNA).await.unwrap());
            store.set_canary("churn", 2, share(0.2), ANNA).await.unwrap().unwrap();
            let refused = store.set_canary("churn", 3, share(0.1), by(other)).await.unwrap().unwrap_err();
            assert!(
                refused
                    .to_string()
                    .starts_with("version 2 answers 20 % of the entities, as anna wanted; end that"),
                "{refused}"
            );
            assert!(store.end_canary("churn", None, ANNA).await.unwrap());
            store.set_canary("churn", 2, share(0.5), by(other)).await.unwrap().unwrap();
            for state in [State::Running, State::Failed] {
                assert!(store.move_run(other, &Step::new(state, "", "")).await.unwrap());
            }
            assert!(!store.canary("churn").await.unwrap().unwrap().is_kept());
            store.set_canary("churn", 3, share(0.1), ANNA).await.unwrap().unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn tallies_are_replaced_by_process_and_go_with_their_canary() {
        each(async |store| {
            with_versions(&store, 2).await;
            let id = store.set_canary("churn", 2, share(0.1), ANNA).await.unwrap().unwrap();
            let tally = |requests| ArmTally { requests, ..ArmTally::default() };
            let trial = trial_of(id);
            for (process, requests) in [("a", 3), ("a", 5), ("b", 7)] {
                let of = NewTally { model: "churn", trial: &trial, arm: "candidate", process };
                store.keep_tally(of, &tally(requests)).await.unwrap();
            }
            let found: Vec<Tallied<ArmTally>> = store.tallies("churn", &trial).await.unwrap();
            assert_eq!(found.iter().map(|found| found.tally.requests).collect::<Vec<_>>(), [5, 7]);
            store.end_canary("churn", None, ANNA).await.unwrap();
            assert!(store.tallies::<ArmTally>("churn", &trial).await.unwrap().is_empty());
        })
        .await;
    }
}
