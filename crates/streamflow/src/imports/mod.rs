//! A model that was trained elsewhere becomes a version of the registry, after it was checked on the newest month: a file
//! that a command names, or the model of an MLflow server.

pub mod listed;
pub mod mlflow;
pub mod remote;

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Value, json};
use streamflow_dataset::{Period, PointInTime};
use streamflow_model::{
    Answers, ClassRows, Import, ImportSettings, ImportedFeature, JudgedAtImport, Labels, Predictions, Task,
    TaskMetrics, TrainedEntities, largest, metrics,
};
use streamflow_performance::{MeasuredClasses, MeasuredValues, significant};

use crate::drift::TrainingTable;
use crate::flows::evaluate_month;
use crate::model_file::ModelFile;
use crate::performance::{Evaluation, Judged, section, validated};
use crate::registry::NewImport;
use crate::terminal::{counted_with, table};
use crate::workspace::Workspace;

/// Bins of the distribution of scores.
const BINS: usize = 10;

/// Quantiles of the scores that are shown.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// A file that is to be registered, and what is said of it.
pub struct Request {
    pub file: ModelFile,
    /// Where it comes from, as `models ls` shows it: the name of the file, or what names it elsewhere.
    pub origin: String,
    /// The name in the registry; none: that of the configuration.
    pub name: Option<String>,
    pub mapping: Vec<ImportedFeature>,
    /// The last date of the data that it was trained on.
    pub trained_until: Option<Period>,
    /// The entities that it was trained on, as texts of the dataset's key.
    pub trained_on: Option<Vec<String>>,
    pub threshold: f64,
}

/// What was registered, and how it does on the newest month.
#[derive(Serialize)]
pub struct Imported {
    pub name: String,
    pub version: i64,
    pub production: bool,
    format: String,
    objective: String,
    trees: Option<usize>,
    features: Vec<ImportedFeature>,
    scores: Scores,
    /// Of the entities that it was trained on; none where nobody has listed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<Listed>,
    /// None where the name is not the one that is served and judged.
    evaluation: Option<Evaluation>,
}

/// The listed entities of the training and the newest month.
#[derive(Serialize)]
struct Listed {
    as_of: Period,
    entities: usize,
    /// Those of which the month has no row.
    unknown: usize,
}

/// What the model says of the newest month.
#[derive(Serialize)]
struct Scores {
    as_of: Period,
    rows: usize,
    /// Of two classes: the share of rows that are predicted positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    positive_share: Option<f64>,
    /// Of several classes: the share of rows that are predicted to be of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    class_shares: Option<Vec<(String, f64)>>,
    mean: f64,
    quantiles: Vec<(f64, f64)>,
    /// Rows in ten bins of equal width, and where the first begins and the last ends.
    histogram: Vec<usize>,
    range: (f64, f64),
    /// Columns with rows of levels that training did not have, and how many.
    unseen: Vec<(String, u64)>,
}

/// Checks a model on the newest month and registers it.
///
/// # Errors
/// A file that is no model, or not one of the dataset; no month to check it on.
pub async fn import(request: Request, workspace: &Workspace) -> anyhow::Result<Imported> {
    let Workspace { config, registry, .. } = workspace;
    let Request { file, origin, mapping, trained_until, trained_on, threshold, .. } = request;
    let name = request.name.unwrap_or_else(|| config.model.name.clone());
    let month = newest(workspace).await?;
    let (as_of, table) = (month.as_of, month.table);
    let settings = ImportSettings {
        file: origin,
        task: table.labels.task(),
        classes: match &table.labels {
            Labels::Multiclass { classes, .. } => classes.clone(),
            Labels::Binary(_) | Labels::Regression(_) => Vec::new(),
        },
        mapping,
        threshold,
        trained_until: trained_until.map(|date| date.to_string()),
        trained_on: trained_on.as_ref().map(|ids| TrainedEntities::new(ids.iter().map(String::as_str))),
    };
    let listed = settings.trained_on.as_ref().map(|listed| Listed::new(listed, &table.entities, as_of));
    registry.check_task(&name, table.labels.task()).await?;
    let shown = file.path.display().to_string();
    let import = Import::new(file.bytes, table.features.names(), settings);
    let mut import = import.with_context(|| format!("cannot import {shown}"))?;
    let predictions = import.model.predict(&table.features);
    let predictions = predictions.with_context(|| format!("{shown} cannot score the month {as_of}"))?;
    // A model that cannot be explained is imported all the same; it says why when it is asked.
    let rows: Vec<usize> = (0..table.features.rows()).collect();
    import.record.mean_abs_contributions = import.model.mean_contributions(&table.features, &rows).ok();
    let scores = Scores::new(&import, &predictions, as_of)?;
    let is_new = import.record.trained_on.is_some() || trained_until.is_some_and(|until| until < as_of);
    let metrics = if is_new { judge(&mut import, &predictions, &table, as_of)? } else { None };
    let metrics = metrics.unwrap_or_else(|| match import.model.task() {
        Task::Binary => json!({ "threshold": threshold }),
        Task::Multiclass | Task::Regression => json!({}),
    });
    let record = import.record.clone();
    let new = NewImport { as_of: trained_until.unwrap_or(as_of), import, metrics };
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
    Ok(Imported { name, version, production, format, objective, trees, features, scores, listed, evaluation })
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
        let table = TrainingTable::new(frame, &spec.entity, &spec.label)?;
        Ok(Month { as_of, table })
    })
    .await?
}

