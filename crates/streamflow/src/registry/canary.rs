//! A version that answers a share of the entities: begun after it was read once, and told of with what was counted.

use anyhow::{bail, ensure};
use serde::Serialize;
use utoipa::ToSchema;

use super::Registry;
use crate::canary::{ArmTally, Share};
use crate::store::canaries::{Tallied, trial_of};
use crate::store::models::By;

/// What was counted of the two versions of a canary.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arms {
    pub production: ArmTally,
    pub candidate: ArmTally,
}

/// A canary and how it goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CanaryStatus)]
pub struct CanaryStatus {
    pub version: i64,
    /// The share of the entities, above 0 and up to 1.
    pub share: f64,
    /// When it began to have this share, in UTC.
    pub since: String,
    /// Who gave it this share.
    pub actor: String,
    /// The run that keeps it, where one does.
    pub run_id: Option<i64>,
    /// Why a serving process cannot load it; production answers then.
    pub trouble: Option<String>,
    /// The version in production and the canary's, as counted since it has this share.
    pub arms: Vec<ArmStatus>,
}

/// What was counted of a version.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ArmStatus {
    pub version: i64,
    /// `production` or `candidate`.
    pub arm: &'static str,
    pub requests: u64,
    pub errors: u64,
    /// Errors by requests; 0 without requests.
    pub error_rate: f64,
    /// Seconds that half of the requests take at most, and 99 of 100, rounded up by at most 19 %; none without requests.
    pub latency_p50_seconds: Option<f64>,
    pub latency_p99_seconds: Option<f64>,
    /// Mean of the last score of each of at most a thousand entities.
    pub mean_score: Option<f64>,
    /// Those entities.
    pub scored_entities: usize,
}

impl ArmStatus {
    fn of(version: i64, arm: &'static str, tally: &ArmTally) -> Self {
        Self {
            version,
            arm,
            requests: tally.requests,
            errors: tally.errors,
            error_rate: tally.error_rate(),
            latency_p50_seconds: tally.latency_quantile(0.5),
            latency_p99_seconds: tally.latency_quantile(0.99),
            mean_score: tally.mean_score(),
            scored_entities: tally.scores.len(),
        }
    }
}

impl Registry {
    /// Lets a version answer this share of the entities, after reading it once. The number of the canary.
    ///
    /// # Errors
    /// No such version, or one that cannot be read, is in production or predicts something else; a run keeps a canary.
    pub async fn start_canary(
        &self,
        name: &str,
        version: i64,
        share: Share,
        by: By<'_>,
    ) -> anyhow::Result<i64> {
        let version = self.resolve(name, Some(version)).await?;
        let candidate = self.load(name, version).await?;
        if let Some(production) = self.production(name).await? {
            let task = candidate.task().name();
            ensure!(
                production.task == task,
                "version {version} of {name} is of the task {task:?}, and version {} in production of {:?}; a canary \
                 answers the same question",
                production.version,
                production.task
            );
        }
        Ok(self.store.set_canary(name, version, share, by).await??)
    }

    /// Lets a version answer beside the one in production without being heard, after reading it once.
    ///
    /// # Errors
    /// No such version, or one that cannot be read or is in production; a run does not take the place of somebody's.
    pub async fn start_shadow(&self, name: &str, version: i64, by: By<'_>) -> anyhow::Result<()> {
        let version = self.resolve(name, Some(version)).await?;
        self.load(name, version).await?;
        Ok(self.store.set_shadow(name, version, by).await??)
    }

    /// Ends the shadow. `configured` is the one that the configuration names, which nobody can end here.
    ///
    /// # Errors
    /// There is that one only.
    pub async fn end_shadow(&self, name: &str, configured: Option<i64>) -> anyhow::Result<()> {
        let has_ended = self.store.end_shadow(name).await?;
        match configured {
            Some(version) if !has_ended => bail!(
                "the configuration names version {version} ([serve] shadow = \"{name}@{version}\"); it ends when that \
                 line is removed and the server is restarted"
            ),
            _ => Ok(()),
        }
    }

    /// The canary, where there is one.
    pub async fn canary(&self, name: &str) -> anyhow::Result<Option<CanaryStatus>> {
        let Some(found) = self.store.canary(name).await? else { return Ok(None) };
        let Arms { production, candidate } = self.arms(name, found.id).await?;
        let arms = vec![
            ArmStatus::of(found.production, "production", &production),
            ArmStatus::of(found.version, "candidate", &candidate),
        ];
        Ok(Some(CanaryStatus {
            version: found.version,
            share: found.share.value(),
            since: found.at,
            actor: found.actor,
            run_id: found.run,
            trouble: found.trouble,
            arms,
        }))
    }

    /// What all processes have counted of a canary.
    pub async fn arms(&self, name: &str, canary: i64) -> anyhow::Result<Arms> {
        let tallies: Vec<Tallied<ArmTally>> = self.store.tallies(name, &trial_of(canary)).await?;
        Ok(tallies.into_iter().fold(Arms::default(), |mut arms, Tallied { arm, tally }| {
            let side = if arm == "candidate" { &mut arms.candidate } else { &mut arms.production };
            *side = std::mem::take(side).merged(tally);
            arms
        }))
    }
}
