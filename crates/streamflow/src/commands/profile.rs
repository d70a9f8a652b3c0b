//! `streamflow profile`: a small, mergeable summary of tables that `streamflow drift` takes in place of one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_dataset::{Reading, TableFile};
use streamflow_drift::TableProfile;

use super::Context;
use crate::drift::counted_column;
use crate::drift::files::{MEMORY_BYTES, read_profile, threads};
use crate::files::write_aside;

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

fn profile_table(path: &Path) -> anyhow::Result<TableProfile> {
    let mut columns = HashMap::new();
    let mut table = TableFile::open(path)?;
    let mut pending = table.names().to_vec();
    while !pending.is_empty() {
        let names: Vec<&str> = pending.iter().map(String::as_str).collect();
        let reading = Reading { memory_bytes: MEMORY_BYTES, threads: threads(), progress: &|_| {} };
        let counted = table.count(&names, &reading)?;
        for column in counted.columns {
            // As a profile at once: that is small, however long the column.
            let column = TableProfile::of(&[counted_column(column)?])?.into_columns();
            columns.extend(column.into_iter().map(|column| (column.name.clone(), column)));
        }
        pending = counted.deferred;
    }
    let mut profile = TableProfile::default();
    for column in table.names().iter().filter_map(|name| columns.get(name)) {
        profile.add(column).with_context(|| path.display().to_string())?;
    }
    Ok(profile)
}
