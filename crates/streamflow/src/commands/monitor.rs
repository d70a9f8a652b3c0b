//! `streamflow monitor`: the monitoring flow, once.

use std::path::PathBuf;
use std::process::ExitCode;

use streamflow_dataset::Period;
use streamflow_drift::{Decision, RuleSet, Share};

use super::flows::{Invocation, Outcome, task_lines};
use super::{Context, Usage, date, share};
use crate::drift::Rules;
use crate::flows::monitor_month::{self, MonitorRequest};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month that the model learned from
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
    reference: Period,
    /// The month to compare with it
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
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
    let report_dir = args.report_dir.as_deref();
    let invocation = Invocation { report_dir, ..Invocation::new(monitor_month::FLOW.name, request.given()?) };
    let Outcome { run, ended, tasks } = invocation.run(context)?;
    let mut value = ended.value;
    let is_due = value["decision"] == Decision::RetrainingTriggered.as_str();
    value["run"] = run.into();
    value["tasks"] = serde_json::to_value(&tasks)?;
    context.terminal.result(&value, || task_lines(&tasks) + &ended.text)?;
    Ok(super::drift::exit_code(args.fail_on_drift, is_due))
}
