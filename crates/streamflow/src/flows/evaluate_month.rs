//! `evaluate_month`: how right a version of the model was on a month.

use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use streamflow_dataset::Period;
use streamflow_model::{ImportRecord, Stored, TrainSettings, TrainingRecord, Validation};
use streamflow_performance::{Interval, Validated};

use super::monitor_month::newest;
use super::parameters::{Kind, optional};
use super::{Ended, Flow, FlowRun, blocking};
use crate::drift::task_of;
use crate::performance::{Elsewhere, Evaluation, Learning, Rules, Subject, Usual, Version};
use crate::store::evaluations::NewEvaluation;
use crate::workspace::Workspace;

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "evaluate_month",
    doc: "How right a version of the model was on a month: measured where labels are, estimated where not",
    parameters: &[
        optional("as_of", Kind::Date, "The month [default: the newest]"),
        optional("version", Kind::Integer, "The version [default: the one in production]"),
    ],
    period: Some("as_of"),
    body: |run| {
        Box::pin(async move {
            let as_of = match run.parameters.date("as_of")? {
                Some(month) => month,
                None => newest(&run.workspace).await?,
            };
            let version = run.parameters.integer("version");
            let evaluated = steps(run, as_of, version).await?;
            evaluated.context("no model was trained yet; see `streamflow train`")?.ended()
        })
    },
};

/// An evaluation and its line, where it has one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evaluated {
    pub evaluation: Evaluation,
    pub line: Option<String>,
}

impl Evaluated {
    fn ended(self) -> anyhow::Result<Ended> {
        let evaluation = &self.evaluation;
        let message = evaluation.verdict.reason().to_owned();
        let text = crate::performance::section::text(evaluation);
        let value = serde_json::to_value(evaluation)?;
        Ok(Ended { name: evaluation.decision().to_owned(), message, value, text })
    }
}

/// The step, for this flow and for those that contain it; none while no model was trained.
pub async fn steps(
    run: &mut FlowRun,
    as_of: Period,
    version: Option<i64>,
) -> anyhow::Result<Option<Evaluated>> {
    let (workspace, id) = (run.workspace.clone(), run.id);
    let evaluated: Option<Evaluated> =
        run.step("evaluate", move |_| evaluate(workspace.clone(), as_of, version, Some(id))).await?;
    if let Some(line) = evaluated.as_ref().and_then(|evaluated| evaluated.line.as_ref()) {
        run.log("info", line).await?;
    }
    Ok(evaluated)
}

/// Evaluates the version, or the one in production, and keeps what it came to.
pub async fn evaluate(
    workspace: Workspace,
    as_of: Period,
    version: Option<i64>,
    run: Option<i64>,
) -> anyhow::Result<Option<Evaluated>> {
    let name = workspace.config.model.name.clone();
    let Some(version) = version_of(&workspace, version).await? else { return Ok(None) };
    let number = version.number;
    let (snapshots, model) = (workspace.snapshots.clone(), name.clone());
    let settings = &workspace.config.monitor.performance;
    let ((fall, growth), values) = (settings.rules(), settings.value_matrix());
    let rules = Rules { fall, growth };
    let mut evaluation = blocking(move || {
        Subject { snapshots: &snapshots, model: &model, version: &version, rules, values }.evaluate(as_of)
    })
    .await?;
    evaluation.usual = usual(&workspace, &evaluation).await?;
    let (kind, period) =
        (if evaluation.realised.is_some() { "realised" } else { "estimated" }, as_of.to_string());
    let new = NewEvaluation {
        model: &name,
        version: number,
        period: &period,
        kind,
        run,
        evaluation: &serde_json::to_value(&evaluation)?,
    };
    workspace.store.add_evaluation(&new).await.context("cannot record the evaluation")?;
    Ok(Some(Evaluated { line: evaluation.line(), evaluation }))
}

/// What is usual for the version, by its evaluations on the months before that are kept.
async fn usual(workspace: &Workspace, evaluation: &Evaluation) -> anyhow::Result<Option<Usual>> {
    let Evaluation { model, version, period, .. } = evaluation;
    let metric = evaluation.task.metric();
    let before = workspace.store.realised_before(model, *version, &period.to_string(), metric.name()).await?;
    Ok(Usual::of(metric, &before, evaluation.deciding()))
}

/// A version with all that is known of it: that of the number, or the one in production.
pub async fn version_of(workspace: &Workspace, number: Option<i64>) -> anyhow::Result<Option<Version>> {
    let (registry, name) = (&workspace.registry, &workspace.config.model.name);
    let record = match number {
        None => registry.production(name).await?,
        Some(number) => {
            let versions = registry.versions().await?;
            let found =
                versions.into_iter().find(|version| version.name == *name && version.version == number);
            Some(found.with_context(|| {
                format!("model {name} has no version {number}; see `streamflow models ls`")
            })?)
        }
    };
    let Some(record) = record else { return Ok(None) };
    record.check_task(task_of(&workspace.config.dataset.label))?;
    let stored = registry.stored(name, record.version).await?;
    let as_of =
        record.as_of.parse().ok().with_context(|| format!("version {} has no date", record.version))?;
    let learning = match &stored {
        Stored::Trained(trained) => learning(&trained.record)?,
        Stored::Imported(import) => Learning::Elsewhere(elsewhere(&import.record)?),
    };
    Ok(Some(Version { number: record.version, as_of, model: stored.into_model(), learning }))
}

/// What is known of the training of an imported version.
fn elsewhere(record: &ImportRecord) -> anyhow::Result<Elsewhere> {
    let until = record.trained_until.as_deref().map(str::parse).transpose();
    let judged = record.judged.as_ref().map(|judged| -> anyhow::Result<_> {
        let as_of = judged.as_of.parse().ok().context("the month that judged it at import")?;
        let (low, high) = judged.interval;
        Ok((as_of, Validated { value: judged.value, interval: Interval { low, high } }))
    });
    Ok(Elsewhere {
        until: until.context("the date until which it was trained")?,
        entities: record.trained_on.clone().map(Arc::new),
        judged: judged.transpose()?,
    })
}

/// Which rows taught a version that was trained here.
fn learning(record: &TrainingRecord) -> anyhow::Result<Learning> {
    let TrainSettings { seed, validation_share, validation, .. } = record.settings;
    Ok(match validation {
        Validation::Entity => Learning::Split { seed, validation_share },
        Validation::Time => {
            let newest = record
                .months
                .last()
                .context("a version that time validates names no month that it learned from")?;
            Learning::Time { seed, until: newest.parse().context("the month that it learned from")? }
        }
    })
}
