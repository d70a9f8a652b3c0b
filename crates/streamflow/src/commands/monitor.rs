//! `streamflow monitor`: the monitoring flow, once.

use std::path::PathBuf;
use std::process::ExitCode;

use streamflow_dataset::Period;
use streamflow_drift::{Decision, RuleSet, Share};

use super::{Context, Usage, block_on, date, share};
use crate::drift::Rules;
use crate::flows::monitor_month::{self, MonitorOutcome, MonitorRequest};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month that the model learned from
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    reference: Period,
    /// The month to compare with it
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    current: Period,
    /// How a column is judged [default: from the configuration, which says calibrated]
    #[arg(long, value_parser = super::drift::profile)]
    profile: Option<RuleSet>,
    /// Share of drifted columns at or over which retraining is triggered [default: from the configuration, 0.30]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    threshold: Option<Share>,
    /// Exit with 3 when the decision is RETRAINING_TRIGGERED
    #[arg(long)]
    fail_on_drift: bool,
    /// Folder of the reports [default: from the configuration, reports/drift]
    #[arg(long, env = "REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    if args.reference == args.current {
        return Err(Usage::error(monitor_month::same_month(args.current)));
    }
    let config = context.config()?;
    let request = MonitorRequest {
        reference: args.reference,
        current: args.current,
        rules: Rules {
            profile: args.profile.unwrap_or(config.monitor.profile),
            threshold: args.threshold.unwrap_or(config.monitor.threshold),
            ..Rules::from(&config.monitor)
        },
    };
    let outcome = block_on(async {
        let workspace = context.workspace(config, args.report_dir.as_deref()).await?;
        monitor_month::run(&workspace, request).await
    })?;
    context.terminal.result(&outcome, || text(&outcome))?;
    Ok(super::drift::exit_code(args.fail_on_drift, outcome.decision == Decision::RetrainingTriggered))
}

fn text(outcome: &MonitorOutcome) -> String {
    let mut text = String::new();
    for task in &outcome.tasks {
        text.push_str(&format!("  {:<24}{:>9.1} ms\n", task.name, task.duration_ms));
    }
    let drifted = match outcome.drifted.as_slice() {
        [] => "no column".to_owned(),
        names => names.join(", "),
    };
    for column in &outcome.not_tested {
        let counted = if column.counted { ", counts as drifted" } else { "" };
        text.push_str(&format!("  not tested{counted}: {} ({})\n", column.column, column.reason));
    }
    text.push_str(&format!("  drifted: {drifted}\n{}", outcome.line));
    text
}
