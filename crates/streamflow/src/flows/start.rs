//! Starting runs: recorded first, then worked on by the process that claims them.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;

use super::Parameters;
use super::catalog::{Known, known};
use super::lease::StopSign;
use super::policy::Policy;
use super::run::{Ended, FlowRun, TaskRecord};
use super::signals;
use crate::notify::Outbox;
use crate::prefect;
use crate::store::approvals::Answer;
use crate::store::leases::Claim;
use crate::store::runs::{NewRun, Run};
use crate::store::transitions::Step;
use crate::store::{State, Store, now};
use crate::workspace::Workspace;

/// How often a run is looked at that another process works on.
const ELSEWHERE_LOOK: Duration = Duration::from_millis(100);

/// A run to be started.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    pub parameters: &'a Parameters,
    /// What starts it, in words.
    pub cause: &'a str,
    /// When it is to start; none for at once.
    pub due_at: Option<&'a str>,
    /// Names what the run handles; a second run of the same is not recorded.
    pub event: Option<&'a str>,
    /// Whether its steps run although their results are kept.
    pub afresh: bool,
}

impl<'a> Start<'a> {
    /// A run that starts at once and handles no event.
    pub fn now(parameters: &'a Parameters, cause: &'a str) -> Self {
        Self { parameters, cause, due_at: None, event: None, afresh: false }
    }
}

/// Records a run that the next free process takes; none when its event was handled before.
pub async fn schedule(
    workspace: &Workspace,
    flow: Known<'_>,
    start: &Start<'_>,
) -> anyhow::Result<Option<i64>> {
    let parameters = start.parameters.to_value();
    let new = NewRun {
        flow: flow.name,
        parameters: &parameters,
        period: flow.period(start.parameters),
        cause: start.cause,
        due_at: start.due_at,
        event: start.event,
        afresh: start.afresh,
    };
    workspace.store.schedule_run(&new).await.context("cannot record the run")
}

/// What a run came to in this process.
pub struct Finished {
    pub run: i64,
    pub tasks: Vec<TaskRecord>,
    pub outcome: anyhow::Result<Ended>,
}

/// Runs a flow in this process, from its record to its end, its further attempts included.
pub async fn run_here(
    workspace: &Workspace,
    flow: Known<'_>,
    start: &Start<'_>,
    bar: ProgressBar,
) -> anyhow::Result<Finished> {
    prefect::check_environment()?;
    let run = schedule(workspace, flow, start).await?.context("a run without an event is always recorded")?;
    work_on(workspace, run, &bar).await
}

/// Works on a scheduled run, and on its further attempts, until it ends or pauses.
pub async fn work_on(workspace: &Workspace, run: i64, bar: &ProgressBar) -> anyhow::Result<Finished> {
    let outbox = Outbox::new(&workspace.store, &workspace.config);
    outbox.begin().await;
    let finished = to_its_end(workspace, run, bar).await;
    outbox.tell_within_budget().await;
    finished
}

async fn to_its_end(workspace: &Workspace, run: i64, bar: &ProgressBar) -> anyhow::Result<Finished> {
    loop {
        let record = recorded(&workspace.store, run).await?;
        let Claim::Taken { claim } = workspace.store.claim_run(run, &record.flow, None).await? else {
            return elsewhere(&workspace.store, run).await;
        };
        let stop = signals::stop_sign();
        let claimed = workspace.writing_by(workspace.store.of_claim(run, claim));
        let finished = execute(&claimed, &record, bar.clone(), stop).await?;
        let record = workspace.store.run(run).await?.context("the run was deleted while it ran")?;
        if record.state != State::Scheduled || finished.outcome.is_ok() {
            return Ok(finished);
        }
        tokio::select! {
            () = wait_until_due(&record) => {}
            () = signals::stopped() => return Ok(finished),
        }
    }
}

/// The end of a run that another process, or the server of this one, was faster to take. What it would have printed is what
/// its log has.
async fn elsewhere(store: &Store, run: i64) -> anyhow::Result<Finished> {
    loop {
        let record = recorded(store, run).await?;
        let outcome = match record.state {
            State::Completed => {
                let lines = store.logs(run, 0).await?.into_iter().map(|line| line.message);
                let text = lines.collect::<Vec<_>>().join("\n");
                Ok(Ended { name: record.state_name, message: record.message, text, ..Ended::default() })
            }
            state if state.is_terminal() || state == State::Paused => {
                Err(anyhow::anyhow!("run {run} is {}: {}", record.state_name, record.message))
            }
            _ => {
                tokio::time::sleep(ELSEWHERE_LOOK).await;
                continue;
            }
        };
        return Ok(Finished { run, tasks: Vec::new(), outcome });
    }
}

/// Sleeps until the run may start.
async fn wait_until_due(run: &Run) {
    let due: Option<jiff::Timestamp> = run.due_at.as_ref().and_then(|due| due.parse().ok());
    let wait = due.map(|due| due.duration_since(jiff::Timestamp::now()));
    tokio::time::sleep(wait.and_then(|wait| wait.try_into().ok()).unwrap_or_default()).await;
}

