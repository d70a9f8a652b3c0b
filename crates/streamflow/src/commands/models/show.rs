//! `streamflow models show`: how a version was trained, what it scored, and what was tried.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::json;
use streamflow_model::{Candidate, Stored, TrainingRecord};
use streamflow_performance::significant;

use super::{Context, metrics, trained_on};
use crate::registry::Registry;
use crate::store::models::ModelVersion;
use crate::terminal::table;

/// Settings that are listed for people; `--format json` has all.
const TRIALS_SHOWN: usize = 10;

pub async fn run(
    number: Option<i64>,
    registry: &Registry,
    name: &str,
    context: &Context,
) -> anyhow::Result<()> {
    let versions = registry.versions().await?;
    let mut own = versions.into_iter().filter(|version| version.name == *name);
    let found = match number {
        Some(number) => own
            .find(|version| version.version == number)
            .with_context(|| format!("model {name} has no version {number}; see `streamflow models ls`"))?,
        None => own.find(|version| version.production).with_context(|| {
            format!("no version of {name} is in production; name one that `streamflow models ls` lists")
        })?,
    };
    let stored = registry.stored(name, found.version).await?;
    let (record, import) = match &stored {
        Stored::Trained(trained) => (Some(&trained.record), None),
        Stored::Imported(import) => (None, Some(&import.record)),
    };
    let value = json!({ "version": found, "training": record, "import": import });
    context.terminal.result(&value, || text(&found, record))
}

fn text(version: &ModelVersion, record: Option<&TrainingRecord>) -> String {
    let stage = if version.production { "in production" } else { "not in production" };
    let mut text = format!("{} version {}, {}, {stage}\n\n", version.name, version.version, version.task);
    let mut line = |name: &str, value: &str| writeln!(text, "  {name:<18} {value}").unwrap_or_default();
    line("month", &trained_on(version));
    line("metrics", &metrics(version));
    line("seed", &version.seed.to_string());
    let Some(record) = record else {
        line("training", "elsewhere: nothing is known of it but its file");
        return text;
    };
    for (name, value) in record.describe() {
        line(name, &value);
    }
    let useful: Vec<String> = record
        .importance
        .iter()
        .take(5)
        .filter(|feature| feature.splits > 0)
        .map(|feature| format!("{} {:.0} %", feature.feature, 100.0 * feature.gain_share))
        .collect();
    line("features", &useful.join(", "));
    text.push_str(&format!("\n{}", trials(record)));
    text
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
