//! `streamflow train`: fit on one month, evaluate on entities never trained on, register.

use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use streamflow_dataset::{Period, PointInTime};
use streamflow_model::{Metrics, TrainSettings};

use super::{block_on, date, snapshots};
use crate::Context;
use crate::columns::TrainingTable;
use crate::config::Config;
use crate::registry::Registry;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month to learn from: its features and its labels
    #[arg(long, value_name = "YYYY-MM-DD")]
    as_of: String,
    /// Seed of the fit and of the validation split [default: from the configuration, 42]
    #[arg(long)]
    seed: Option<u64>,
}

/// A registered version, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub name: String,
    pub version: i64,
    pub as_of: Period,
    pub production: bool,
    pub metrics: Metrics,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let as_of = date("--as-of", &args.as_of)?;
    let config = context.config()?;
    let data_dir = config.data_dir(context.data_dir.as_deref());
    let bar = context.terminal.progress(1, "training");
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let outcome = block_on(async {
        let snapshots = snapshots(&config, &data_dir)?;
        let registry = Registry::new(Store::open(&data_dir).await?, &data_dir);
        train(&config, snapshots, &registry, as_of, args.seed.unwrap_or(config.model.seed)).await
    })?;
    bar.finish_and_clear();
    context.terminal.result(&outcome, || text(&outcome))?;
    Ok(ExitCode::SUCCESS)
}

/// Trains on the snapshot of exactly `as_of` and registers the result.
pub async fn train(
    config: &Config,
    snapshots: Arc<streamflow_dataset::Snapshots>,
    registry: &Registry,
    as_of: Period,
    seed: u64,
) -> anyhow::Result<Outcome> {
    let spec = config.dataset.clone();
    let settings =
        TrainSettings { seed, validation_share: config.model.validation_share, ..TrainSettings::default() };
    let trained = tokio::task::spawn_blocking(move || {
        let table = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?;
        let table = TrainingTable::new(table, spec.entity.column(), &spec.label.column)?;
        anyhow::Ok(streamflow_model::train(&table.features, &table.labels, &table.entities, &settings)?)
    })
    .await??;
    let name = &config.model.name;
    let version = registry.register(name, as_of, seed, &trained).await?;
    let production = registry.production(name).await?.is_some_and(|production| production.version == version);
    Ok(Outcome { name: name.clone(), version, as_of, production, metrics: trained.metrics })
}

fn text(outcome: &Outcome) -> String {
    let Outcome { name, version, as_of, metrics, .. } = outcome;
    let stage = if outcome.production {
        "It is in production.".to_owned()
    } else {
        format!("Promote it with `streamflow models promote {version}`.")
    };
    format!(
        "Trained {name} version {version} on {as_of}: {} rows to learn from, {} held out.\n\n  \
         AUC                {:.4}\n  F1                 {:.4}   predicting 1 from a probability of {:.3}\n  \
         accuracy           {:.4}\n  log loss           {:.4}\n  Brier score        {:.4}\n  \
         calibration error  {:.4}\n  positive rate      {:.4}\n\n{stage}",
        metrics.n_train,
        metrics.n_validation,
        metrics.auc,
        metrics.f1,
        metrics.threshold,
        metrics.accuracy,
        metrics.log_loss,
        metrics.brier_score,
        metrics.expected_calibration_error,
        metrics.positive_rate,
    )
}
