//! Training: fit on one month, evaluate on entities never trained on, register.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use streamflow_dataset::{Period, Snapshots};
use streamflow_model::{Metrics, Progress, Table, Task, TaskMetrics, Trained, Validation};
use streamflow_performance::{Metric, significant};

use super::cache::Inputs;
use super::evaluate_month::version_of;
use super::parameters::{Kind, optional, required};

use super::{Ended, Flow, FlowRun, StepContext, blocking};
use crate::drift::{TrainingTable, task_of};
use crate::mlflow;
use crate::performance;
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
    /// How it was trained, as names and values.
    #[serde(default)]
    pub training: Vec<(String, String)>,
}

/// The steps, for this flow and for those that contain it.
pub async fn steps(run: &mut FlowRun, as_of: Period) -> anyhow::Result<TrainOutcome> {
    let (workspace, id) = (run.workspace.clone(), run.id);
    let seed = run.parameters.integer("seed").and_then(|seed| u64::try_from(seed).ok());
    let seed = seed.unwrap_or(workspace.config.model.seed);
    let (reads, keeps) = (workspace.clone(), workspace.clone());
    let inputs = move || {
        let inputs = Inputs::of("train").add_tables(&reads, as_of)?;
        Ok(inputs.add(&(as_of, seed, &reads.config.model))?.add(&reads.config.dataset.label)?.finish())
    };
    let still = async move |kept: TrainOutcome| still_registered(&keeps, kept).await;
    run.cached("train", inputs, still, move |step| train(workspace.clone(), as_of, (seed, id), step)).await
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

/// Trains on the snapshot of exactly `as_of`, or validates on it what was trained on those before, and registers the result.
async fn train(
    workspace: Workspace,
    as_of: Period,
    (seed, run): (u64, i64),
    step: StepContext,
) -> anyhow::Result<TrainOutcome> {
    let Workspace { config, registry, .. } = &workspace;
    let (name, task) = (config.model.name.clone(), task_of(&config.dataset.label));
    registry.check_task(&name, task).await?;
    let trained = fit(&workspace, as_of, seed, step.clone()).await?;
    let metrics = trained.metrics.clone();
    let training: Vec<(String, String)> =
        trained.record.describe().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in &training {
        step.log("info", &format!("{name}: {value}")).await;
    }
    let version = registry.register(&name, NewModel { as_of, seed, trained, run: Some(run) }).await?;
    mlflow::registered(config, &workspace.store, &name, version).await;
    let production =
        registry.production(&name).await?.is_some_and(|production| production.version == version);
    Ok(TrainOutcome { name, version, as_of, production, task, metrics, training })
}

async fn fit(workspace: &Workspace, as_of: Period, seed: u64, step: StepContext) -> anyhow::Result<Trained> {
    let (snapshots, model) = (workspace.snapshots.clone(), workspace.config.model.clone());
    blocking(move || {
        let (settings, budget) = model.training(seed)?;
        let months = match settings.validation {
            Validation::Entity => vec![as_of],
            Validation::Time => until(&snapshots, as_of)?,
        };
        let tables = months
            .iter()
            .map(|month| performance::month(&snapshots, *month))
            .collect::<Result<Vec<_>, _>>()?;
        let newest = tables.last().map_or(0, |table| table.entities.len());
        let table = TrainingTable::concat(tables)?;
        let learned_from = table.entities.len() - newest;
        let held_out: Vec<bool> = (0..table.entities.len()).map(|row| row >= learned_from).collect();
        let entities: Vec<&str> = table.entities.iter().map(String::as_str).collect();
        let is_by_time = settings.validation == Validation::Time;
        let rows = Table {
            features: &table.features,
            labels: &table.labels,
            entities: &entities,
            held_out: is_by_time.then_some(held_out.as_slice()),
        };
        let mut trained = streamflow_model::train_table(&rows, &settings, &mut watch(budget, &step))?;
        let months = if is_by_time { &months[..months.len() - 1] } else { &months[..] };
        trained.record.months = months.iter().map(Period::to_string).collect();
        Ok(trained)
    })
    .await
}

/// The months up to one, which judges what the others teach.
fn until(snapshots: &Snapshots, as_of: Period) -> anyhow::Result<Vec<Period>> {
    let months = snapshots.snapshots()?.into_iter().map(|snapshot| snapshot.as_of);
    let months: Vec<Period> = months.filter(|month| *month <= as_of).collect();
    if months.last() == Some(&as_of) && months.len() < 2 {
        bail!(
            "model.validation is \"time\", and no month before {as_of} was ingested to learn from; ingest an earlier one, or train on a later one"
        );
    }
    if months.last() != Some(&as_of) {
        // Reading it says so, and which months there are.
        return Ok(vec![as_of]);
    }
    Ok(months)
}

/// Shows how far a search is, and ends it when its time is up or the run is cancelled.
fn watch(budget: Option<Duration>, step: &StepContext) -> impl FnMut(&Progress) -> ControlFlow<()> {
    let (started, bar, stop) = (Instant::now(), step.bar.clone(), step.stop.clone());
    move |progress| {
        let Progress { trials, of, best_loss, best } = progress;
        match (of, budget) {
            (Some(of), _) => {
                bar.set_length(*of as u64);
                bar.set_position(*trials as u64);
            }
            (None, budget) => {
                bar.set_length(budget.unwrap_or_default().as_secs());
                bar.set_position(started.elapsed().as_secs());
            }
        }
        bar.set_message(format!(
            "searching: {trials} tried, loss {best_loss:.5} at depth {}",
            best.max_depth
        ));
        let is_over = stop.is_set() || budget.is_some_and(|budget| started.elapsed() >= budget);
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
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
        let how: String =
            self.training.iter().map(|(name, value)| format!("  {name:<18} {value}\n")).collect();
        format!(
            "Trained {name} version {version} on {as_of}: {train} rows to learn from, {held_out} held out.\n\n{lines}\n{how}\n{stage}"
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
