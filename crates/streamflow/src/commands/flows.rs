//! `streamflow flows`: what ran, how it ended and what it said; start a flow, try again, stop, answer.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use streamflow_dataset::Period;

use super::{Context, Usage, actor, block_on, date};
use crate::flows::catalog::Description;
use crate::flows::parameters;
use crate::flows::{self, Ended, Finished, Range, TaskRecord};
use crate::mlflow;
use crate::prefect;
use crate::store::approvals::Answer;
use crate::store::runs::{Run, RunFilter};
use crate::store::{State, Store};
use crate::terminal::{one_line, table};

/// The names that states of runs have beside their words.
const STATE_NAMES: [&str; 16] = [
    "Late",
    "AwaitingConcurrencySlot",
    "AwaitingRetry",
    "Resuming",
    "Retrying",
    "Suspended",
    "Skipped",
    "TimedOut",
    "NO_ACTION",
    "RETRAINING_TRIGGERED",
    "UNDECIDED",
    "FIRST_VERSION",
    "PROMOTED",
    "BETTER",
    "NOT_WORSE",
    "WORSE",
];

#[derive(Debug, Subcommand)]
pub enum Args {
    /// The flows there are and their parameters
    Ls,
    /// List the past runs, the newest first
    Runs {
        /// At most this many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Only runs of this flow
        #[arg(long)]
        flow: Option<String>,
        /// Only runs in this state, such as failed or NO_ACTION
        #[arg(long)]
        state: Option<String>,
        /// Only runs about this month
        #[arg(long, value_name = "DATE")]
        period: Option<String>,
    },
    /// One run with its tasks, what happened to it and its log
    Inspect {
        /// Number of the run, as `flows runs` lists it
        #[arg(value_parser = run_number)]
        run: i64,
    },
    /// The log of a run
    Logs {
        #[arg(value_parser = run_number)]
        run: i64,
        /// Go on until the run has ended
        #[arg(short, long)]
        follow: bool,
    },
    /// Run a flow now, in this process
    Run {
        flow: String,
        /// A parameter; repeat for more
        #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameters::pair)]
        parameters: Vec<(String, Value)>,
        /// Run every step, also where another run has its result for the same inputs
        #[arg(long)]
        no_cache: bool,
    },
    /// Try a run again that failed, crashed or was cancelled, from the first step that has not completed
    Retry {
        #[arg(value_parser = run_number)]
        run: i64,
        /// Run this step and those after it again
        #[arg(long, value_name = "STEP", conflicts_with = "all")]
        from: Option<String>,
        /// Run all steps again
        #[arg(long)]
        all: bool,
    },
    /// Ask a run to stop at the next point where nothing is half done
    Cancel {
        #[arg(value_parser = run_number)]
        run: i64,
    },
    /// Run a flow for each ingested month of a range, oldest first, in this process
    Backfill {
        flow: String,
        /// The first month
        #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
        from: Period,
        /// The last month
        #[arg(long, value_name = "YYYY-MM-DD[THH:MM]", value_parser = date)]
        to: Period,
        /// Leave out months of which a run has completed
        #[arg(long)]
        failed_only: bool,
        /// A parameter; repeat for more
        #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameters::pair)]
        parameters: Vec<(String, Value)>,
    },
    /// Start no runs by the schedule of a flow until it is resumed
    Pause { flow: String },
    /// Start runs by the schedule of a flow again
    Resume { flow: String },
    /// Answer yes to what a paused run asks
    Approve {
        #[arg(value_parser = run_number)]
        run: i64,
        /// What is to be remembered with the answer
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Answer no to what a paused run asks
    Reject {
        #[arg(value_parser = run_number)]
        run: i64,
        /// What is to be remembered with the answer
        #[arg(long, default_value = "")]
        note: String,
    },
}

impl Args {
    /// Everything but looking at flows and runs.
    pub fn changes_something(&self) -> bool {
        !matches!(self, Self::Ls | Self::Runs { .. } | Self::Inspect { .. } | Self::Logs { .. })
    }
}

fn run_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "expected the number of a run; `streamflow flows runs` lists them".to_owned())
}

/// A flow that a command runs in its own process.
pub struct Invocation<'a> {
    pub flow: &'a str,
    pub given: Map<String, Value>,
    /// The report folder of the flag.
    pub report_dir: Option<&'a std::path::Path>,
    /// Whether no result of another run is taken over.
    pub afresh: bool,
}

