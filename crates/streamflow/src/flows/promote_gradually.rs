//! `promote_gradually`: a candidate answers unheard, then a growing share of the entities, and is promoted where no guard
//! finds it worse; else the version in production answers everybody again.

use std::time::Duration;

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::parameters::{Kind, Parameter, Parameters, optional};
use super::trial::{Stage, Trial, taken_by_somebody};
use super::{Ended, Flow, FlowRun};
use crate::canary::{Limits, Share};
use crate::store::models::By;
use crate::workspace::Workspace;

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "promote_gradually",
    doc: "Let a version answer unheard, then a growing share of the entities, and promote it where no guard finds it worse",
    parameters: &PARAMETERS,
    period: None,
    body: |run| Box::pin(steps(run)),
};

const PARAMETERS: [Parameter; 12] = [
    optional("version", Kind::Integer, "The candidate [default: the newest version]"),
    optional(
        "shadow_for",
        Kind::Duration,
        "How long it answers unheard first; 0s leaves that out [default: 30m]",
    ),
    optional(
        "shares",
        Kind::Shares,
        "Shares of the entities that it answers, a step each [default: 1%,10%,50%]",
    ),
    optional("step_for", Kind::Duration, "Shortest time of each step [default: 1h]"),
    optional("min_requests", Kind::Integer, "Requests to each version that a step needs [default: 500]"),
    optional(
        "wait_for",
        Kind::Duration,
        "How much longer a step waits for them, until production answers all again [default: 1d]",
    ),
    optional(
        "max_error_rise",
        Kind::Number,
        "By how much its share of errors may be larger than production's [default: 0.01]",
    ),
    optional(
        "max_latency_ratio",
        Kind::Number,
        "How many times production's p99 latency its own may be [default: 1.5]",
    ),
    optional(
        "max_score_distance",
        Kind::Number,
        "Largest Kolmogorov-Smirnov distance of the scores of both [default: 0.15]",
    ),
    optional(
        "max_disagreement",
        Kind::Number,
        "Share of entities to which it may give another class, unheard [default: 0.2]",
    ),
    optional(
        "max_score_difference",
        Kind::Number,
        "Mean difference of its scores, unheard, in standard deviations [default: 0.25]",
    ),
    optional(
        "false_return",
        Kind::Number,
        "Chance that a candidate as good as production is returned [default: 0.01]",
    ),
];

/// Times that a step is judged, at most; its requests double between them.
const LOOKS: u32 = 20;
/// Guards of a step.
const GUARDS: u32 = 3;

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    pub shadow_for: Duration,
    pub shares: Vec<Share>,
    pub step_for: Duration,
    pub min_requests: u64,
    pub wait_for: Duration,
    pub limits: Limits,
}

impl Plan {
    /// # Errors
    /// A value out of its range.
    pub fn of(given: &Parameters) -> anyhow::Result<Self> {
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        let number = |name: &str, default: f64, most: f64| {
            let value = given.number(name).unwrap_or(default);
            ensure!(value >= 0.0 && value <= most, "{name} is {value}; expected a number from 0 to {most}");
            Ok(value)
        };
        let shares = match given.shares("shares")? {
            Some(shares) => shares,
            None => [0.01, 0.1, 0.5].into_iter().filter_map(Share::new).collect(),
        };
        let requests = given.integer("min_requests").unwrap_or(500);
        ensure!(requests > 0, "min_requests is {requests}; expected a number of requests above 0");
        let false_return = number("false_return", 0.01, 1.0)?;
        ensure!(
            false_return > 0.0,
            "false_return is 0, which no test can promise; expected a chance above 0, such as 0.01"
        );
        let latency_ratio = number("max_latency_ratio", 1.5, 1e6)?;
        ensure!(latency_ratio >= 1.0, "max_latency_ratio is {latency_ratio}; expected at least 1");
        let steps = u32::try_from(shares.len())?.saturating_add(1);
        Ok(Self {
            shadow_for: given.duration("shadow_for")?.unwrap_or(Duration::from_secs(1800)),
            shares,
            step_for: given.duration("step_for")?.unwrap_or(hours(1)),
            min_requests: requests.unsigned_abs(),
            wait_for: given.duration("wait_for")?.unwrap_or(hours(24)),
            limits: Limits {
                error_rise: number("max_error_rise", 0.01, 1.0)?,
                latency_ratio,
                score_distance: number("max_score_distance", 0.15, 1.0)?,
                disagreement: number("max_disagreement", 0.2, 1.0)?,
                score_difference: number("max_score_difference", 0.25, 1e6)?,
                // Bonferroni: whatever is looked at, in every step, shares the one chance.
                alpha: false_return / f64::from(steps * GUARDS * LOOKS),
            },
        })
    }
}

/// The versions of a run, the same in all of its attempts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Versions {
    pub candidate: i64,
    pub production: i64,
}

async fn steps(run: &mut FlowRun) -> anyhow::Result<Ended> {
    let plan = Plan::of(&run.parameters)?;
    let outcome = stages(run, &plan).await;
    if outcome.is_err() {
        end_trials(run).await?;
    }
    outcome
}

