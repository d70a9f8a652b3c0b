//! `streamflow forget`: one entity leaves everything that is stored, with a receipt.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{Context, Usage, actor, block_on};
use crate::keep::forget::{Found, Receipt, Wish, find, forget};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who or what is to be forgotten: a value of the entity's column, such as a user's id; where the entity has several
    /// columns, COLUMN=VALUE for each of them
    #[arg(required = true, value_name = "ENTITY")]
    entity: Vec<String>,
    /// Why, for the receipt; without the entity's name
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Say where the entity is named; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Folder of the drift reports [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.entity.iter().any(|word| word.trim().is_empty()) {
        return Err(Usage::error(
            "an empty text names nobody; name a value of the entity's column, such as a user's id",
        ));
    }
    let config = context.config()?;
    let actor = actor();
    block_on(async {
        let workspace = context.workspace(config, args.report_dir.as_deref()).await?;
        let entity = workspace.snapshots.entity_of_words(&args.entity)?;
        if args.dry_run {
            let found = find(&workspace, &entity).await?;
            let value = json!({ "dry_run": true, "found": found });
            return context.terminal.result(&value, || match found.is_nothing() {
                true => "Nothing names this entity.".to_owned(),
                false if !found.is_known => format!(
                    "No table of any snapshot has this entity, so that `forget` refuses it. Its word stands in:\n{}",
                    places(&found)
                ),
                false => format!("Nothing was changed. The entity is named in:\n{}", places(&found)),
            });
        }
        let wish = Wish { entity: &entity, reason: &args.reason, actor: &actor };
        let receipt = forget(&workspace, wish).await?;
        context.terminal.result(&receipt, || text(&receipt))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text(receipt: &Receipt) -> String {
    let found: Found = serde_json::from_value(receipt.found.clone()).unwrap_or_default();
    let mut text = format!(
        "Forgotten, at {} by {}{}.\n{}\n\
         Backups and drops of before still have it: make a new backup and delete the old ones.\n\
         receipt {}\n  entity  {}",
        receipt.done_at,
        receipt.by,
        if receipt.reason.is_empty() { String::new() } else { format!(": {}", receipt.reason) },
        places(&found),
        receipt.receipt_sha256,
        receipt.hash
    );
    if !found.models.is_empty() {
        text.push_str("\nThe models that name it stay as they are: train again, and prune the old versions.");
    }
    text
}

fn places(found: &Found) -> String {
    let mut lines = Vec::new();
    lines.extend(found.snapshots.iter().map(|(place, rows)| format!("  snapshot {place}: {rows}")));
    lines.extend(found.database.iter().map(|(place, texts)| format!("  database {place}: {texts}")));
    lines.extend(found.reports.iter().map(|name| format!("  report {name}")));
    if found.labels > 0 {
        lines.push(format!("  labels: {}", found.labels));
    }
    if found.pushed_features > 0 {
        lines.push(format!("  pushed features: {}", found.pushed_features));
    }
    if found.predictions > 0 {
        lines.push(format!("  log of predictions: {} rows", found.predictions));
    }
    if !found.other_log_keys.is_empty() {
        lines.push(format!(
            "  log of predictions: rows that other keys hashed (fingerprint {}) were not looked at; run this again with \
             STREAMFLOW_LOG_KEY set to each of these keys",
            found.other_log_keys.join(" and ")
        ));
    }
    if found.access_log > 0 {
        lines.push(format!("  access log: {} lines", found.access_log));
    }
    lines.extend(found.models.iter().map(|name| format!("  model {name}: left as it is")));
    lines.join("\n")
}