/// A run that ended well.
pub struct Outcome {
    pub run: i64,
    pub ended: Ended,
    pub tasks: Vec<TaskRecord>,
}

impl<'a> Invocation<'a> {
    pub fn new(flow: &'a str, given: Value) -> Self {
        Self { flow, given: given.as_object().cloned().unwrap_or_default(), report_dir: None, afresh: false }
    }

    /// Runs the flow to its end. Relative paths start in the current folder.
    ///
    /// # Errors
    /// Parameters that the flow does not take; what the step that failed returned.
    pub fn run(mut self, context: &Context) -> anyhow::Result<Outcome> {
        let config = context.config()?;
        let flow = flows::known(&config, self.flow)?;
        for name in flow.paths() {
            if let Some(Value::String(path)) = self.given.get_mut(name)
                && let Ok(absolute) = std::path::absolute(&*path)
            {
                *path = absolute.to_string_lossy().into_owned();
            }
        }
        block_on(prefect::wait_for_time())?;
        let parameters = flow.parameters(&self.given)?;
        let bar = context.terminal.progress(1, self.flow);
        let Finished { run, tasks, outcome } = block_on(async {
            let workspace = context.workspace(config.clone(), self.report_dir).await?;
            let start = flows::Start { afresh: self.afresh, ..flows::Start::now(&parameters, "command") };
            let finished = flows::run_here(&workspace, flow, &start, bar).await;
            mlflow::tell_within_budget(&config, &workspace.store, &workspace.registry).await;
            finished
        })?;
        let ended = match outcome {
            // What waits for an answer has not failed, and a worker of Prefect takes any other exit code for a crash.
            Err(waits) if flows::is_waiting(&waits) && prefect::is_started_by_worker() => {
                Ended { name: "Suspended".to_owned(), message: waits.to_string(), ..Ended::default() }
            }
            outcome => outcome.map_err(|error| told(run, error))?,
        };
        Ok(Outcome { run, ended, tasks })
    }
}

/// A run that waits for an answer, and how it is given.
#[derive(Debug, thiserror::Error)]
#[error(
    "run {run} is paused; answer with `streamflow flows approve {run}` or `streamflow flows reject {run}`: {question:#}"
)]
struct Waits {
    run: i64,
    question: anyhow::Error,
}

/// The error of a run that has not ended well, which for one that waits says how it is answered.
fn told(run: i64, error: anyhow::Error) -> anyhow::Error {
    if flows::is_waiting(&error) { Waits { run, question: error }.into() } else { error }
}

