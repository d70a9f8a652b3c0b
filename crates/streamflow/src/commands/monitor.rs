//! `streamflow monitor`: the monitoring flow, once; or live traffic, from the log of predictions.

use std::path::PathBuf;
use std::process::ExitCode;

use streamflow_dataset::Period;
use streamflow_drift::{Decision, RuleSet, Share};

use super::flows::{Invocation, Outcome, task_lines};
use super::performance::span_us;
use super::{Context, Usage, block_on, date, share};
use crate::config::Config;
use crate::drift::Rules;
use crate::flows::monitor_live::monitor_live;
use crate::flows::monitor_month::{self, MonitorRequest};

/// Microseconds of `--last` where it is not named.
pub const LAST_US: i64 = 24 * 3_600_000_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The month that the model learned from [default with --current live: that of the version in production]
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
    reference: Option<Period>,
    /// The month to compare with it; `live` for the answers that [log] keeps
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM]|live", value_parser = current)]
    current: Current,
    /// With --current live: answers of the last such as 24h or 7d [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = span_us)]
    last: Option<i64>,
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

/// What is compared.
#[derive(Debug, Clone, Copy)]
enum Current {
    Live,
    Month(Period),
}

fn current(text: &str) -> Result<Current, String> {
    if text == "live" { Ok(Current::Live) } else { date(text).map(Current::Month) }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let (current, reference) = match (args.current, args.reference) {
        (Current::Live, _) => return live(&args, context),
        (Current::Month(_), _) if args.last.is_some() => {
            return Err(Usage::error("--last is of live traffic; a month is compared as a whole"));
        }
        (Current::Month(_), None) => {
            return Err(Usage::error("--reference is missing: name the month that the model learned from"));
        }
        (Current::Month(current), Some(reference)) => (current, reference),
    };
    if reference == current {
        return Err(Usage::error(monitor_month::same_month(current)));
    }
    let config = context.config()?;
    let request = MonitorRequest { reference, current, rules: args.rules(&config) };
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

fn live(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let rules = args.rules(&config);
    let found = block_on(async {
        let workspace = context.workspace(config, args.report_dir.as_deref()).await?;
        monitor_live(&workspace, args.reference, args.last.unwrap_or(LAST_US), rules).await
    })?;
    context.terminal.result(&found, || format!("{}\n{}", found.live.words(), found.outcome.text()))?;
    let is_due = found.outcome.decision == Decision::RetrainingTriggered;
    Ok(super::drift::exit_code(args.fail_on_drift, is_due))
}

impl Args {
    fn rules(&self, config: &Config) -> Rules {
        Rules {
            profile: self.profile.unwrap_or(config.monitor.profile),
            threshold: self.threshold.unwrap_or(config.monitor.threshold),
            ..Rules::from(&config.monitor)
        }
    }
}
