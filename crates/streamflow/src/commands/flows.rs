//! `streamflow flows`: what ran, how it ended and what it said.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::{Context, block_on};
use crate::flows::FLOWS;
use crate::store::Store;
use crate::terminal::table;

#[derive(Debug, Subcommand)]
pub enum Args {
    /// The flows there are and their parameters
    Ls,
    /// List the past runs, the newest first
    Runs {
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// One run with its tasks and its log
    Inspect {
        /// Number of the run, as `flows runs` lists it
        #[arg(value_parser = run_number)]
        run: i64,
    },
}

fn run_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected the number of a run; `streamflow flows runs` lists them".to_owned())
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let store = async || Store::open(&context.data_dir(&context.config()?)).await;
    block_on(async {
        match args {
            Args::Ls => ls(context),
            Args::Runs { limit } => runs(&store().await?, limit, context).await,
            Args::Inspect { run } => inspect(&store().await?, run, context).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn ls(context: &Context) -> anyhow::Result<()> {
    context.terminal.result(&FLOWS, || {
        let mut table = table(["FLOW", "PARAMETERS", "WHAT IT DOES"]);
        for flow in FLOWS {
            let parameters: Vec<&str> = flow.parameters.iter().map(|parameter| parameter.name).collect();
            table.add_row([flow.name, &parameters.join(", "), flow.doc]);
        }
        table.to_string()
    })
}

async fn runs(store: &Store, limit: u32, context: &Context) -> anyhow::Result<()> {
    let runs = store.runs(limit.into()).await?;
    context.terminal.result(&runs, || {
        if runs.is_empty() {
            return "No flow has run yet; `streamflow monitor --reference DATE --current DATE` runs one."
                .to_owned();
        }
        let mut table = table(["RUN", "FLOW", "STATE", "STARTED", "PARAMETERS"]);
        for run in &runs {
            let id = run.id.to_string();
            table.add_row([
                id.as_str(),
                &run.flow,
                &run.state_name,
                &run.started_at,
                &run.parameters.to_string(),
            ]);
        }
        table.to_string()
    })
}

async fn inspect(store: &Store, id: i64, context: &Context) -> anyhow::Result<()> {
    let run = store
        .run(id)
        .await?
        .with_context(|| format!("there is no run {id}; `streamflow flows runs` lists them"))?;
    let (tasks, logs) = (store.tasks(id).await?, store.logs(id).await?);
    let value = serde_json::json!({ "run": run, "tasks": tasks, "logs": logs });
    context.terminal.result(&value, || {
        let mut text = format!("run {id}  {}  {}\n{}\n\n", run.flow, run.state_name, run.parameters);
        let mut table = table(["TASK", "STATE", "MS"]);
        for task in &tasks {
            let duration = task.duration_ms.map_or_else(String::new, |ms| format!("{ms:.1}"));
            table.add_row([task.name.as_str(), task.state.as_str(), &duration]);
        }
        text.push_str(&format!("{table}\n\n"));
        for log in &logs {
            text.push_str(&format!("{} {:7} {}\n", log.at, log.level, log.message));
        }
        text
    })
}
