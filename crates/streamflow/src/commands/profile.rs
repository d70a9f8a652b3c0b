//! `streamflow profile`: a small, mergeable summary of tables that `streamflow drift` takes in place of one.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_dataset::TableFile;
use streamflow_drift::TableProfile;

use crate::Context;
use crate::columns::drift_column;
use crate::files::write_aside;

/// Values in memory at a time: columns are read together as long as they hold no more.
const VALUES_AT_ONCE: u64 = 16_000_000;
/// A column of a profile takes at most about a megabyte, so this is a table of a thousand full ones.
const MAX_PROFILE_BYTES: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Parts of one table: CSV or Parquet files of the same columns, or profiles of such
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the profile as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let mut whole: Option<TableProfile> = None;
    for path in &args.files {
        let part = match read_profile(path)? {
            Some(profile) => profile,
            None => profile_table(path)?,
        };
        whole = Some(match whole {
            None => part,
            Some(whole) => whole
                .merge(part)
                .with_context(|| format!("{} is no part of the same table", path.display()))?,
        });
    }
    let Some(profile) = whole else { bail!("no file to profile") };
    let json = profile.to_json();
    if args.out == Path::new("-") {
        context.terminal.stdout(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    write_aside(&args.out, json.as_bytes())
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let (rows, columns) = (profile.rows(), profile.names().len());
    let result = serde_json::json!({ "profile": args.out, "rows": rows, "columns": columns });
    context
        .terminal
        .result(&result, || format!("{rows} rows of {columns} columns -> {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The profile in a file; none when the file begins like something else.
pub fn read_profile(path: &Path) -> anyhow::Result<Option<TableProfile>> {
    let cannot_read = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(cannot_read)?;
    let mut text = Vec::new();
    file.by_ref().take(64).read_to_end(&mut text).with_context(cannot_read)?;
    if !TableProfile::is_profile(&text) {
        return Ok(None);
    }
    file.take(MAX_PROFILE_BYTES).read_to_end(&mut text).with_context(cannot_read)?;
    if text.len() as u64 > MAX_PROFILE_BYTES {
        bail!("{} is larger than a profile can be ({MAX_PROFILE_BYTES} bytes)", path.display());
    }
    let text = String::from_utf8(text).with_context(|| format!("{} is not UTF-8", path.display()))?;
    let profile = TableProfile::from_json(&text).with_context(|| path.display().to_string())?;
    Ok(Some(profile))
}

/// How many columns of so many rows are read together: a CSV file is parsed again for every batch.
pub fn columns_at_once(rows: u64) -> usize {
    usize::try_from((VALUES_AT_ONCE / rows.max(1)).max(1)).unwrap_or(usize::MAX)
}

fn profile_table(path: &Path) -> anyhow::Result<TableProfile> {
    let table = TableFile::open(path)?;
    let columns_at_once = columns_at_once(table.rows());
    let names: Vec<&str> = table.names().iter().map(String::as_str).collect();
    let mut profile = TableProfile::default();
    for names in names.chunks(columns_at_once) {
        for column in table.read_columns(names)?.columns {
            profile.add(&drift_column(column)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(profile)
}
