//! `train_and_compare`: a candidate of the newest labelled month against production, on the same rows, and its promotion
//! where it is better.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use streamflow_dataset::Period;
use streamflow_performance::{Promotion, PromotionReport};

use super::cache::Inputs;
use super::evaluate_month::version_of;
use super::monitor_month::newest;
use super::parameters::{Kind, optional};
use super::train_model::{self, TrainOutcome};
use super::{Ended, Flow, FlowRun, blocking};
use crate::config::Promote;
use crate::performance::{Contest, compare};
use crate::store::models::By;
use crate::workspace::Workspace;

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "train_and_compare",
    doc: "Train a candidate, compare it with production on rows that neither was trained on, promote it if it is better",
    parameters: &[
        optional("as_of", Kind::Date, "The month to learn from and to compare on [default: the newest]"),
        optional("seed", Kind::Integer, "Seed of the fit and of the split [default: from the configuration]"),
        PROMOTE,
    ],
    period: Some("as_of"),
    body: |run| {
        Box::pin(async move {
            let as_of = match run.parameters.date("as_of")? {
                Some(month) => month,
                None => newest(&run.workspace).await?,
            };
            let before = find_production(run).await?;
            steps(run, as_of, before).await?.ended()
        })
    },
};

/// What becomes of a better candidate.
pub const PROMOTE: super::Parameter = optional(
    "promote",
    Kind::Word(&["yes", "ask", "no"]),
    "What becomes of a better candidate: promoted, asked about, or left [default: from the configuration]",
);

/// What became of a candidate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Compared {
    pub candidate: i64,
    /// The version it was held against; none when it is the first one.
    pub production: Option<i64>,
    pub as_of: Period,
    pub report: Option<PromotionReport>,
    /// What is served now.
    pub promoted: bool,
    /// The outcome in a sentence.
    pub message: String,
}

impl Compared {
    pub fn ended(self) -> anyhow::Result<Ended> {
        let (text, value) = (self.message.clone(), serde_json::to_value(&self)?);
        Ok(Ended { name: self.name().to_owned(), message: self.message, value, text })
    }

    /// The outcome in a word.
    pub fn name(&self) -> &'static str {
        match (self.promoted, &self.report) {
            (true, _) => "PROMOTED",
            (false, None) => "FIRST_VERSION",
            (false, Some(report)) => match report.promotion {
                Promotion::Better => "BETTER",
                Promotion::NotWorse => "NOT_WORSE",
                Promotion::Undecided => "UNDECIDED",
                Promotion::Worse => "WORSE",
            },
        }
    }
}

/// The version in production when the run began: a later attempt finds the same, whatever was promoted meanwhile.
pub async fn find_production(run: &mut FlowRun) -> anyhow::Result<Option<i64>> {
    let workspace = run.workspace.clone();
    run.step("find_production", move |_| {
        let workspace = workspace.clone();
        async move {
            let production = workspace.registry.production(&workspace.config.model.name).await?;
            Ok(production.map(|version| version.version))
        }
    })
    .await
}

/// The steps, for this flow and for those that contain it. `before` is what was in production when the run began.
pub async fn steps(run: &mut FlowRun, as_of: Period, before: Option<i64>) -> anyhow::Result<Compared> {
    let candidate = train_model::steps(run, as_of).await?;
    let Some(production) = before else {
        return Ok(first(&candidate));
    };
    let (workspace, number) = (run.workspace.clone(), candidate.version);
    let reads = workspace.clone();
    let inputs = move || {
        let inputs = Inputs::of("compare_versions").add_tables(&reads, as_of)?;
        let margin = reads.config.monitor.performance.margin;
        Ok(inputs.add(&(as_of, production, number, margin, &reads.config.model.name))?.finish())
    };
    let work = move |_| contest(workspace.clone(), production, number, as_of);
    let report: PromotionReport =
        run.cached("compare_versions", inputs, async |kept| Ok(Some(kept)), work).await?;
    run.log("info", &format!("version {number} against version {production}: {}", report.reason)).await?;
    let promoted = promote(run, number, &report).await?;
    let message = match promoted {
        true => format!("version {number} was promoted in place of version {production}. {}", report.reason),
        false => format!("version {production} stays in production. {}", report.reason),
    };
    Ok(Compared {
        candidate: number,
        production: Some(production),
        as_of,
        report: Some(report),
        promoted,
        message,
    })
}

fn first(candidate: &TrainOutcome) -> Compared {
    Compared {
        candidate: candidate.version,
        production: None,
        as_of: candidate.as_of,
        report: None,
        promoted: false,
        message: format!("version {} is the first and in production", candidate.version),
    }
}

/// Both versions on the rows of a month that neither was trained on.
pub async fn contest(
    workspace: Workspace,
    production: i64,
    candidate: i64,
    period: Period,
) -> anyhow::Result<PromotionReport> {
    let missing = || anyhow::anyhow!("a version that was there before is gone");
    let production = version_of(&workspace, Some(production)).await?.ok_or_else(missing)?;
    let candidate = version_of(&workspace, Some(candidate)).await?.ok_or_else(missing)?;
    let margin = workspace.config.monitor.performance.margin;
    blocking(move || {
        let snapshots = &workspace.snapshots;
        compare(&Contest { snapshots, production: &production, candidate: &candidate, period, margin })
    })
    .await
}

/// The gain of AUC, or the share by which the error is smaller, that the candidate has at the least.
fn sure_gain(report: &PromotionReport) -> f64 {
    let of_auc = report.auc.as_ref().and_then(|auc| auc.interval).map(|gain| gain.low);
    let of_loss = report.loss.and_then(|loss| Some(loss.interval?.low / loss.production));
    of_auc.or(of_loss).unwrap_or(f64::NEG_INFINITY)
}

/// Promotes a candidate that is better by more than the configuration asks for, after somebody has agreed where that is
/// wanted.
async fn promote(run: &mut FlowRun, candidate: i64, report: &PromotionReport) -> anyhow::Result<bool> {
    let config = &run.workspace.config.monitor.performance;
    let gain = sure_gain(report);
    if report.promotion != Promotion::Better || gain <= config.min_gain {
        return Ok(false);
    }
    let (wish, within) = (wish(run), Duration::from_secs(config.approval_hours.saturating_mul(3600)));
    let actor = match wish {
        Promote::No => return Ok(false),
        Promote::Yes => run.cause.clone(),
        Promote::Ask => {
            let question = format!("Promote version {candidate}? {}", report.reason);
            run.approval("promote", &question, within).await?
        }
    };
    let (workspace, id) = (run.workspace.clone(), run.id);
    run.step("promote", move |_| {
        let (workspace, actor) = (workspace.clone(), actor.clone());
        async move {
            let name = &workspace.config.model.name;
            let by = By { actor: &actor, run: Some(id) };
            workspace.registry.promote(name, candidate, by).await
        }
    })
    .await?;
    Ok(true)
}

fn wish(run: &FlowRun) -> Promote {
    match run.parameters.text("promote") {
        Some("yes") => Promote::Yes,
        Some("ask") => Promote::Ask,
        Some(_) => Promote::No,
        None => run.workspace.config.monitor.performance.promote,
    }
}
