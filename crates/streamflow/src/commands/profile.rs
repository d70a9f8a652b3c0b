//! `streamflow profile`: a small, mergeable summary of tables that `streamflow drift` takes in place of one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use streamflow_compare::{Engine, Given, Input, Options};
use streamflow_dataset::{CsvOptions, LeftOut};
use streamflow_drift::TableProfile;

use super::{Context, CsvArgs, EngineArgs, check_outputs};
use crate::files::write_aside;
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
    engine: Option<&dyn Engine>,
    context: &Context,
) -> anyhow::Result<(TableProfile, Vec<LeftOut>)> {
    let progress = context.reading("reading");
    let options = Options { engine, progress: Some(&progress), ..Options::default() };
    let mut whole: Option<TableProfile> = None;
    let mut left_out: Vec<LeftOut> = Vec::new();
    for path in &args.files {
        let table = context.input(path)?;
        let given = Given::Files(Input { table: &table, csv });
        let (part, others) = streamflow_compare::profile(given, options)?;
        left_out.extend(others.into_iter().filter(|column| !left_out.contains(column)).collect::<Vec<_>>());
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
