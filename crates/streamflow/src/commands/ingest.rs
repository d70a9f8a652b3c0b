//! `streamflow ingest`: one monthly drop, validated and committed whole or not at all.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use streamflow_dataset::{Error, IngestReport, Outcome, Period, Snapshots};

use super::{date, snapshots};
use crate::Context;
use crate::terminal::{self, Format, Terminal};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The date the drop describes
    #[arg(long, value_name = "YYYY-MM-DD")]
    as_of: String,
    /// Folder with one CSV or Parquet file a table
    dir: PathBuf,
    /// Replace a month that was ingested with other content
    #[arg(long)]
    replace: bool,
}

/// How long another writer is waited for before giving up.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let as_of = date("--as-of", &args.as_of)?;
    let config = context.config()?;
    let store = snapshots(&config, &config.data_dir(context.data_dir.as_deref()))?;
    let report = ingest(&store, &args.dir, as_of, args.replace, context.terminal)?;
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

/// Ingests with a progress bar, waiting for another writer to finish.
pub fn ingest(
    store: &Snapshots,
    dir: &Path,
    as_of: Period,
    replace: bool,
    terminal: Terminal,
) -> anyhow::Result<IngestReport> {
    let bar = terminal.progress(0, "ingesting");
    let begun = Instant::now();
    let mut told = false;
    let outcome = loop {
        let outcome = store.ingest(dir, as_of, replace, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(format!("ingesting {}", progress.table));
        });
        match outcome {
            Err(Error::Locked { path }) if begun.elapsed() < LOCK_PATIENCE => {
                if !told {
                    terminal::stderr(&format!(
                        "waiting for another writer to release {} ...",
                        path.display()
                    ));
                    told = true;
                }
                std::thread::park_timeout(Duration::from_millis(200));
            }
            other => break other,
        }
    };
    bar.finish_and_clear();
    if let (Err(Error::ExpectationsFailed(validation)), Format::Json) = (&outcome, terminal.format) {
        terminal.stdout(&serde_json::to_string_pretty(&validation.to_json())?)?;
    }
    Ok(outcome?)
}

/// One line about an ingest.
pub fn summary(report: &IngestReport) -> String {
    let snapshot = &report.snapshot;
    let what = match report.outcome {
        Outcome::Created => "ingested",
        Outcome::Replaced => "replaced",
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
