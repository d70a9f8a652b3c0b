//! `streamflow tsdb export`: stored samples as OpenMetrics text.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use streamflow_prometheus::now_ms;
use streamflow_prometheus::transfer::{Exported, Selection, export};
use streamflow_promql::parse_selector;
use streamflow_tsdb::{Db, Matcher, Options};

use super::super::query::{When, when};
use super::super::{Context, Usage, check_outputs};
use super::{check_store, free, metrics_dir};
use crate::files::replace_with;
use crate::terminal::{self, Terminal};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Series to write, such as 'up' or '{job="api"}'; several are joined [default: all series]
    #[arg(long = "match", value_name = "SELECTOR", value_parser = selector)]
    matches: Vec<Set>,
    /// First time of the samples: Unix seconds, RFC 3339, or before now as in -1h30m [default: the oldest]
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    start: Option<When>,
    /// Last time of the samples, written as for --start [default: the newest]
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    end: Option<When>,
    /// File to write, whole or not at all; - is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The matchers of a selector.
#[derive(Debug, Clone)]
struct Set(Vec<Matcher>);

fn selector(text: &str) -> Result<Set, String> {
    parse_selector(text).map(Set).map_err(|error| error.to_string())
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let now = now_ms();
    let selection = Selection {
        sets: args.matches.iter().map(|set| set.0.clone()).collect(),
        min_ms: args.start.map_or(i64::MIN, |start| start.ms(now)),
        max_ms: args.end.map_or(i64::MAX, |end| end.ms(now)),
    };
    if selection.max_ms < selection.min_ms {
        return Err(Usage::error("--end is before --start; name a later --end"));
    }
    check_outputs(&[&args.out], &[])?;
    let dir = metrics_dir(context)?;
    check_store(&dir)?;
    let db = Db::open(&dir, Options::default()).map_err(free)?;
    let written = write(&db, &selection, &args.out, context.terminal);
    db.close()?;
    let Some(exported) = written? else { return Ok(ExitCode::SUCCESS) };
    tell(&exported, args, context.terminal)?;
    let damage = db.damage();
    for damage in &damage {
        terminal::stderr(&format!("damaged: {}: {}", damage.file.display(), damage.what));
    }
    if !damage.is_empty() {
        terminal::stderr("The store is damaged: only what is intact was written.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the text; `None` where the reader of standard output has gone away, which is not an error.
fn write(db: &Db, selection: &Selection, out: &Path, terminal: Terminal) -> anyhow::Result<Option<Exported>> {
    let bar = terminal.progress(0, "exporting metrics");
    let told = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let written = if out == Path::new("-") {
        match export(db, selection, BufWriter::new(io::stdout().lock()), told) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(None),
            other => other.map(Some).context("cannot write to standard output"),
        }
    } else {
        let to = |file: &mut File| export(db, selection, BufWriter::new(file), told);
        replace_with(out, to).map(Some).with_context(|| format!("cannot write {}", out.display()))
    };
    bar.finish_and_clear();
    written
}

fn tell(exported: &Exported, args: &Args, terminal: Terminal) -> anyhow::Result<()> {
    let value = json!({
        "out": args.out,
        "series": exported.series,
        "samples": exported.samples,
        "starts": exported.starts,
        "left_out": {
            "histograms": exported.histograms,
            "histogram_names": exported.histogram_names,
            "stale_markers": exported.stale_markers,
            "far_times": exported.far_times,
            "unnamed_series": exported.unnamed_series,
            "aggregated_series": exported.aggregated_series,
        },
    });
    if args.out == Path::new("-") {
        terminal::stderr(&text(exported, "standard output"));
        return Ok(());
    }
    terminal.result(&value, || text(exported, &args.out.display().to_string()))
}

fn text(exported: &Exported, out: &str) -> String {
    let Exported {
        series,
        samples,
        histograms,
        stale_markers,
        far_times,
        unnamed_series,
        aggregated_series,
        ..
    } = exported;
    let mut text = format!("{samples} samples of {series} series are in {out}.");
    let names: Vec<&str> = exported.histogram_names.iter().map(String::as_str).collect();
    for (count, what) in [
        (*histograms, format!("samples that are native histograms, of {}", names.join(", "))),
        (*stale_markers, "markers that a series ended".to_owned()),
        (*far_times, "samples more than 35,000 years from 1970".to_owned()),
        (*unnamed_series, "series without a metric name".to_owned()),
        (*aggregated_series, "series' aggregates, which stand for samples that are gone".to_owned()),
    ] {
        if count > 0 {
            text.push_str(&format!("\nOpenMetrics has no form for {count} {what}: left out."));
        }
    }
    text
}
