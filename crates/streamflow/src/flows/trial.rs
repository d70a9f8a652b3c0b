//! One step of a gradual promotion: the candidate answers unheard, or a share of the entities, until the counts of the
//! serving processes are enough, or a guard finds something.
//!
//! The counts are read from the store, where the serving processes keep them every second: the run may be worked on by
//! another process, and after a restart.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::StepContext;
use super::promote_gradually::{Plan, Versions};
use crate::canary::{Finding, PairTally, Share, judge_arms, judge_pairs};
use crate::registry::Arms;
use crate::store::canaries::{Canary, Refusal, Tallied};
use crate::store::models::By;
use crate::store::shadows::{Shadow, trial_of};
use crate::workspace::Workspace;

/// How often the counts are read.
const READ_EVERY: Duration = Duration::from_millis(500);
/// Requests at which a step is judged first; then whenever they have doubled, and in its end.
const FIRST_LOOK: u64 = 64;

/// How a step ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// Where the candidate was: `in the shadow` or `at 10 %`.
    pub of: String,
    /// What was counted, in words.
    pub figures: String,
    /// Why production answers everybody again, where it does.
    pub returned: Option<String>,
    /// The version that answers everybody then, where it is another than when the run began.
    #[serde(default)]
    pub answers: Option<i64>,
}

/// What the steps of a run share.
#[derive(Clone)]
pub struct Trial {
    pub workspace: Workspace,
    pub run: i64,
    /// Who or what started the run.
    pub actor: String,
    pub versions: Versions,
    pub plan: Plan,
}

/// When a step is judged.
struct Clock<'a> {
    plan: &'a Plan,
    begun: Instant,
    lasts: Duration,
    next_look: u64,
}

/// What is to be done with the counts of now.
#[derive(Debug, PartialEq, Eq)]
enum Moment {
    Wait,
    Look,
    /// It lasted long enough, and there are enough requests.
    Last,
    /// There will not be enough.
    TooLate,
}

impl<'a> Clock<'a> {
    fn begin(plan: &'a Plan, lasts: Duration) -> Self {
        Self { plan, begun: Instant::now(), lasts, next_look: FIRST_LOOK }
    }

    /// `fewest` requests were made to one of the versions, and `candidate` to the candidate.
    fn moment(&mut self, fewest: u64, candidate: u64) -> Moment {
        let elapsed = self.begun.elapsed();
        if elapsed >= self.lasts && fewest >= self.plan.min_requests {
            return Moment::Last;
        }
        if elapsed >= self.lasts.saturating_add(self.plan.wait_for) {
            return Moment::TooLate;
        }
        if candidate < self.next_look {
            return Moment::Wait;
        }
        while self.next_look <= candidate {
            self.next_look = self.next_look.saturating_mul(2);
        }
        Moment::Look
    }
}

impl Trial {
    fn model(&self) -> &str {
        &self.workspace.config.model.name
    }

    fn by(&self) -> By<'_> {
        By { actor: &self.actor, run: Some(self.run) }
    }

    fn too_few(&self, found: u64) -> String {
        format!(
            "too few requests: {found} of {} that are needed; is a server answering, and was it asked? Nothing was judged",
            self.plan.min_requests
        )
    }

    /// The candidate answers beside production and is not heard.
    pub async fn unheard(self, context: StepContext) -> anyhow::Result<Stage> {
        let Workspace { store, .. } = &self.workspace;
        let (model, trial, candidate) = (self.model(), trial_of(self.run), self.versions.candidate);
        let is_own = |found: Option<Shadow>| {
            found.is_some_and(|found| found.run == Some(self.run) && found.version == candidate)
        };
        store.forget_tallies(model, &trial).await?;
        store.set_shadow(model, candidate, self.by()).await??;
        let mut clock = Clock::begin(&self.plan, self.plan.shadow_for);
        let (tally, returned) = loop {
            pause(&context).await?;
            let tallies: Vec<Tallied<PairTally>> = store.tallies(model, &trial).await?;
            let tally =
                tallies.into_iter().fold(PairTally::default(), |sum, process| sum.merged(process.tally));
            if !is_own(store.shadow(model).await?) {
                break (tally, Some("somebody ended the shadow or named another".to_owned()));
            }
            let moment = clock.moment(tally.rows, tally.rows);
            let found = match moment {
                Moment::Wait => None,
                Moment::Look | Moment::Last => judge_pairs(&tally, &self.plan.limits),
                Moment::TooLate => {
                    let why = self.too_few(tally.rows);
                    break (tally, Some(why));
                }
            };
            if found.is_some() || moment == Moment::Last {
                break (tally, found.map(said));
            }
        };
        store.end_shadow_of(model, self.run).await?;
        store.forget_tallies(model, &trial).await?;
        self.ended("in the shadow".to_owned(), of_pairs(&tally), returned).await
    }

    /// The candidate answers a share of the entities. It goes on answering them where no guard finds something: the next
    /// step, or the promotion, takes its place.
    pub async fn heard(self, share: Share, context: StepContext) -> anyhow::Result<Stage> {
        let Workspace { store, registry, .. } = &self.workspace;
        let model = self.model();
        let taken = match self.production_meanwhile().await? {
            Some(_) => Some("what is in production was changed".to_owned()),
            None => taken_by_somebody(&self.workspace, self.run).await?,
        };
        if taken.is_some() {
            return self.ended(format!("before {share}"), String::new(), taken).await;
        }
        let canary = registry.start_canary(model, self.versions.candidate, share, self.by()).await?;
        let mut clock = Clock::begin(&self.plan, self.plan.step_for);
        let (arms, returned) = loop {
            pause(&context).await?;
            let arms = registry.arms(model, canary).await?;
            let (production, candidate) = (arms.production.requests, arms.candidate.requests);
            let trouble = match store.canary(model).await?.filter(|found| found.id == canary) {
                None => Some("somebody ended the canary".to_owned()),
                Some(found) => found.trouble.map(|trouble| format!("the candidate is not loaded: {trouble}")),
            };
            if trouble.is_some() {
                break (arms, trouble);
            }
            let moment = clock.moment(production.min(candidate), candidate);
            let found = match moment {
                Moment::Wait => None,
                Moment::Look | Moment::Last => {
                    judge_arms(&arms.production, &arms.candidate, &self.plan.limits)
                }
                Moment::TooLate => break (arms, Some(self.too_few(production.min(candidate)))),
            };
            if found.is_some() || moment == Moment::Last {
                break (arms, found.map(said));
            }
        };
        if returned.is_some() {
            store.end_canary(model, Some(canary), self.by()).await?;
        }
        self.ended(format!("at {share}"), self.of_arms(&arms), returned).await
    }

    /// A stage as it ended, with the version that answers where that was changed meanwhile.
    async fn ended(&self, of: String, figures: String, returned: Option<String>) -> anyhow::Result<Stage> {
        let answers = if returned.is_some() { self.production_meanwhile().await? } else { None };
        Ok(Stage { of, figures, returned, answers })
    }

    /// The version in production, where it is another than when the run began.
    async fn production_meanwhile(&self) -> anyhow::Result<Option<i64>> {
        let production = self.workspace.store.production(self.model()).await?.map(|found| found.version);
        Ok(production.filter(|version| *version != self.versions.production))
    }

    fn of_arms(&self, arms: &Arms) -> String {
        let Versions { candidate, production } = self.versions;
        let of = |version: i64, tally: &crate::canary::ArmTally| {
            let p99 = tally.latency_quantile(0.99).map(|seconds| format!(", p99 {:.2} ms", seconds * 1e3));
            let mean = tally.mean_score().map(|mean| format!(", mean score {mean:.4}"));
            format!(
                "version {version} {} requests, {:.2} % errors{}{}",
                tally.requests,
                100.0 * tally.error_rate(),
                p99.unwrap_or_default(),
                mean.unwrap_or_default()
            )
        };
        format!("{}, {}", of(candidate, &arms.candidate), of(production, &arms.production))
    }
}

