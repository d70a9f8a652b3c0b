//! `streamflow ingest`: one monthly drop, validated and committed whole or not at all.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use streamflow_dataset::{Error, Period};

use super::flows::Invocation;
use super::{Context, Usage, date};
use crate::flows::ingest_month;
use crate::terminal::OutputFormat;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The date that the drop describes: nothing in it was known later
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
    as_of: Period,
    /// Folder with one file a table: TABLE.csv, TABLE.csv.gz, TABLE.csv.zst or TABLE.parquet [default: the tables of the
    /// database that [dataset.source] names]
    dir: Option<PathBuf>,
    /// Replace a month that was ingested with other content, or whose ledger entry is damaged
    #[arg(long)]
    replace: bool,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    if args.dir.is_none() && config.dataset.source.is_none() {
        return Err(Usage::error(
            "no drop was named: give a folder with one file a table, or say where the tables are, in [dataset.source.postgres] of the configuration",
        ));
    }
    let given = json!({ "as_of": args.as_of, "drop": args.dir, "replace": args.replace });
    let ended = match Invocation::new(ingest_month::FLOW.name, given).run(context) {
        Ok(outcome) => outcome.ended,
        Err(error) => {
            if let (Some(Error::ExpectationsFailed(validation)), OutputFormat::Json) =
                (error.downcast_ref(), context.terminal.format)
            {
                context.terminal.stdout(&serde_json::to_string_pretty(&validation.to_json())?)?;
            }
            return Err(error);
        }
    };
    context.terminal.result(&ended.value, || ended.text.clone())?;
    Ok(ExitCode::SUCCESS)
}