/// Judges a model on the rows that it was not trained on: keeps what it came to with the model, and gives the metrics
/// that training records; none where no such row has a label.
fn judge(
    import: &mut Import,
    predictions: &Predictions,
    table: &TrainingTable,
    as_of: Period,
) -> anyhow::Result<Option<Value>> {
    let listed = import.record.trained_on.as_ref();
    let is_new = |row: &usize| listed.is_none_or(|listed| !listed.contains(&table.entities[*row]));
    let rows: Vec<usize> = (0..table.entities.len()).filter(is_new).collect();
    let (labels, answers) = (table.labels.select(&rows), predictions.answers.select(&rows));
    let metrics = measured(import, &answers, &labels)?;
    let judged = Judged::new(labels, answers, import.model.classes(), import.record.threshold)?;
    let validated = if judged.labelled() > 0 { validated(&judged, 0)? } else { None };
    import.record.judged = validated.map(|found| JudgedAtImport {
        as_of: as_of.to_string(),
        rows: judged.labelled(),
        metric: judged.task().metric().name().to_owned(),
        value: found.value,
        interval: (found.interval.low, found.interval.high),
    });
    Ok(metrics)
}

/// The metrics that training records; none without a label.
fn measured(import: &Import, answers: &Answers, labels: &Labels) -> anyhow::Result<Option<Value>> {
    let measured = match (labels, answers) {
        (Labels::Binary(labels), Answers::Probability(scores)) => {
            return Ok(measured_binary(labels, scores, import.record.threshold));
        }
        (Labels::Multiclass { codes, classes }, Answers::Probabilities(rows)) => {
            let found = ClassRows::new(import.model.classes(), rows, codes, classes);
            let measured = MeasuredClasses::measure(&found.actual, &found.probabilities, 0)?;
            (measured.metrics, measured.rows)
        }
        (Labels::Regression(truths), Answers::Value(values)) => {
            let measured = MeasuredValues::measure(truths, values)?;
            (measured.metrics, measured.rows)
        }
        _ => return Ok(None),
    };
    let (metrics, rows) = measured;
    Ok((rows > 0).then(|| serde_json::to_value(TaskMetrics::new(&metrics, 0, rows))).transpose()?)
}

