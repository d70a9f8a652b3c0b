//! `streamflow tsdb`: the stored metrics, as files.

mod export;
mod import;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;
use streamflow_tsdb::{Error, Report};

use super::{Context, check_parent};

/// Folder of the samples in the data directory.
const METRICS: &str = "metrics";

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Read every byte of the stored metrics and name what is damaged; changes nothing
    Verify {
        /// Store to read [default: metrics/ in the data directory]
        dir: Option<PathBuf>,
    },
    /// Copy the stored metrics to a new folder, which is a store again; the server must not be running
    Snapshot {
        /// Folder to create
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write stored samples as OpenMetrics text with times, which promtool makes blocks of; the server must not be running
    Export(export::Args),
    /// Take samples of OpenMetrics text with times into the store, however old; the server must not be running
    Import(import::Args),
}

impl Args {
    /// Whether the command changes what is stored.
    pub fn changes_something(&self) -> bool {
        matches!(self, Self::Import(_))
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    match args {
        Args::Verify { dir } => {
            let dir = dir.map_or_else(|| metrics_dir(context), Ok)?;
            check_store(&dir)?;
            let report = streamflow_tsdb::verify(&dir)?;
            let value = json!({
                "dir": dir,
                "blocks": report.blocks,
                "chunks": report.chunks,
                "samples": report.samples,
                "aggregate_blocks": report.aggregate_blocks,
                "windows": report.windows,
                "wal_records": report.wal_records,
                "wal_samples": report.wal_samples,
                "damage": report.damage.iter().map(|damage| json!({
                    "file": damage.file,
                    "what": damage.what,
                    "lost_ms": damage.lost_ms,
                })).collect::<Vec<_>>(),
            });
            context.terminal.result(&value, || text(&report))?;
            Ok(if report.damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Args::Snapshot { out } => {
            check_parent(&out)?;
            let dir = metrics_dir(context)?;
            check_store(&dir)?;
            streamflow_tsdb::snapshot(&dir, &out).map_err(free)?;
            let value = json!({ "from": dir, "snapshot": out });
            context.terminal.result(&value, || format!("{} is in {}.", dir.display(), out.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Args::Export(args) => export::run(&args, context),
        Args::Import(args) => import::run(&args, context),
    }
}

/// Says of a store that is in use what to do.
fn free(error: Error) -> anyhow::Error {
    match error {
        Error::Locked { .. } => anyhow::Error::new(error).context("stop the server that serves it first"),
        other => other.into(),
    }
}

/// Refuses a folder that is no store.
fn check_store(dir: &Path) -> anyhow::Result<()> {
    if !["blocks", "wal"].iter().any(|part| dir.join(part).is_dir()) {
        bail!(
            "{} holds no stored metrics: a store has the folders blocks/ and wal/, which `streamflow up` makes",
            dir.display()
        );
    }
    Ok(())
}

fn metrics_dir(context: &Context) -> anyhow::Result<PathBuf> {
    let config = context.config().context("cannot tell where the data directory is")?;
    Ok(context.data_dir(&config).join(METRICS))
}

fn text(report: &Report) -> String {
    let mut text = format!(
        "{} blocks with {} chunks and {} samples, a log and checkpoint of {} records with {} samples: ",
        report.blocks, report.chunks, report.samples, report.wal_records, report.wal_samples
    );
    if report.aggregate_blocks > 0 {
        let (blocks, windows) = (report.aggregate_blocks, report.windows);
        text = format!("{blocks} blocks with aggregates of {windows} windows, {text}");
    }
    match report.damage.len() {
        0 => text.push_str("all intact."),
        count => text.push_str(&format!("{count} damaged.")),
    }
    for damage in &report.damage {
        text.push_str(&format!("\n{}: {}", damage.file.display(), damage.what));
    }
    text
}
