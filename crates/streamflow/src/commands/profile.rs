//! `streamflow profile`: a small, mergeable summary of tables that `streamflow drift` takes in place of one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_dataset::{CsvOptions, LeftOut, Reading, StoredTable};
use streamflow_drift::TableProfile;

use super::{Context, CsvArgs, EngineArgs, check_outputs};
use crate::drift::counted_column;
use crate::drift::engine::{Engine, Summary};
use crate::drift::files::{MEMORY_BYTES, read_profile, stored, threads};
use crate::files::write_aside;
use crate::storage::Input;
use crate::terminal::counted;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Parts of one table: CSV, Parquet or Arrow files of the same columns, folders of parts (Hive's too), globs, or profiles
    /// of such; each may lie in a bucket (s3://BUCKET/KEY, gs://, az://)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the profile as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    csv: CsvArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let csv = args.csv.options()?;
    let inputs: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
    check_outputs(&[&args.out], &inputs)?;
    let (profile, left_out) = args.engine.with(|engine| profile(args, csv, engine, context))?;
    let json = profile.to_json();
    if args.out == Path::new("-") {
        context.terminal.stdout(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    write_aside(&args.out, json.as_bytes())
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    let (rows, columns) = (profile.rows(), profile.names().len());
    let named =
        |column: &LeftOut| serde_json::json!({ "column": column.name, "reason": column.reason.to_string() });
    let result = serde_json::json!({
        "profile": args.out,
        "rows": rows,
        "columns": columns,
        "left_out": left_out.iter().map(named).collect::<Vec<_>>(),
    });
    let listed = |column: &LeftOut| format!("left out: {} ({})\n", column.name, column.reason);
    context.terminal.result(&result, || {
        let left_out: String = left_out.iter().map(listed).collect();
        format!(
            "{left_out}{} of {} -> {}",
            counted(rows, "row"),
            counted(columns, "column"),
            args.out.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The profile of all files together, and the columns that it leaves out.
fn profile(
    args: &Args,
    csv: CsvOptions,
    engine: Option<&Engine>,
    context: &Context,
) -> anyhow::Result<(TableProfile, Vec<LeftOut>)> {
    let mut whole: Option<TableProfile> = None;
    let mut left_out: Vec<LeftOut> = Vec::new();
    for path in &args.files {
        let input = context.input(path)?;
        let profile = input.file().map(read_profile).transpose()?.flatten();
        let part = match profile {
            Some(profile) => profile,
            None => profile_table(&input, csv, engine, &mut left_out)?,
        };
        whole = Some(match whole {
            None => part,
            Some(whole) => whole
                .merge(part)
                .with_context(|| format!("{} is no part of the same table", path.display()))?,
        });
    }
    match whole {
        Some(profile) => Ok((profile, left_out)),
        None => bail!("no file to profile"),
    }
}

/// The profile of a table that an engine counts.
fn profile_stored(table: &StoredTable, engine: &Engine) -> anyhow::Result<TableProfile> {
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut profile = TableProfile::default();
    for summary in engine.summarise(table, &names, &|| {})? {
        let column = match summary {
            Summary::Counted(column) => counted_column(column, None)?,
            Summary::Bounded(column) => column,
        };
        profile.add(&column).with_context(|| table.name.clone())?;
    }
    Ok(profile)
}

/// The profile of one table; the columns that it leaves out are added to those of the tables before.
fn profile_table(
    input: &Input,
    csv: CsvOptions,
    engine: Option<&Engine>,
    left_out: &mut Vec<LeftOut>,
) -> anyhow::Result<TableProfile> {
    let mut columns = HashMap::new();
    let mut table = input.open(csv)?;
    left_out.extend(
        table.left_out().iter().filter(|&column| !left_out.contains(column)).cloned().collect::<Vec<_>>(),
    );
    if let Some(engine) = engine {
        return profile_stored(&stored(&table, input)?, engine);
    }
    let mut pending = table.names().to_vec();
    while !pending.is_empty() {
        let names: Vec<&str> = pending.iter().map(String::as_str).collect();
        let reading =
            Reading { memory_bytes: MEMORY_BYTES, threads: threads(), whole_rows: false, progress: &|_| {} };
        let counted = table.count(&names, &reading)?;
        for column in counted.columns {
            // As a profile at once: that is small, however long the column.
            let column = TableProfile::of(&[counted_column(column, None)?])?.into_columns();
            columns.extend(column.into_iter().map(|column| (column.name.clone(), column)));
        }
        pending = counted.deferred;
    }
    let mut profile = TableProfile::default();
    for column in table.names().iter().filter_map(|name| columns.get(name)) {
        profile.add(column).with_context(|| input.name.display().to_string())?;
    }
    Ok(profile)
}
