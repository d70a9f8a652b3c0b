//! `streamflow train`: fit on one month, evaluate on entities never trained on, register.

use std::process::ExitCode;

use serde_json::json;
use streamflow_dataset::Period;

use super::flows::Invocation;
use super::{Context, date};
use crate::flows::train_model;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month to learn from: its features and its labels
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
    as_of: Period,
    /// Seed of the fit and of the validation split [default: from the configuration, 42]
    #[arg(long)]
    seed: Option<u64>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let given = json!({ "as_of": args.as_of, "seed": args.seed });
    let ended = Invocation::new(train_model::FLOW.name, given).run(context)?.ended;
    context.terminal.result(&ended.value, || ended.text.clone())?;
    Ok(ExitCode::SUCCESS)
}
