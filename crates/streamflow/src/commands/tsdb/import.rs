//! `streamflow tsdb import`: samples of OpenMetrics text into the store.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use streamflow_prometheus::now_ms;
use streamflow_prometheus::transfer::{ImportError, Imported, Importing, import};
use streamflow_tsdb::{Db, Downsampling, Options};

use super::super::Context;
use super::{METRICS, free};
use crate::terminal;

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// OpenMetrics text in which every sample has its time, as `streamflow tsdb export` and `promtool tsdb dump-openmetrics` write it; - is standard input
    file: PathBuf,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config().context("cannot tell where the data directory is")?;
    let keep_ms = i64::from(config.metrics.retention_days.get()) * DAY_MS;
    let (input, bytes) = open(&args.file)?;
    let dir = context.data_dir(&config).join(METRICS);
    let defaults = Options::default();
    let options = Options {
        // Samples of any age stand behind newer ones of their series.
        out_of_order_window_ms: i64::MAX,
        // As the server makes them: blocks leave as wholes when they are past their time.
        max_block_duration_ms: defaults.max_block_duration_ms.min(keep_ms / 10),
        ..defaults
    };
    let db = Db::open(&dir, options).map_err(free)?;
    let bar = context.terminal.progress(bytes, "importing samples");
    let now = now_ms();
    let how = Importing { now_ms: now, start_timestamps: config.metrics.start_timestamps };
    let imported = import(&db, input, how, |read| bar.set_position(read));
    bar.finish_and_clear();
    db.close()?;
    let imported = imported.map_err(|error| {
        let what = text(&args.file, &error.imported);
        let ImportError { imported, reason } = *error;
        anyhow::Error::new(reason).context(format!(
            "the import ended at line {} of {}, and everything before that line is dealt with: {what} Mend the \
             text and import it again: what is there already is counted as present",
            imported.lines,
            args.file.display()
        ))
    })?;
    let value = json!({
        "file": args.file,
        "store": dir,
        "lines": imported.lines,
        "samples": imported.samples,
        "present": imported.present,
        "refused": imported.refused,
        "exemplars": imported.exemplars,
        "starts_unmatched": imported.starts_unmatched,
    });
    context.terminal.result(&value, || text(&args.file, &imported))?;
    if imported.oldest_ms.is_some_and(|oldest| oldest < now.saturating_sub(keep_ms)) {
        let kept = if config.metrics.downsampling()? == Downsampling::default() {
            "unless that is raised"
        } else {
            "and keeps aggregates of them by metrics.downsampling"
        };
        terminal::stderr(&format!(
            "Some of the samples are older than metrics.retention_days = {}: a server deletes them {kept}.",
            config.metrics.retention_days
        ));
    }
    Ok(if imported.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The text, and its size where that is known.
fn open(file: &Path) -> anyhow::Result<(Box<dyn BufRead>, u64)> {
    if file == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), 0));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = opened.metadata().map_or(0, |metadata| metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 17, opened)), bytes))
}

fn text(file: &Path, imported: &Imported) -> String {
    let Imported { samples, present, exemplars, starts_unmatched, .. } = imported;
    let mut text =
        format!("{samples} samples of {} are in the store, {present} were there already.", file.display());
    for (reason, count) in &imported.refused {
        text.push_str(&format!(" {count} were refused: {reason}."));
    }
    if *exemplars > 0 {
        text.push_str(&format!(" {exemplars} exemplars were left out, which no store keeps."));
    }
    if *starts_unmatched > 0 {
        text.push_str(&format!(
            " {starts_unmatched} _created lines were left out: no sample of their metric and time stands near them."
        ));
    }
    text
}