/// Works on a run that this process has claimed, until it ends, pauses or has to wait. The workspace writes by that claim.
pub async fn execute(
    workspace: &Workspace,
    record: &Run,
    bar: ProgressBar,
    stop: StopSign,
) -> anyhow::Result<Finished> {
    let flow = known(&workspace.config, &record.flow);
    let policy = flow.as_ref().map_or_else(|_| Ok(Policy::default()), Known::policy)?;
    let mut run = FlowRun::open(workspace, record, policy, bar, stop).await?;
    let outcome = match flow {
        Ok(flow) => flow.run(&mut run).await,
        Err(unknown) => Err(unknown),
    };
    let tasks = run.finish(&outcome).await?;
    Ok(Finished { run: record.id, tasks, outcome })
}

/// Which steps of a run are run again, beside those that have not completed.
#[derive(Debug, Clone, Copy)]
pub enum Again<'a> {
    None,
    From(&'a str),
    All,
}

impl<'a> Again<'a> {
    pub fn of(from: Option<&'a str>, all: bool) -> Self {
        match (from, all) {
            (Some(step), _) => Again::From(step),
            (None, true) => Again::All,
            (None, false) => Again::None,
        }
    }
}

/// Schedules another attempt of a run that ended short of success.
pub async fn schedule_retry(store: &Store, run: i64, again: Again<'_>, actor: &str) -> anyhow::Result<()> {
    let record = recorded(store, run).await?;
    if !record.state.may_become(State::Scheduled) || !record.state.is_terminal() {
        bail!(
            "run {run} is {} and cannot be tried again; only failed, crashed and cancelled runs can",
            record.state_name
        );
    }
    match again {
        Again::None => {}
        Again::All => store.run_afresh(run, None).await?,
        Again::From(step) => {
            let tasks = store.tasks(run).await?;
            if !tasks.iter().any(|task| task.name == step) {
                let mut names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
                names.dedup();
                bail!("run {run} has no step {step:?}; its steps were {}", names.join(", "));
            }
            store.run_afresh(run, Some(step)).await?;
        }
    }
    let moved = store.schedule_attempt(run, "tried again by hand", actor, &now()).await?;
    ensure!(moved, "run {run} was changed meanwhile; look at it with `streamflow flows inspect {run}`");
    Ok(())
}

/// Tries a run again in this process.
pub async fn retry_here(
    workspace: &Workspace,
    run: i64,
    again: Again<'_>,
    actor: &str,
    bar: ProgressBar,
) -> anyhow::Result<Finished> {
    // A run that waits has not been tried: its process was killed before it began.
    if recorded(&workspace.store, run).await?.state != State::Scheduled {
        schedule_retry(&workspace.store, run, again, actor).await?;
    }
    work_on(workspace, run, &bar).await
}

/// Asks a run to stop. What has not begun is cancelled at once; what runs stops at its next safe point.
pub async fn cancel(store: &Store, run: i64, actor: &str) -> anyhow::Result<State> {
    let record = recorded(store, run).await?;
    let message = format!("cancelled by {actor}");
    let (state, name) = match record.state {
        State::Scheduled | State::Paused => (State::Cancelled, "Cancelled"),
        State::Pending | State::Running => (State::Cancelling, "Cancelling"),
        State::Cancelling => return Ok(State::Cancelling),
        _ => bail!("run {run} has ended: it is {}", record.state_name),
    };
    let moved = store.move_run(run, &Step { state, name, message: &message, actor }).await?;
    ensure!(moved, "run {run} has ended meanwhile");
    Ok(state)
}

/// Records the answer to what a paused run asks.
pub async fn record_answer(store: &Store, run: i64, answer: Answer<'_>) -> anyhow::Result<()> {
    let record = recorded(store, run).await?;
    if !store.answer(run, answer).await? {
        bail!("run {run} is {} and waits for no answer", record.state_name);
    }
    Ok(())
}

/// Answers what a paused run asks and goes on with it in this process.
pub async fn answer_here(
    workspace: &Workspace,
    run: i64,
    answer: Answer<'_>,
    bar: ProgressBar,
) -> anyhow::Result<Finished> {
    record_answer(&workspace.store, run, answer).await?;
    work_on(workspace, run, &bar).await
}

async fn recorded(store: &Store, run: i64) -> anyhow::Result<Run> {
    let found = store.run(run).await?;
    found.with_context(|| format!("there is no run {run}; `streamflow flows runs` lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{new_run, temporary};

    #[tokio::test]
    async fn what_a_run_of_another_process_would_have_printed_is_what_its_log_has() {
        let (_dir, store) = temporary().await;
        let parameters = serde_json::json!({});
        let run = store.schedule_run(&new_run("monthly", &parameters)).await.unwrap().unwrap();
        store.log(run, "info", &["[drift] drift_share=0.1", "[performance] auc=0.8"]).await.unwrap();
        for (state, name) in [(State::Running, "Running"), (State::Completed, "NO_ACTION")] {
            let step = Step { state, name, message: "nothing to do", actor: "" };
            assert!(store.move_run(run, &step).await.unwrap());
        }
        let ended = elsewhere(&store, run).await.unwrap().outcome.unwrap();
        assert_eq!((&*ended.name, &*ended.message), ("NO_ACTION", "nothing to do"));
        assert_eq!(ended.text, "[drift] drift_share=0.1\n[performance] auc=0.8");
    }
}
