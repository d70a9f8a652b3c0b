//! Training: fit on one month, evaluate on entities never trained on, register.

use serde::Serialize;
use streamflow_dataset::{Period, PointInTime};
use streamflow_model::{Metrics, TrainSettings};

use crate::drift::TrainingTable;
use crate::workspace::Workspace;

/// A registered version, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct TrainOutcome {
    pub name: String,
    pub version: i64,
    pub as_of: Period,
    pub production: bool,
    pub metrics: Metrics,
}

/// Trains on the snapshot of exactly `as_of` and registers the result.
pub async fn run(workspace: &Workspace, as_of: Period, seed: u64) -> anyhow::Result<TrainOutcome> {
    let Workspace { config, registry, .. } = workspace;
    let (snapshots, spec) = (workspace.snapshots.clone(), config.dataset.clone());
    let settings =
        TrainSettings { seed, validation_share: config.model.validation_share, ..TrainSettings::default() };
    let trained = tokio::task::spawn_blocking(move || {
        let table = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?;
        let table = TrainingTable::new(table, spec.entity.column(), &spec.label.column)?;
        anyhow::Ok(streamflow_model::train(&table.features, &table.labels, &table.entities, &settings)?)
    })
    .await??;
    let (name, metrics) = (config.model.name.clone(), trained.metrics.clone());
    let version = registry.register(&name, as_of, seed, trained).await?;
    let production =
        registry.production(&name).await?.is_some_and(|production| production.version == version);
    Ok(TrainOutcome { name, version, as_of, production, metrics })
}
