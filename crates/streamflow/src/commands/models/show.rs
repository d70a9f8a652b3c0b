//! `streamflow models show`: how a version was trained, what was tried, and what its features contribute.

use std::fmt::Write as _;

use serde::Serialize;
use streamflow_model::{Candidate, ImportRecord, JudgedAtImport, Stored, TrainedEntities, TrainingRecord};
use streamflow_performance::significant;

use super::super::{Context, named_version};
use super::{metrics, trained_on};
use crate::registry::{FeatureImportance, Registry, VersionImportance};
use crate::store::models::ModelVersion;
use crate::terminal::table;

/// Settings that are listed for people; `--format json` has all.
const TRIALS_SHOWN: usize = 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The version [default: the one in production of the configuration's model]
    #[arg(value_name = "[NAME:]VERSION|NAME")]
    version: Option<String>,
}

/// A version, how it was trained or imported, and what its features contribute.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    version: ModelVersion,
    training: Option<&'a TrainingRecord>,
    import: Option<ImportRecord>,
    importance: VersionImportance,
}

pub async fn run(args: &Args, registry: &Registry, model: &str, context: &Context) -> anyhow::Result<()> {
    let (name, version) = asked(args.version.as_deref(), model)?;
    let number = registry.resolve(&name, version).await?;
    let stored = registry.stored(&name, number).await?;
    let versions = registry.versions().await?;
    let version = versions.into_iter().find(|found| found.name == name && found.version == number);
    let version = version.ok_or_else(|| anyhow::anyhow!("model {name} has no version {number}"))?;
    let (training, import) = match &stored {
        Stored::Trained(trained) => (Some(&trained.record), None),
        Stored::Imported(import) => {
            // The digests of entities are of use to the product alone.
            let trained_on = import.record.trained_on.as_ref().map(TrainedEntities::counted);
            (None, Some(ImportRecord { trained_on, ..import.record.clone() }))
        }
    };
    let shown = Shown { version, training, import, importance: VersionImportance::of(&stored) };
    context.terminal.result(&shown, || shown.text())
}

/// The name and the number that a text says; without a number it is that of production.
pub fn asked(text: Option<&str>, model: &str) -> anyhow::Result<(String, Option<i64>)> {
    match text {
        None => Ok((model.to_owned(), None)),
        Some(text) => match text.parse() {
            Ok(version) => Ok((model.to_owned(), Some(version))),
            Err(_) => named_version(text),
        },
    }
}

impl Shown<'_> {
    fn text(&self) -> String {
        let version = &self.version;
        let stage = if version.production { "in production" } else { "not in production" };
        let mut text = format!("{} version {}, {}, {stage}\n\n", version.name, version.version, version.task);
        let mut line = |name: &str, value: &str| writeln!(text, "  {name:<18} {value}").unwrap_or_default();
        line("created", &version.created_at);
        line("month", &trained_on(version));
        match metrics(version) {
            known if known.is_empty() => line(
                "metrics",
                "none: no labelled rows that are known to be new to it judged it at import (--trained-until, --trained-on)",
            ),
            known => line("metrics", &known),
        }
        match self.training {
            None => {
                line("training", "elsewhere: nothing is known of it but its file and what was said at import")
            }
            Some(record) => {
                line("seed", &version.seed.to_string());
                record.describe().into_iter().for_each(|(name, value)| line(name, &value));
            }
        }
        if let Some(import) = &self.import {
            said(import).into_iter().for_each(|(name, value)| line(name, &value));
        }
        if let Some(record) = self.training {
            text.push_str(&format!("\n{}\n", trials(record)));
        }
        text + "\n" + &contributions(&self.importance)
    }
}

/// What was said of an imported version, and what judged it.
fn said(import: &ImportRecord) -> Vec<(&'static str, String)> {
    let listed = import.trained_on.as_ref().map(|listed| format!("{} listed entities", listed.entities));
    let judged = import.judged.as_ref().map(|judged| {
        let JudgedAtImport { as_of, rows, metric, value, interval: (low, high) } = judged;
        let [value, low, high] = [*value, *low, *high].map(significant);
        format!(
            "{metric} {value} (95 % {low} to {high}) on {rows} labelled rows of {as_of} that are new to it"
        )
    });
    let lines = [("trained on", listed), ("judged at import", judged)];
    lines.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The settings that were tried, those with the least loss on all folds first.
fn trials(record: &TrainingRecord) -> String {
    let mut all: Vec<&Candidate> = record.selection.candidates.iter().collect();
    all.sort_by(|a, b| b.folds.is_none().cmp(&a.folds.is_none()).then(a.loss().total_cmp(&b.loss())));
    let mut table = table(["DEPTH", "TREES", "RATE", "L2", "LEAF WEIGHT", "LOSS", "FOLDS"]);
    for tried in all.iter().take(TRIALS_SHOWN) {
        let of = |value: fn(&streamflow_model::Searched) -> f64, default: f64| {
            tried.searched.as_ref().map_or(default, value).to_string()
        };
        let settings = &record.settings;
        table.add_row([
            tried.max_depth.to_string(),
            tried.rounds.to_string(),
            of(|searched| searched.learning_rate, settings.learning_rate),
            of(|searched| searched.l2, settings.l2),
            of(|searched| searched.min_leaf_weight, settings.min_leaf_weight),
            significant(tried.loss()),
            tried.folds.map_or_else(|| "all".to_owned(), |folds| folds.to_string()),
        ]);
    }
    let more = all.len().saturating_sub(TRIALS_SHOWN);
    let rest = if more > 0 { format!("\n{more} more are in --format json.") } else { String::new() };
    format!("{table}{rest}")
}

fn contributions(importance: &VersionImportance) -> String {
    let heading = match &importance.unexplained {
        None => format!(
            "Mean size of what each feature adds to an answer, on the scale of the {}:\n",
            importance.scale.replace('_', "-")
        ),
        Some(reason) => format!("What features add to an answer is not known: {reason}.\n"),
    };
    let is_trained = importance.features.iter().any(|found| found.splits.is_some());
    let mut shown = if is_trained {
        table(["FEATURE", "MEAN |CONTRIBUTION|", "SHARE OF GAIN", "SPLITS"])
    } else {
        table(["FEATURE", "MEAN |CONTRIBUTION|"])
    };
    for FeatureImportance { feature, mean_abs_contribution, gain_share, splits } in &importance.features {
        let mut row = vec![feature.clone(), mean_abs_contribution.map(significant).unwrap_or_default()];
        if is_trained {
            row.push(gain_share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default());
            row.push(splits.map(|splits| splits.to_string()).unwrap_or_default());
        }
        shown.add_row(row);
    }
    heading + &shown.to_string()
}