/// What somebody has begun, whose place a run does not take; with the way to end it.
pub async fn taken_by_somebody(workspace: &Workspace, run: i64) -> anyhow::Result<Option<String>> {
    let Workspace { store, config, .. } = workspace;
    let name = &config.model.name;
    if let Some(found) = store.canary(name).await?.filter(|found| found.is_kept() && found.run != Some(run)) {
        let Canary { version, share, actor, .. } = found;
        return Ok(Some(match found.run {
            Some(run) => Refusal::Held { version, run }.to_string(),
            None => Refusal::CanaryOfSomebody { version, share, actor }.to_string(),
        }));
    }
    let shadow = store.shadow(name).await?.filter(|found| found.run.is_none());
    Ok(shadow.map(|Shadow { version, actor, .. }| Refusal::ShadowOfSomebody { version, actor }.to_string()))
}

/// A guard and what it found.
fn said(found: Finding) -> String {
    format!("{}: {}", found.guard, found.message)
}

fn of_pairs(tally: &PairTally) -> String {
    let differing = tally.pairs.iter().filter(|pair| pair.differs == Some(true)).count();
    let entities = tally.pairs.len();
    let mean = tally.pairs.iter().map(|pair| pair.unheard - pair.given).sum::<f64>() / entities.max(1) as f64;
    format!(
        "{} rows, another class to {differing} of {entities} entities, mean score difference {mean:+.4}",
        tally.rows
    )
}

/// Waits until the counts are read again.
///
/// # Errors
/// The run is to stop.
async fn pause(context: &StepContext) -> anyhow::Result<()> {
    tokio::select! {
        () = tokio::time::sleep(READ_EVERY) => Ok(()),
        () = context.stop.wait() => bail!("stopped before it was judged"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::parameters::check;
    use crate::flows::promote_gradually::FLOW;

    fn plan(given: serde_json::Value) -> anyhow::Result<Plan> {
        Plan::of(&check(FLOW.name, FLOW.parameters, given.as_object().unwrap())?)
    }

    #[test]
    fn a_step_is_judged_when_requests_double_and_in_its_end() {
        let plan = plan(serde_json::json!({ "min_requests": 100, "wait_for": "0s" })).unwrap();
        let mut clock = Clock::begin(&plan, Duration::from_secs(3600));
        let looks = (0..100_000).filter(|&requests| clock.moment(requests, requests) == Moment::Look).count();
        assert_eq!(looks, 11, "64, 128, …, 65,536");
        let mut over = Clock::begin(&plan, Duration::ZERO);
        assert_eq!(over.moment(100, 5_000), Moment::Last);
        assert_eq!(over.moment(99, 5_000), Moment::TooLate);
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        assert_eq!(plan(serde_json::json!({})).unwrap().shares.len(), 3);
        for (name, value, part) in [
            ("min_requests", "0", "min_requests is 0; expected a number of requests above 0"),
            ("max_error_rise", "1.5", "max_error_rise is 1.5; expected a number from 0 to 1"),
            ("max_score_distance", "-0.1", "max_score_distance is -0.1"),
            ("max_latency_ratio", "0.5", "expected at least 1"),
            ("false_return", "0", "false_return is 0"),
            ("shadow_for", "-1s", "expected a length of time"),
        ] {
            let error = plan(serde_json::json!({ name: value })).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
