//! `streamflow models import`: a classifier that was trained elsewhere becomes a version of the registry.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Value, json};
use streamflow_dataset::{Period, PointInTime};
use streamflow_model::{Import, ImportSettings, ImportedFeature, Predictions, metrics};

use super::super::{Context, date};
use crate::drift::TrainingTable;
use crate::flows::evaluate_month;
use crate::model_file::ModelFile;
use crate::notify::Outbox;
use crate::performance::{Evaluation, section};
use crate::registry::NewImport;
use crate::terminal::table;
use crate::workspace::Workspace;

/// Bins of the distribution of scores.
const BINS: usize = 10;

/// Quantiles of the scores that are shown.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file of XGBoost (.json, .ubj), LightGBM (.txt), CatBoost (JSON) or ONNX, or a folder with one, such as
    /// MLflow's
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    /// Name in the registry [default: the one of the configuration, which is served]
    #[arg(long)]
    name: Option<String>,
    /// A feature of the model and the column of the dataset that it is taken from, where they have different names
    #[arg(long, value_name = "FEATURE=COLUMN", value_parser = mapping)]
    map: Vec<ImportedFeature>,
    /// The last date of the data that it was trained on; without it, it may have been trained on every month
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    trained_until: Option<Period>,
    /// The probability from which a row is predicted positive
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.5)]
    threshold: f64,
}

/// Parses a feature and its column of the command line.
pub fn mapping(text: &str) -> Result<ImportedFeature, String> {
    let pair = text.rsplit_once('=').filter(|(feature, column)| !feature.is_empty() && !column.is_empty());
    let (feature, column) = pair.ok_or("expected FEATURE=COLUMN, such as fee=monthly_fee")?;
    Ok(ImportedFeature { feature: feature.to_owned(), column: column.to_owned() })
}

pub async fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let file = ModelFile::read(&args.file)?;
    let workspace = context.workspace(context.config()?, None).await?;
    let outbox = Outbox::new(&workspace.store, &workspace.config);
    outbox.begin().await;
    let imported = import(args, file, &workspace).await?;
    outbox.tell_within_budget().await;
    context.terminal.result(&imported, || imported.text())
}

/// What was registered, and how it does on the newest month.
#[derive(Serialize)]
struct Imported {
    name: String,
    version: i64,
    production: bool,
    format: String,
    objective: String,
    trees: Option<usize>,
    features: Vec<ImportedFeature>,
    scores: Scores,
    /// None where the name is not the one that is served and judged.
    evaluation: Option<Evaluation>,
}

/// The scores of the newest month.
#[derive(Serialize)]
struct Scores {
    as_of: Period,
    rows: usize,
    positive_share: f64,
    mean: f64,
    quantiles: Vec<(f64, f64)>,
    /// Rows by score in tenths.
    histogram: Vec<usize>,
    /// Columns with rows of levels that training did not have, and how many.
    unseen: Vec<(String, u64)>,
}

async fn import(args: &Args, file: ModelFile, workspace: &Workspace) -> anyhow::Result<Imported> {
    let Workspace { config, registry, .. } = workspace;
    let name = args.name.clone().unwrap_or_else(|| config.model.name.clone());
    let month = newest(workspace).await?;
    let (as_of, table) = (month.as_of, month.table);
    let settings = ImportSettings {
        file: file.name(),
        mapping: args.map.clone(),
        threshold: args.threshold,
        trained_until: args.trained_until.map(|date| date.to_string()),
    };
    let shown = file.path.display().to_string();
    let import = Import::new(file.bytes, table.features.names(), settings);
    let import = import.with_context(|| format!("cannot import {shown}"))?;
    let predictions = import.model.predict(&table.features);
    let predictions = predictions.with_context(|| format!("{shown} cannot score the month {as_of}"))?;
    let scores = Scores::new(&import, &predictions, as_of)?;
    let is_new = args.trained_until.is_some_and(|until| until < as_of);
    let metrics = if is_new { measured(&import, &predictions, &table) } else { None };
    let metrics = metrics.unwrap_or_else(|| json!({ "threshold": args.threshold }));
    let record = import.record.clone();
    let new = NewImport { as_of: args.trained_until.unwrap_or(as_of), import, metrics };
    let version = registry.register_import(&name, new).await?;
    let production = registry.production(&name).await?.is_some_and(|found| found.version == version);
    let evaluation = if name == config.model.name {
        let evaluated = evaluate_month::evaluate(workspace.clone(), as_of, Some(version), None).await?;
        evaluated.map(|evaluated| evaluated.evaluation)
    } else {
        None
    };
    let (format, objective, trees) = (record.format, record.objective, record.trees);
    let features = record.features;
    Ok(Imported { name, version, production, format, objective, trees, features, scores, evaluation })
}

/// The newest month with its labels.
struct Month {
    as_of: Period,
    table: TrainingTable,
}

