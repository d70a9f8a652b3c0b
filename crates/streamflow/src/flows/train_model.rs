//! Training: fit on one month, evaluate on entities never trained on, register.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use streamflow_dataset::{Period, PointInTime};
use streamflow_model::{Metrics, Task, TaskMetrics, TrainSettings, Trained};
use streamflow_performance::{Metric, significant};

use super::cache::Inputs;
use super::evaluate_month::version_of;
use super::parameters::{Kind, optional, required};
use super::{Ended, Flow, FlowRun, blocking};
use crate::drift::{TrainingTable, task_of};
use crate::mlflow;
use crate::registry::NewModel;
use crate::workspace::Workspace;

/// The row of this flow.
pub static FLOW: Flow = Flow {
    name: "train_model",
    doc: "Fit the model on a month, evaluate it on entities it never saw, register it",
    parameters: &[
        required("as_of", Kind::Date, "The month to learn from: its features and its labels"),
        optional(
            "seed",
            Kind::Integer,
            "Seed of the fit and of the validation split [default: from the configuration]",
        ),
    ],
    period: Some("as_of"),
    body: |run| {
        Box::pin(async move {
            let as_of = run.parameters.date("as_of")?.context("as_of is checked to be there")?;
            steps(run, as_of).await?.ended()
        })
    },
};

/// A registered version, as `--format json` prints it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainOutcome {
    pub name: String,
    pub version: i64,
    pub as_of: Period,
    pub production: bool,
    #[serde(default)]
    pub task: Task,
    pub metrics: Metrics,
}

/// The steps, for this flow and for those that contain it.
pub async fn steps(run: &mut FlowRun, as_of: Period) -> anyhow::Result<TrainOutcome> {
    let (workspace, id) = (run.workspace.clone(), run.id);
    let seed = run.parameters.integer("seed").and_then(|seed| u64::try_from(seed).ok());
    let seed = seed.unwrap_or(workspace.config.model.seed);
    let (reads, keeps) = (workspace.clone(), workspace.clone());
    let inputs = move || {
        let inputs = Inputs::of("train").add_tables(&reads, as_of)?;
        Ok(inputs
            .add(&(as_of, seed, reads.config.model.validation_share, &reads.config.model.name))?
            .add(&reads.config.dataset.label)?
            .finish())
    };
    let still = async move |kept: TrainOutcome| still_registered(&keeps, kept).await;
    run.cached("train", inputs, still, move |_| train(workspace.clone(), as_of, seed, id)).await
}

/// A kept result as it is today; none where its version is gone.
async fn still_registered(workspace: &Workspace, kept: TrainOutcome) -> anyhow::Result<Option<TrainOutcome>> {
    if version_of(workspace, Some(kept.version)).await.is_err() {
        return Ok(None);
    }
    let production = workspace.registry.production(&kept.name).await?;
    let production = production.is_some_and(|production| production.version == kept.version);
    Ok(Some(TrainOutcome { production, ..kept }))
}

/// Trains on the snapshot of exactly `as_of` and registers the result.
async fn train(workspace: Workspace, as_of: Period, seed: u64, run: i64) -> anyhow::Result<TrainOutcome> {
    let Workspace { config, registry, .. } = &workspace;
    let (name, task) = (config.model.name.clone(), task_of(&config.dataset.label));
    registry.check_task(&name, task).await?;
    let settings =
        TrainSettings { seed, validation_share: config.model.validation_share, ..TrainSettings::default() };
    let trained = fit(&workspace, as_of, settings).await?;
    let metrics = trained.metrics.clone();
    let version = registry.register(&name, NewModel { as_of, seed, trained, run: Some(run) }).await?;
    mlflow::trained(config, &workspace.store, &name, version).await;
    let production =
        registry.production(&name).await?.is_some_and(|production| production.version == version);
    Ok(TrainOutcome { name, version, as_of, production, task, metrics })
}

async fn fit(workspace: &Workspace, as_of: Period, settings: TrainSettings) -> anyhow::Result<Trained> {
    let (snapshots, spec) = (workspace.snapshots.clone(), workspace.config.dataset.clone());
    blocking(move || {
        let table = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?;
        let table = TrainingTable::new(table, &spec.entity, &spec.label)?;
        Ok(streamflow_model::train(&table.features, &table.labels, &table.entities, &settings)?)
    })
    .await
}

impl TrainOutcome {
    fn ended(self) -> anyhow::Result<Ended> {
        let Self { name, version, as_of, .. } = &self;
        let message = format!("{name} version {version} was trained on {as_of}");
        let (text, value) = (self.text(), serde_json::to_value(&self)?);
        Ok(Ended { name: "Completed".to_owned(), message, value, text })
    }

    fn text(&self) -> String {
        let TrainOutcome { name, version, as_of, metrics, .. } = self;
        let stage = if self.production {
            "It is in production.".to_owned()
        } else {
            format!("Promote it with `streamflow models promote {version}`.")
        };
        let (train, held_out) = metrics.rows();
        let lines = match metrics {
            Metrics::Binary(metrics) => format!(
                "  AUC                {:.4}\n  F1                 {:.4}   predicting 1 from a probability of {:.3}\n  \
                 accuracy           {:.4}\n  log loss           {:.4}\n  Brier score        {:.4}\n  \
                 calibration error  {:.4}\n  positive rate      {:.4}\n",
                metrics.auc,
                metrics.f1,
                metrics.threshold,
                metrics.accuracy,
                metrics.log_loss,
                metrics.brier_score,
                metrics.expected_calibration_error,
                metrics.positive_rate,
            ),
            Metrics::Other(metrics) => lines(self.task, metrics),
        };
        format!(
            "Trained {name} version {version} on {as_of}: {train} rows to learn from, {held_out} held out.\n\n{lines}\n{stage}"
        )
    }
}

/// The metrics with their intervals, the one that decides first.
fn lines(task: Task, metrics: &TaskMetrics) -> String {
    let all: &[Metric] = if task == Task::Multiclass { &Metric::MULTICLASS } else { &Metric::REGRESSION };
    let mut text = String::new();
    for metric in all {
        let Some(value) = metrics.values.get(metric) else { continue };
        let interval = metrics.intervals.get(metric).map_or_else(String::new, |interval| {
            format!(" 95 % {} to {}", significant(interval.low), significant(interval.high))
        });
        text.push_str(format!("  {:<18} {:<9}{interval}", metric.name(), significant(*value)).trim_end());
        text.push('\n');
    }
    text
}
