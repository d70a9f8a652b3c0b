//! `streamflow prefect`: flows as deployments of a Prefect server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, block_on};
use crate::config::{Config, DEFAULT_FILE};
use crate::flows;
use crate::flows::Known;
use crate::prefect::deploy::{Deployment, Flow, Plan, Program};

#[derive(Debug, Subcommand)]
pub enum Args {
    /// Make flows deployments that Prefect schedules and its workers start; PREFECT_API_URL names the server
    Deploy {
        /// The work pool; it is made when it is not there
        #[arg(long, default_value = "streamflow", value_name = "NAME")]
        pool: String,
        /// A flow; repeat for more [default: those with a schedule]
        #[arg(long = "flow", value_name = "NAME")]
        flows: Vec<String>,
        /// Print what would be sent, and send nothing
        #[arg(long)]
        dry_run: bool,
    },
}

impl Args {
    /// What is only printed changes nothing.
    pub fn changes_something(&self) -> bool {
        let Self::Deploy { dry_run, .. } = self;
        !dry_run
    }
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let Args::Deploy { pool, flows, dry_run } = args;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if pool.is_empty() || !pool.chars().all(is_plain) {
        bail!("--pool {pool:?}: expected letters, digits, dashes, dots and underscores");
    }
    let config = context.config()?;
    flows::catalog::check(&config)?;
    let plan = plan(&pool, &flows, &config, context)?;
    if dry_run {
        context.terminal.stdout(&serde_json::to_string_pretty(&plan)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let ids = block_on(plan.send())?;
    let made: Vec<Value> = plan
        .deployments
        .iter()
        .zip(&ids)
        .map(|(Deployment { flow, .. }, id)| json!({ "flow": flow, "deployment": id, "pool": pool }))
        .collect();
    context.terminal.result(&made, || {
        let names: Vec<&str> = plan.deployments.iter().map(|made| made.flow.as_str()).collect();
        format!(
            "Deployed {} to the work pool {pool}. A worker starts them:\n\n  prefect worker start --pool {pool}\n\n\
             Their schedules are Prefect's now: remove them from the configuration of a `streamflow up` with the same data, \
             or pause them there (`streamflow flows pause FLOW`), or they run twice.",
            names.join(", ")
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn plan(pool: &str, wanted: &[String], config: &Config, context: &Context) -> anyhow::Result<Plan> {
    let flows: Vec<Known<'_>> = if wanted.is_empty() {
        flows::catalog::all(config).filter(|flow| flow.schedule().is_ok_and(|when| when.is_some())).collect()
    } else {
        wanted.iter().map(|name| flows::known(config, name)).collect::<anyhow::Result<_>>()?
    };
    if flows.is_empty() {
        bail!("no flow has a schedule; set one in flows.NAME.schedule, or name flows with --flow");
    }
    let flows: Vec<Flow<'_>> = flows
        .into_iter()
        .map(|flow| {
            Ok(Flow {
                name: flow.name,
                doc: flow.describe().doc,
                arguments: ["flows", "run", flow.name].map(str::to_owned).into(),
                schedule: schedule(config, flow.name)?,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("{} has no absolute path", path.display()))
    };
    let file = context.config_file.clone().unwrap_or_else(|| config.base.join(DEFAULT_FILE));
    let (binary, file): (PathBuf, PathBuf) = (std::env::current_exe()?, absolute(&file)?);
    let place = config.place(context.data_dir.as_deref());
    // The bucket and not its working copy, which is this machine's alone.
    let data_dir = match place.location {
        Some(location) => PathBuf::from(location.to_string()),
        None => absolute(&place.folder)?,
    };
    let working_dir = file.parent().unwrap_or(&file).to_owned();
    let program = Program { binary: &binary, config: &file, data_dir: &data_dir, working_dir: &working_dir };
    Ok(Plan::new(pool, &program, &flows))
}

/// The schedule of a flow as Prefect has it; none where it has none.
fn schedule(config: &Config, flow: &str) -> anyhow::Result<Option<Value>> {
    let Some(text) = config.flows.get(flow).and_then(|flow| flow.schedule.as_ref()) else { return Ok(None) };
    let zone = text.zone.as_deref().unwrap_or("UTC");
    match text.parse()? {
        streamflow_schedule::Schedule::Cron { .. } => {
            Ok(Some(json!({ "cron": text.cron, "timezone": zone })))
        }
        streamflow_schedule::Schedule::Interval { every_s, anchor, .. } => {
            Ok(Some(json!({ "interval": every_s.get(), "anchor_date": anchor, "timezone": zone })))
        }
        streamflow_schedule::Schedule::Once { .. } => {
            bail!(
                "flows.{flow}.schedule is a single time, which Prefect has no deployment for; name the flow with `cron` or `every`"
            )
        }
    }
}