async fn newest(workspace: &Workspace) -> anyhow::Result<Month> {
    let (snapshots, spec) = (workspace.snapshots.clone(), workspace.config.dataset.clone());
    tokio::task::spawn_blocking(move || {
        let Some(as_of) = snapshots.newest()? else {
            bail!("no month was ingested, so the model cannot be checked against the dataset; see `streamflow ingest`");
        };
        let frame = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true })?;
        let table = TrainingTable::new(frame, spec.entity.column(), &spec.label.column)?;
        Ok(Month { as_of, table })
    })
    .await?
}

/// The metrics that training records, on labelled rows that the model was not trained on.
fn measured(import: &Import, predictions: &Predictions, table: &TrainingTable) -> Option<Value> {
    let labelled = table.labels.iter().zip(&predictions.probabilities);
    let (labels, scores): (Vec<bool>, Vec<f64>) =
        labelled.filter_map(|(label, score)| Some(((*label)?, *score))).unzip();
    let threshold = import.record.threshold;
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    let bins = metrics::CALIBRATION_BINS;
    Some(json!({
        "auc": metrics::roc_auc_score(&labels, &scores)?,
        "f1": metrics::f1_score(&labels, &scores, threshold),
        "accuracy": metrics::accuracy_score(&labels, &scores, threshold)?,
        "log_loss": metrics::log_loss(&labels, &scores)?,
        "brier_score": metrics::brier_score_loss(&labels, &scores)?,
        "expected_calibration_error": metrics::expected_calibration_error(&labels, &scores, bins)?,
        "positive_rate": share,
        "threshold": threshold,
        "n_validation": labels.len(),
    }))
}

impl Scores {
    fn new(import: &Import, predictions: &Predictions, as_of: Period) -> anyhow::Result<Scores> {
        let mut sorted = predictions.probabilities.clone();
        if let Some(row) = sorted.iter().position(|score| !(0.0..=1.0).contains(score)) {
            let score = sorted[row];
            bail!(
                "the model gives {score} for a row of {as_of}, which is no probability; expected numbers from 0 to 1 (a classifier without its last step gives raw scores)"
            );
        }
        sorted.sort_by(f64::total_cmp);
        let rows = sorted.len();
        let mut histogram = vec![0; BINS];
        sorted.iter().for_each(|score| histogram[((score * BINS as f64) as usize).min(BINS - 1)] += 1);
        let at = |quantile: f64| sorted.get(((rows.max(1) - 1) as f64 * quantile).round() as usize).copied();
        let positive = sorted.iter().filter(|score| **score >= import.record.threshold).count();
        let columns = import.record.features.iter().map(|feature| feature.column.clone());
        let unseen = columns.zip(predictions.unseen.iter().copied()).filter(|(_, rows)| *rows > 0);
        Ok(Scores {
            as_of,
            rows,
            positive_share: positive as f64 / rows.max(1) as f64,
            mean: sorted.iter().sum::<f64>() / rows.max(1) as f64,
            quantiles: QUANTILES.iter().filter_map(|&quantile| Some((quantile, at(quantile)?))).collect(),
            histogram,
            unseen: unseen.collect(),
        })
    }

    fn text(&self) -> String {
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        let mut chart = table(["SCORE", "ROWS", ""]);
        for (bin, rows) in self.histogram.iter().enumerate() {
            let range = format!("{:.1} to {:.1}", bin as f64 / 10.0, (bin + 1) as f64 / 10.0);
            chart.add_row([range, rows.to_string(), "█".repeat(rows * 30 / most)]);
        }
        let quantiles: Vec<String> =
            self.quantiles.iter().map(|(at, score)| format!("{score:.3} ({:.0} %)", at * 100.0)).collect();
        let mut text = format!(
            "Scores of {} rows of {}: mean {:.3}, {:.1} % predicted positive; quantiles {}\n{chart}",
            self.rows,
            self.as_of,
            self.mean,
            self.positive_share * 100.0,
            quantiles.join(", ")
        );
        for (column, rows) in &self.unseen {
            text.push_str(&format!(
                "\nWarning: {rows} rows have a level of {column} that the model was not trained with; they are scored as missing"
            ));
        }
        text
    }
}

impl Imported {
    fn text(&self) -> String {
        let Imported { name, version, format, objective, features, .. } = self;
        let trees = self.trees.map_or_else(String::new, |trees| format!(", {trees} trees"));
        let mut text = format!(
            "Imported {name} version {version}: {format}, {objective}{trees}, {} features.\n",
            features.len()
        );
        for ImportedFeature { feature, column } in features.iter().filter(|pair| pair.feature != pair.column)
        {
            text.push_str(&format!("  {feature} is taken from the column {column}\n"));
        }
        text.push_str(&format!("\n{}\n", self.scores.text()));
        if let Some(evaluation) = &self.evaluation {
            text.push_str(&format!("\n{}\n", section::text(evaluation)));
        }
        text.push_str(&match self.production {
            true => "\nIt is in production.".to_owned(),
            false => format!("\nPromote it with `streamflow models promote {version}`."),
        });
        text
    }
}
