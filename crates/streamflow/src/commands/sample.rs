//! `streamflow sample`: realistic monthly drops.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;

use super::{Context, TaskWord, Usage, check_output_folder, day};
use crate::sample::{self, SampleSettings};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder that receives one folder a month
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Months to generate, one after the other
    #[arg(long, default_value_t = 3)]
    months: u32,
    /// Users in each month
    #[arg(long, default_value_t = 7_043)]
    rows: u64,
    /// Seed of the generator: the same seed gives the same bytes
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// A day of the first month; every month is dated by its last day
    #[arg(long, default_value = "2024-01-31", value_name = "YYYY-MM-DD", value_parser = day)]
    start: Date,
    /// The month, counted from 1, from which on some columns drift [default: the last of several]
    #[arg(long, value_name = "N")]
    drift_month: Option<u32>,
    /// The month, counted from 1, from which on other users churn than before, with the columns as they were
    #[arg(long, value_name = "N")]
    relation_month: Option<u32>,
    /// What the label is for: churn (binary), the next plan (multiclass) or the amount spent (regression)
    #[arg(long, value_enum, default_value_t = TaskWord::Binary)]
    task: TaskWord,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let settings = SampleSettings {
        months: args.months,
        rows: args.rows,
        seed: args.seed,
        start: args.start,
        drift_month: args.drift_month,
        relation_month: args.relation_month,
        task: args.task.into(),
    };
    // Wrong settings are the command line's, and no folder is made for them.
    settings.check().map_err(|error| Usage::error(format!("--{error}")))?;
    check_output_folder(&args.out)?;
    let bar = context.terminal.progress(0, "generating");
    let folders = sample::write(&args.out, &settings, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    context.terminal.result(&serde_json::json!({ "folders": folders }), || {
        folders.iter().map(|folder| format!("{}\n", folder.display())).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}