fn measured_binary(labels: &[Option<bool>], scores: &[f64], threshold: f64) -> Option<Value> {
    let labelled = labels.iter().zip(scores);
    let (labels, scores): (Vec<bool>, Vec<f64>) =
        labelled.filter_map(|(label, score)| Some(((*label)?, *score))).unzip();
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
        let (mut positive_share, mut class_shares) = (None, None);
        let mut sorted = match &predictions.answers {
            Answers::Probability(all) => {
                check_probabilities(all.iter().copied(), as_of)?;
                let positive = all.iter().filter(|score| **score >= import.record.threshold).count();
                positive_share = Some(positive as f64 / all.len().max(1) as f64);
                all.clone()
            }
            Answers::Probabilities(all) => {
                check_probabilities(all.iter().flatten().copied(), as_of)?;
                class_shares = Some(shares(import.model.classes(), all));
                all.iter().map(|row| row[largest(row)]).collect()
            }
            Answers::Value(all) => {
                if let Some(value) = all.iter().find(|value| !value.is_finite()) {
                    bail!("the model gives {value} for a row of {as_of}; expected finite numbers");
                }
                all.clone()
            }
        };
        sorted.sort_by(f64::total_cmp);
        let rows = sorted.len();
        let range = match (&predictions.answers, sorted.first(), sorted.last()) {
            (Answers::Value(_), Some(&low), Some(&high)) if low < high => (low, high),
            (Answers::Value(_), Some(&low), _) => (low, low + 1.0),
            _ => (0.0, 1.0),
        };
        let width = (range.1 - range.0) / BINS as f64;
        let mut histogram = vec![0; BINS];
        sorted.iter().for_each(|score| histogram[(((score - range.0) / width) as usize).min(BINS - 1)] += 1);
        let at = |quantile: f64| sorted.get(((rows.max(1) - 1) as f64 * quantile).round() as usize).copied();
        let columns = import.record.features.iter().map(|feature| feature.column.clone());
        let unseen = columns.zip(predictions.unseen.iter().copied()).filter(|(_, rows)| *rows > 0);
        Ok(Scores {
            as_of,
            rows,
            positive_share,
            class_shares,
            mean: sorted.iter().sum::<f64>() / rows.max(1) as f64,
            quantiles: QUANTILES.iter().filter_map(|&quantile| Some((quantile, at(quantile)?))).collect(),
            histogram,
            range,
            unseen: unseen.collect(),
        })
    }

    fn text(&self) -> String {
        let most = self.histogram.iter().copied().max().unwrap_or(0).max(1);
        let mut chart = table([if self.range == (0.0, 1.0) { "SCORE" } else { "VALUE" }, "ROWS", ""]);
        for (bin, rows) in self.histogram.iter().enumerate() {
            let (low, width) = (self.range.0, (self.range.1 - self.range.0) / BINS as f64);
            let (from, to) = (low + bin as f64 * width, low + (bin + 1) as f64 * width);
            let range = match self.range {
                (0.0, 1.0) => format!("{from:.1} to {to:.1}"),
                _ => format!("{} to {}", significant(from), significant(to)),
            };
            chart.add_row([range, rows.to_string(), "█".repeat(rows * 30 / most)]);
        }
        let quantiles: Vec<String> =
            self.quantiles.iter().map(|(at, score)| format!("{score:.3} ({:.0} %)", at * 100.0)).collect();
        let (what, predicted) = match (self.positive_share, &self.class_shares) {
            (Some(share), _) => ("Scores", format!(", {:.1} % predicted positive", share * 100.0)),
            (_, Some(shares)) => {
                let of = |(class, share): &(String, f64)| format!("{:.1} % {class}", share * 100.0);
                (
                    "Probabilities of the predicted class",
                    format!(", predicted {}", shares.iter().map(of).collect::<Vec<_>>().join(", ")),
                )
            }
            (None, None) => ("Predictions", String::new()),
        };
        let mut text = format!(
            "{what} of {} rows of {}: mean {:.3}{predicted}; quantiles {}\n{chart}",
            self.rows,
            self.as_of,
            self.mean,
            quantiles.join(", ")
        );
        for (column, rows) in &self.unseen {
            text.push_str(&format!(
                "\nWarning: {} a level of {column} that the model was not trained with, which is scored as missing",
                counted_with(*rows, "row", ["has", "have"])
            ));
        }
        text
    }
}

fn check_probabilities(mut scores: impl Iterator<Item = f64>, as_of: Period) -> anyhow::Result<()> {
    match scores.find(|score| !(0.0..=1.0).contains(score)) {
        None => Ok(()),
        Some(score) => bail!(
            "the model gives {score} for a row of {as_of}, which is no probability; expected numbers from 0 to 1 (a classifier without its last step gives raw scores)"
        ),
    }
}

/// The share of rows that are predicted to be of each class.
fn shares(classes: &[String], rows: &[Vec<f64>]) -> Vec<(String, f64)> {
    let share = |(class, name): (usize, &String)| {
        let predicted = rows.iter().filter(|row| largest(row) == class).count();
        (name.clone(), predicted as f64 / rows.len().max(1) as f64)
    };
    classes.iter().enumerate().map(share).collect()
}

impl Listed {
    fn new(listed: &TrainedEntities, of_month: &[String], as_of: Period) -> Listed {
        let known: HashSet<&String> = of_month.iter().filter(|entity| listed.contains(entity)).collect();
        Listed { as_of, entities: listed.entities, unknown: listed.entities.saturating_sub(known.len()) }
    }

    fn text(&self) -> String {
        let Listed { as_of, entities, unknown } = self;
        format!(
            "It is said to have been trained on {entities} entities, of which {} have rows in {as_of} and {unknown} have none.",
            entities - unknown
        )
    }
}

impl Imported {
    /// What a command says of it.
    pub fn text(&self) -> String {
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
        if let Some(listed) = &self.listed {
            text.push_str(&format!("\n{}\n", listed.text()));
        }
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