async fn stages(run: &mut FlowRun, plan: &Plan) -> anyhow::Result<Ended> {
    let (workspace, wished) = (run.workspace.clone(), run.parameters.integer("version"));
    let versions: Versions = run.step("choose", move |_| choose(workspace.clone(), wished)).await?;
    let (workspace, id) = (run.workspace.clone(), run.id);
    run.read("check", move |_| check(workspace.clone(), id, versions)).await?;
    let trial = Trial {
        workspace: run.workspace.clone(),
        run: run.id,
        actor: run.cause.clone(),
        versions,
        plan: plan.clone(),
    };
    let mut passed = Vec::new();
    if !plan.shadow_for.is_zero() {
        let of_step = trial.clone();
        let stage = run.step("shadow", move |context| of_step.clone().unheard(context)).await?;
        passed.push(go_on(run, versions, stage).await?);
    }
    for share in &plan.shares {
        let (of_step, share) = (trial.clone(), *share);
        let name = format!("canary_{}", share.to_string().trim_end_matches(" %"));
        let stage = run.step(&name, move |context| of_step.clone().heard(share, context)).await?;
        passed.push(go_on(run, versions, stage).await?);
    }
    promote(run, versions).await?;
    let Versions { candidate, production } = versions;
    let message =
        format!("version {candidate} was promoted in place of version {production}: {}", passed.join("; "));
    let value =
        json!({ "candidate": candidate, "production": production, "promoted": true, "steps": passed });
    Ok(Ended { name: "PROMOTED".to_owned(), text: message.clone(), message, value })
}

/// Logs how a stage ended.
///
/// # Errors
/// A guard found something. The stage stays as it is: another attempt of the run ends here too.
async fn go_on(run: &mut FlowRun, versions: Versions, stage: Stage) -> anyhow::Result<String> {
    if let Some(reason) = stage.returned {
        let Versions { candidate, production } = versions;
        match stage.answers {
            Some(version) if version == candidate => bail!(
                "version {candidate} was put in production by somebody else {}, in the place of version {production}, and \
                 answers everybody",
                stage.of
            ),
            Some(version) => bail!(
                "version {candidate} was given up {}: version {version} was put in production meanwhile, in the place of \
                 version {production}, and answers everybody",
                stage.of
            ),
            None => {}
        }
        bail!("version {candidate} was returned to version {production} {}: {reason}", stage.of);
    }
    let line = format!("{}: {}", stage.of, stage.figures);
    run.log("info", &line).await?;
    Ok(line)
}

/// # Errors
/// No such version, none in production, or the candidate already is.
async fn choose(workspace: Workspace, wished: Option<i64>) -> anyhow::Result<Versions> {
    let (name, registry) = (&workspace.config.model.name, &workspace.registry);
    let production = registry.resolve(name, None).await?;
    let candidate = match wished {
        Some(version) => registry.resolve(name, Some(version)).await?,
        None => {
            let versions = registry.versions().await?;
            let of_name = versions.iter().filter(|found| found.name == *name).map(|found| found.version);
            of_name.max().unwrap_or(production)
        }
    };
    ensure!(
        candidate != production,
        "version {candidate} is in production already; name another with version=NUMBER (`streamflow models ls`)"
    );
    registry.load(name, candidate).await?;
    Ok(Versions { candidate, production })
}

/// # Errors
/// Another such run is active, somebody has a canary or a shadow on, or another version is in production than when the run began.
async fn check(workspace: Workspace, run: i64, versions: Versions) -> anyhow::Result<()> {
    if let Some(other) = workspace.store.rival_of(run, FLOW.name).await? {
        bail!(
            "run {other} of {} is active, and one may be at a time; wait for it, or end it with `streamflow flows cancel {other}`",
            FLOW.name
        );
    }
    if let Some(taken) = taken_by_somebody(&workspace, run).await? {
        bail!("{taken}");
    }
    let production = workspace.registry.resolve(&workspace.config.model.name, None).await?;
    ensure!(
        // A run that was cut off behind its promotion goes on.
        production == versions.production || production == versions.candidate,
        "version {production} is in production, and the run began with version {}; start another run",
        versions.production
    );
    Ok(())
}

async fn promote(run: &mut FlowRun, versions: Versions) -> anyhow::Result<()> {
    let (workspace, id, actor) = (run.workspace.clone(), run.id, run.cause.clone());
    run.step("promote", move |_| {
        let (workspace, actor) = (workspace.clone(), actor.clone());
        async move {
            let by = By { actor: &actor, run: Some(id) };
            workspace.registry.promote(&workspace.config.model.name, versions.candidate, by).await
        }
    })
    .await
}

/// Ends what this run has begun: production answers everybody.
async fn end_trials(run: &FlowRun) -> anyhow::Result<()> {
    let Workspace { store, config, .. } = &run.workspace;
    let name = &config.model.name;
    if let Some(canary) = store.canary(name).await?.filter(|canary| canary.run == Some(run.id)) {
        let by = By { actor: &run.cause, run: Some(run.id) };
        store.end_canary(name, Some(canary.id), by).await?;
    }
    store.end_shadow_of(name, run.id).await?;
    store.forget_tallies(name, &crate::store::shadows::trial_of(run.id)).await?;
    Ok(())
}
