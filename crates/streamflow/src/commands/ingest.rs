//! `streamflow ingest`: one monthly drop, validated and committed whole or not at all.

use std::path::PathBuf;
use std::process::ExitCode;

use streamflow_dataset::{IngestReport, Outcome, Period};

use super::{Context, date};
use crate::flows::ingest_month;
use crate::terminal;
use crate::workspace::snapshots;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The date that the drop describes: nothing in it was known later
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    as_of: Period,
    /// Folder with one file a table: TABLE.csv, TABLE.csv.gz, TABLE.csv.zst or TABLE.parquet
    dir: PathBuf,
    /// Replace a month that was ingested with other content, or whose ledger entry is damaged
    #[arg(long)]
    replace: bool,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let as_of = args.as_of;
    let config = context.config()?;
    let snapshots = snapshots(&context.data_dir(&config), config.dataset)?;
    let report = ingest_month::run(&snapshots, &args.dir, as_of, args.replace, context.terminal)?;
    let value = serde_json::json!({
        "outcome": format!("{:?}", report.outcome).to_lowercase(),
        "as_of": as_of,
        "revision": report.snapshot.revision,
        "tables": report.snapshot.tables,
        "ignored_files": report.ignored_files,
        "validation": report.validation.as_ref().map(|validation| validation.to_json()),
    });
    context.terminal.result(&value, || text(&report))?;
    Ok(ExitCode::SUCCESS)
}

/// One line about an ingest.
pub fn summary(report: &IngestReport) -> String {
    let snapshot = &report.snapshot;
    let what = match report.outcome {
        Outcome::Created => "ingested",
        Outcome::Replaced => "replaced",
        Outcome::Mended => "damaged files were written again: ingested",
        Outcome::Unchanged => "unchanged, it was ingested before:",
    };
    format!("{what} {} tables, {} rows", snapshot.tables.len(), snapshot.rows())
}

fn text(report: &IngestReport) -> String {
    let mut table = terminal::table(["TABLE", "ROWS", "SOURCE", "SHA-256"]);
    for (name, of) in &report.snapshot.tables {
        table.add_row([name.as_str(), &of.rows.to_string(), &of.source, &of.source_sha256[..12]]);
    }
    let mut text = format!("{} {}\n\n{table}", report.snapshot.as_of, summary(report));
    if let Some(validation) = &report.validation {
        text.push_str(&format!("\n\n{validation}"));
    }
    if !report.ignored_files.is_empty() {
        text.push_str(&format!(
            "\n\nLeft alone, they belong to no table: {}",
            report.ignored_files.join(", ")
        ));
    }
    text
}