/// A line for each step of a run.
pub fn task_lines(tasks: &[TaskRecord]) -> String {
    tasks.iter().map(|task| format!("  {:<24}{:>9.1} ms\n", task.name, task.duration_ms)).collect()
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let only_reads = !args.changes_something();
    let store = async || {
        let config = context.config()?;
        let data_dir = context.data_dir(&config);
        if only_reads {
            context.check_data_dir(&data_dir)?;
        }
        Store::of(&config.store, &data_dir).await
    };
    match args {
        Args::Ls => ls(context)?,
        Args::Run { flow, parameters, no_cache } => start(&flow, parameters, no_cache, context)?,
        Args::Runs { limit, flow, state, period } => {
            let state = state.map(|text| known_state(&text)).transpose()?;
            let filter = RunFilter { flow, state, period, limit: limit.into() };
            block_on(async { runs(&store().await?, &filter, context).await })?;
        }
        Args::Inspect { run } => block_on(async { inspect(&store().await?, run, context).await })?,
        Args::Logs { run, follow } => block_on(async { logs(&store().await?, run, follow, context).await })?,
        Args::Retry { run, from, all } => retry(run, from.as_deref(), all, context)?,
        Args::Backfill { from, to, .. } if from > to => {
            return Err(Usage::error(format!(
                "--from {from} is after --to {to}; the first month comes first"
            )));
        }
        Args::Backfill { flow, from, to, failed_only, parameters } => {
            backfill(&flow, Range { from, to, failed_only }, parameters.into_iter().collect(), context)?;
        }
        Args::Pause { flow } => pause(&flow, true, context)?,
        Args::Resume { flow } => pause(&flow, false, context)?,
        Args::Cancel { run } => block_on(async { cancel(&store().await?, run, context).await })?,
        Args::Approve { run, note } => answer(run, true, &note, context)?,
        Args::Reject { run, note } => answer(run, false, &note, context)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The states and names of states that a run can be in, as the database has them.
fn known_state(text: &str) -> anyhow::Result<String> {
    let known = State::ALL.iter().map(|state| state.as_str()).chain(STATE_NAMES);
    if let Some(state) = known.clone().find(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(state.to_owned());
    }
    let known: Vec<&str> = known.collect();
    Err(Usage::error(format!("--state {text:?} is no state of a run; expected {}", known.join(", "))))
}

fn start(
    flow: &str,
    parameters: Vec<(String, Value)>,
    afresh: bool,
    context: &Context,
) -> anyhow::Result<()> {
    let invocation = Invocation::new(flow, Value::Object(parameters.into_iter().collect()));
    tell(Invocation { afresh, ..invocation }.run(context)?, context)
}

fn tell(outcome: Outcome, context: &Context) -> anyhow::Result<()> {
    let Outcome { run, ended, tasks } = outcome;
    let value = json!({
        "run": run, "state_name": ended.name, "message": ended.message, "tasks": tasks, "result": ended.value
    });
    context.terminal.result(&value, || {
        format!("run {run}  {}  {}\n\n{}{}", ended.name, ended.message, task_lines(&tasks), ended.text)
    })
}

fn retry(run: i64, from: Option<&str>, all: bool, context: &Context) -> anyhow::Result<()> {
    let bar = context.terminal.progress(1, "trying again");
    let finished = block_on(async {
        let workspace = context.workspace(context.config()?, None).await?;
        flows::retry_here(&workspace, run, flows::Again::of(from, all), &actor(), bar).await
    })?;
    let ended = finished.outcome.map_err(|error| told(run, error))?;
    tell(Outcome { run, ended, tasks: finished.tasks }, context)
}

fn backfill(flow: &str, range: Range, given: Map<String, Value>, context: &Context) -> anyhow::Result<()> {
    let config = context.config()?;
    let known = flows::known(&config, flow)?;
    let runs = block_on(async {
        let workspace = context.workspace(config.clone(), None).await?;
        let runs = flows::backfill(&workspace, known, range, &given, "command").await?;
        let (mut done, total) = (Vec::new(), runs.len());
        for (place, run) in runs.into_iter().enumerate() {
            let bar = context.terminal.progress(1, &format!("{flow} {} of {total}", place + 1));
            let finished = flows::work_on(&workspace, run, &bar).await?;
            let error = finished.outcome.as_ref().err().map(one_line);
            let name = finished.outcome.map_or_else(|_| "Failed".to_owned(), |ended| ended.name);
            context.terminal.line(&format!("run {run}  {name}  {}", error.clone().unwrap_or_default()))?;
            done.push(json!({ "run": run, "state_name": name, "error": error }));
        }
        anyhow::Ok(done)
    })?;
    let failed = runs.iter().filter(|run| !run["error"].is_null()).count();
    context.terminal.result(&runs, || format!("{} runs, {failed} of them failed", runs.len()))?;
    anyhow::ensure!(
        failed == 0,
        "{failed} of {} runs failed; `streamflow flows retry RUN` goes on",
        runs.len()
    );
    Ok(())
}

fn pause(flow: &str, paused: bool, context: &Context) -> anyhow::Result<()> {
    let config = context.config()?;
    let known = flows::known(&config, flow)?;
    block_on(async {
        let store = Store::of(&config.store, &context.data_dir(&config)).await?;
        flows::pause(&store, known, paused).await
    })?;
    let word = if paused { "is paused" } else { "runs by its schedule again" };
    context.terminal.result(&json!({ "flow": flow, "paused": paused }), || format!("{flow} {word}"))
}

async fn cancel(store: &Store, run: i64, context: &Context) -> anyhow::Result<()> {
    let state = flows::cancel(store, run, &actor()).await?;
    context
        .terminal
        .result(&json!({ "run": run, "state": state }), || format!("run {run} is {}", state.as_str()))
}

fn answer(run: i64, is_approved: bool, note: &str, context: &Context) -> anyhow::Result<()> {
    let bar = context.terminal.progress(1, "going on");
    let actor = actor();
    let answer = Answer { is_approved, by: &actor, note };
    let finished = block_on(async {
        let workspace = context.workspace(context.config()?, None).await?;
        flows::answer_here(&workspace, run, answer, bar).await
    })?;
    match finished {
        Finished { outcome: Err(error), .. } if !is_approved => {
            context.terminal.result(&json!({ "run": run, "answer": "rejected" }), || error.to_string())
        }
        finished => tell(Outcome { run, ended: finished.outcome?, tasks: finished.tasks }, context),
    }
}

fn ls(context: &Context) -> anyhow::Result<()> {
    let config = context.config()?;
    flows::catalog::check(&config)?;
    let flows: Vec<Description> = flows::catalog::all(&config).map(|flow| flow.describe()).collect();
    context.terminal.result(&flows, || {
        let mut table = table(["FLOW", "PARAMETERS", "RUNS BY ITSELF", "WHAT IT DOES"]);
        for flow in &flows {
            let parameters: Vec<String> = flow
                .parameters
                .iter()
                .map(|parameter| match parameter.required {
                    true => parameter.name.to_owned(),
                    false => format!("[{}]", parameter.name),
                })
                .collect();
            let when: Vec<String> = flow
                .schedule
                .iter()
                .cloned()
                .chain(flow.watch.iter().map(|folder| format!("drops in {folder}")))
                .chain(flow.on.iter().cloned())
                .collect();
            table.add_row([flow.name, &parameters.join(", "), &when.join("; "), flow.doc]);
        }
        table.to_string()
    })
}

async fn runs(store: &Store, filter: &RunFilter, context: &Context) -> anyhow::Result<()> {
    let runs = store.runs(filter).await?;
    context.terminal.result(&runs, || {
        if runs.is_empty() {
            return "No such run; `streamflow flows run FLOW` or `streamflow monitor` makes one.".to_owned();
        }
        let mut table = table(["RUN", "FLOW", "STATE", "STARTED", "BY", "PARAMETERS"]);
        for run in &runs {
            let (id, parameters) = (run.id.to_string(), run.parameters.to_string());
            table.add_row([
                id.as_str(),
                &run.flow,
                &run.state_name,
                &run.started_at,
                &run.cause,
                &parameters,
            ]);
        }
        table.to_string()
    })
}

async fn known(store: &Store, run: i64) -> anyhow::Result<Run> {
    let found = store.run(run).await?;
    found.with_context(|| format!("there is no run {run}; `streamflow flows runs` lists them"))
}

async fn inspect(store: &Store, id: i64, context: &Context) -> anyhow::Result<()> {
    let run = known(store, id).await?;
    let (tasks, logs) = (store.tasks(id).await?, store.logs(id, 0).await?);
    let (transitions, approvals) = (store.transitions(id).await?, store.approvals(id).await?);
    let value = json!({
        "run": run, "tasks": tasks, "transitions": transitions, "approvals": approvals, "logs": logs
    });
    context.terminal.result(&value, || {
        let mut text =
            format!("run {id}  {}  {}  {}\n{}\n\n", run.flow, run.state_name, run.message, run.parameters);
        let mut table = table(["TASK", "STATE", "ATTEMPT", "MS"]);
        for task in &tasks {
            let duration = task.duration_ms.map_or_else(String::new, |ms| format!("{ms:.1}"));
            table.add_row([task.name.as_str(), &task.state_name, &task.attempt.to_string(), &duration]);
        }
        text.push_str(&format!("{table}\n\n"));
        for approval in &approvals {
            let answer = approval.answer.as_deref().unwrap_or("waits for an answer");
            let by = approval.answered_by.as_deref().unwrap_or_default();
            text.push_str(&format!("{}: {answer} {by}\n", approval.question));
        }
        for log in &logs {
            text.push_str(&format!("{} {:7} {}\n", log.at, log.level, log.message));
        }
        text
    })
}

/// Prints the log, and goes on until the run has ended where that is asked for.
async fn logs(store: &Store, run: i64, follow: bool, context: &Context) -> anyhow::Result<()> {
    let mut last = 0;
    loop {
        let ended = !known(store, run).await?.state.is_active();
        let lines = store.logs(run, last).await?;
        last = lines.last().map_or(last, |line| line.id);
        if !follow {
            return context.terminal.result(&lines, || {
                let text =
                    |log: &crate::store::logs::Log| format!("{} {:7} {}\n", log.at, log.level, log.message);
                lines.iter().map(text).collect()
            });
        }
        for log in lines {
            context.terminal.stdout(&format!("{} {:7} {}", log.at, log.level, log.message))?;
        }
        if ended {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
