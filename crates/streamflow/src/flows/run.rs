//! One run of a flow: its steps one after the other, each timed, logged, tried again where that may help, and recorded
//! in the store, and in Prefect where one is configured.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinError;

use super::lease::{Lease, StopSign};
use super::parameters::Parameters;
use super::policy::Policy;
use crate::prefect::{self, Mirror};
use crate::store::runs::Run;
use crate::store::tasks::TaskEnd;
use crate::store::transitions::Step;
use crate::store::{State, Store};
use crate::terminal::one_line;
use crate::workspace::Workspace;

/// How long a step may go on after somebody has cancelled the run or its time is up.
const GRACE: Duration = Duration::from_secs(10);

/// How a run ended well.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// The outcome in a word, such as `NO_ACTION`.
    pub name: String,
    /// The same in a sentence; empty where the word says all.
    pub message: String,
    /// What the run found, as `--format json` prints it.
    pub value: Value,
    /// What the run found, for people.
    pub text: String,
}

/// Why a run stopped before its end without having failed.
#[derive(Debug, thiserror::Error)]
pub enum Interrupt {
    #[error("cancelled at the step {0}")]
    Cancelled(String),
    #[error("the run waits for an answer: {0}")]
    Suspended(String),
    #[error("the step {step} took longer than {limit:?}")]
    TimedOut { step: String, limit: Duration },
}

/// The record of a finished step.
#[derive(Debug, Clone, Serialize)]
pub struct TaskRecord {
    pub name: String,
    pub state: State,
    pub duration_ms: f64,
}

/// What is kept of a step.
struct Output {
    output: Value,
    /// Hash of what it was made of, where other runs may take it over.
    input: Option<String>,
}

/// What the work of a step is given.
#[derive(Clone)]
pub struct StepContext {
    /// Tells when the work is to stop.
    pub stop: StopSign,
    /// Shows how far the work is; hidden where nobody looks.
    pub bar: ProgressBar,
    run: i64,
    store: Store,
}

impl StepContext {
    /// Adds a line to the run's log. A line that cannot be recorded does not end the step.
    pub async fn log(&self, level: &'static str, line: &str) {
        tracing::info!(run = self.run, level, "{line}");
        if let Err(error) = self.store.log(self.run, level, &[line]).await {
            tracing::warn!(run = self.run, "a line of the log was not recorded: {error}");
        }
    }
}

/// A running flow.
pub struct FlowRun {
    pub id: i64,
    pub workspace: Workspace,
    pub parameters: Parameters,
    /// Who or what started it.
    pub cause: String,
    attempt: i64,
    /// Whether no results of other runs are taken over.
    afresh: bool,
    policy: Policy,
    /// What earlier attempts have completed, in order.
    completed: VecDeque<(String, Value)>,
    tasks: Vec<TaskRecord>,
    prefect: Option<Mirror>,
    stop: StopSign,
    bar: ProgressBar,
    _lease: Lease,
}

impl FlowRun {
    /// Goes on with a run that this process has claimed. A Prefect server that does not answer costs a warning, not the
    /// run.
    pub async fn open(
        workspace: &Workspace,
        record: &Run,
        policy: Policy,
        bar: ProgressBar,
        stop: StopSign,
    ) -> anyhow::Result<Self> {
        let store = &workspace.store;
        prefect::check_environment()?;
        let parameters = Parameters::of_run(&record.parameters);
        let name = if record.attempt > 1 { "Retrying" } else { "Running" };
        let moved = store.move_run(record.id, &Step::new(State::Running, name, "")).await?;
        anyhow::ensure!(moved, "run {} cannot be started: another process has ended it", record.id);
        let wished = stop.clone();
        let prefect = Mirror::begin(store, record.id, move || wished.set()).await?;
        Ok(Self {
            id: record.id,
            parameters,
            cause: record.cause.clone(),
            attempt: record.attempt,
            afresh: record.afresh,
            policy,
            completed: store.outputs(record.id).await.context("cannot read the steps of the run")?.into(),
            tasks: Vec::new(),
            prefect,
            _lease: Lease::hold(store.clone(), record.id, stop.clone())?,
            stop,
            bar,
            workspace: workspace.clone(),
        })
    }

    /// Runs `work` as the step `name` and keeps its result: a later attempt of the run takes the result and does not run
    /// the step again. Work that writes must come to the same when it is tried twice.
    pub async fn step<T, F>(
        &mut self,
        name: &str,
        work: impl Fn(StepContext) -> F + Send,
    ) -> anyhow::Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        if let Some(value) = self.taken_over(name).await? {
            return Ok(value);
        }
        self.kept_step(name, None, work).await
    }

    /// Like [`FlowRun::step`], for work that comes to the same whenever its inputs are the same: where the flow says for
    /// how long ([`Policy::cache_for`]), the result of another run with these inputs is taken over, unless `still`
    /// finds that it is of no use any more.
    pub async fn cached<T, F>(
        &mut self,
        name: &str,
        inputs: impl FnOnce() -> anyhow::Result<String>,
        still: impl AsyncFnOnce(T) -> anyhow::Result<Option<T>>,
        work: impl Fn(StepContext) -> F + Send,
    ) -> anyhow::Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        if let Some(value) = self.taken_over(name).await? {
            return Ok(value);
        }
        let Some(age) = self.policy.cache_for else { return self.kept_step(name, None, work).await };
        let input = inputs()?;
        let since = format!("{:.3}", jiff::Timestamp::now().saturating_sub(age)?);
        let store = self.workspace.store.clone();
        let kept = if self.afresh { None } else { store.kept_output(&input, &since).await? };
        if let Some(kept) = kept
            && let Ok(value) = serde_json::from_value(kept.output.clone())
            && let Some(value) = still(value).await?
        {
            self.check_stop(name)?;
            self.completed.clear();
            store.cached_task(self.id, name, self.attempt, &kept).await.context("cannot record the step")?;
            self.poke();
            self.tasks.push(TaskRecord { name: name.to_owned(), state: State::Completed, duration_ms: 0.0 });
            self.log("info", &format!("step {name} has the inputs of run {}; its result is taken", kept.run))
                .await?;
            return Ok(value);
        }
        self.kept_step(name, Some(input), work).await
    }

    /// Runs a step whose result is kept for later attempts, and under its input for other runs.
    async fn kept_step<T, F>(
        &mut self,
        name: &str,
        input: Option<String>,
        work: impl Fn(StepContext) -> F + Send,
    ) -> anyhow::Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        // What was completed after a step that runs again was made of another result.
        self.completed.clear();
        let keep = |value: &T| {
            let output = serde_json::to_value(value)?;
            Ok(Some(Output { output, input: input.clone() }))
        };
        self.attempts(name, work, keep).await
    }

    /// The result of the step `name` where an earlier attempt has completed it and it is the next one.
    pub async fn taken_over<T: DeserializeOwned>(&mut self, name: &str) -> anyhow::Result<Option<T>> {
        let Some((_, value)) = self.completed.pop_front_if(|(done, _)| done == name) else { return Ok(None) };
        self.log("info", &format!("step {name} was completed before; its result is taken over")).await?;
        let value = serde_json::from_value(value);
        value.map(Some).with_context(|| format!("cannot take over the result of step {name}"))
    }

    /// Runs `work` as the step `name`, in every attempt of the run anew: it only reads.
    pub async fn read<T, F>(
        &mut self,
        name: &str,
        work: impl Fn(StepContext) -> F + Send,
    ) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        self.attempts(name, work, |_| Ok(None)).await
    }

    /// Tries a step as often as the policy says.
    async fn attempts<T, F>(
        &mut self,
        name: &str,
        work: impl Fn(StepContext) -> F + Send,
        output: impl Fn(&T) -> anyhow::Result<Option<Output>>,
    ) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        self.check_stop(name)?;
        let store = self.workspace.store.clone();
        let task = store.start_task(self.id, name, self.attempt).await.context("cannot record the step")?;
        self.poke();
        self.bar.set_message(name.to_owned());
        let begun = Instant::now();
        let mut delays = self.policy.delays();
        let outcome = loop {
            let context = StepContext {
                stop: self.stop.clone(),
                bar: self.bar.clone(),
                run: self.id,
                store: store.clone(),
            };
            let outcome = self.bounded(name, work(context)).await;
            let Err(error) = &outcome else { break outcome };
            let Some(delay) = delays.next().filter(|_| !is_interrupt(error)) else { break outcome };
            self.wait_to_retry(task, error, delay).await?;
        };
        let outcome = match outcome {
            Ok(value) => output(&value).map(|output| (value, output)),
            Err(error) => Err(error),
        };
        self.record(task, name, begun, outcome).await
    }

    /// Waits before a step is tried again, and tells so.
    async fn wait_to_retry(
        &mut self,
        task: i64,
        error: &anyhow::Error,
        delay: Duration,
    ) -> anyhow::Result<()> {
        let message = format!("{}; trying again in {delay:?}", one_line(error));
        let store = self.workspace.store.clone();
        let waiting = Step::new(State::Scheduled, "AwaitingRetry", &message);
        store.move_task(self.id, task, &waiting).await?;
        self.log("warning", &message).await?;
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.stop.wait() => {}
        }
        store.move_task(self.id, task, &Step::new(State::Running, "Retrying", "")).await?;
        Ok(())
    }

    /// The work within its time, ended when somebody cancels the run.
    async fn bounded<T: Send + 'static>(
        &self,
        name: &str,
        work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let mut task = tokio::spawn(work);
        let limit = self.policy.timeout.unwrap_or(Duration::MAX);
        let late = tokio::select! {
            outcome = &mut task => return outcome.unwrap_or_else(|end| Err(panicked(end))),
            () = self.stop.wait() => Interrupt::Cancelled(name.to_owned()),
            () = sleep_up_to(limit) => Interrupt::TimedOut { step: name.to_owned(), limit },
        };
        self.stop.set();
        match tokio::time::timeout(GRACE, &mut task).await {
            // It was done before it looked; whether the run goes on is asked before the next step.
            Ok(Ok(Ok(value))) if matches!(late, Interrupt::Cancelled(_)) => Ok(value),
            Ok(_) => Err(late.into()),
            Err(_) => {
                task.abort();
                Err(late.into())
            }
        }
    }

    async fn record<T>(
        &mut self,
        task: i64,
        name: &str,
        begun: Instant,
        outcome: anyhow::Result<(T, Option<Output>)>,
    ) -> anyhow::Result<T> {
        let duration_ms = begun.elapsed().as_secs_f64() * 1e3;
        let (state, word, message) = match &outcome {
            Ok(_) => (State::Completed, "Completed", String::new()),
            Err(error) => end_of(error),
        };
        let output = outcome.as_ref().ok().and_then(|(_, output)| output.as_ref());
        let (level, line) = match state {
            State::Completed => ("info", format!("task {name} completed in {duration_ms:.1} ms")),
            _ => ("error", format!("task {name} failed: {message}")),
        };
        tracing::info!(run = self.id, level, "{line}");
        let end = TaskEnd {
            line: (level, &line),
            step: Step::new(state, word, &message),
            duration_ms,
            output: output.map(|kept| &kept.output),
            input: output.and_then(|kept| kept.input.as_deref()),
        };
        let store = self.workspace.store.clone();
        store.finish_task(self.id, task, &end).await.context("cannot record the step")?;
        self.poke();
        self.tasks.push(TaskRecord { name: name.to_owned(), state, duration_ms });
        outcome.map(|(value, _)| value)
    }

    fn check_stop(&self, next: &str) -> anyhow::Result<()> {
        if self.stop.is_set() { Err(Interrupt::Cancelled(next.to_owned()).into()) } else { Ok(()) }
    }

    /// Asks somebody, and ends this process's part of the run until there is an answer. With one, gives who approved.
    ///
    /// # Errors
    /// [`Interrupt::Suspended`] while nobody has answered; an error when the answer was no.
    pub async fn approval(&mut self, step: &str, question: &str, within: Duration) -> anyhow::Result<String> {
        let store = self.workspace.store.clone();
        let Some(approval) = store.approval(self.id, step).await? else {
            let expires_at = format!("{:.3}", jiff::Timestamp::now() + within);
            self.log("info", question).await?;
            store.ask(self.id, step, question, &expires_at).await.context("cannot record the question")?;
            return Err(Interrupt::Suspended(question.to_owned()).into());
        };
        let by = approval.answered_by.clone().unwrap_or_default();
        match approval.answer.as_deref() {
            Some("approved") => {
                self.log("info", &format!("{step} was approved by {by}")).await?;
                Ok(by)
            }
            Some(_) => anyhow::bail!("{step} was rejected by {by} {}", approval.note),
            None => {
                store.ask(self.id, step, question, &approval.expires_at).await?;
                Err(Interrupt::Suspended(question.to_owned()).into())
            }
        }
    }

    /// Says that Prefect may be told something.
    fn poke(&self) {
        if let Some(prefect) = &self.prefect {
            prefect.poke();
        }
    }

    /// Adds a line to the run's log.
    pub async fn log(&mut self, level: &'static str, message: &str) -> anyhow::Result<()> {
        // A failure is the command's error too, which is printed there.
        tracing::info!(run = self.id, level, "{message}");
        self.workspace.store.log(self.id, level, &[message]).await.context("cannot record the log")
    }

    /// Records the name of the report that the run wrote.
    pub async fn report(&self, name: &str) -> anyhow::Result<()> {
        self.workspace.store.set_report(self.id, name).await.context("cannot record the report of the run")
    }

    /// Keeps a document for people. One that cannot be kept does not end the run.
    pub async fn artifact(&self, key: &str, markdown: &str) {
        if let Err(error) = self.workspace.store.keep_artifact(self.id, key, markdown).await {
            tracing::warn!(run = self.id, "a document of the run was not kept: {error}");
        }
    }

    /// Records the end: completed under the outcome's name, paused, cancelled, waiting to be tried again, or failed with
    /// its error.
    pub async fn finish(mut self, outcome: &anyhow::Result<Ended>) -> anyhow::Result<Vec<TaskRecord>> {
        self.bar.finish_and_clear();
        let ended = self.end(outcome).await;
        if let Some(prefect) = self.prefect.take() {
            prefect.finish().await;
        }
        ended.map(|()| self.tasks)
    }

    async fn end(&self, outcome: &anyhow::Result<Ended>) -> anyhow::Result<()> {
        let store = self.workspace.store.clone();
        let (state, name, message) = match outcome {
            Ok(ended) => (State::Completed, ended.name.clone(), ended.message.clone()),
            Err(error) if matches!(error.downcast_ref(), Some(Interrupt::Suspended(_))) => return Ok(()),
            Err(error) => {
                let (state, name, message) = end_of(error);
                (state, name.to_owned(), message)
            }
        };
        let retry = self.policy.run_delay(self.attempt).filter(|_| state == State::Failed);
        if let Some(delay) = retry {
            let due_at = format!("{:.3}", jiff::Timestamp::now() + delay);
            return retry_run(&store, self.id, &message, &due_at).await;
        }
        if state == State::Cancelled {
            // A process that was told by a signal has not been asked through the database.
            store.move_run(self.id, &Step::new(State::Cancelling, "Cancelling", "")).await?;
        }
        let end = Step::new(state, &name, &message);
        store.move_run(self.id, &end).await.context("cannot record the end of the run")?;
        Ok(())
    }
}

/// Schedules the next attempt of a run.
async fn retry_run(store: &Store, run: i64, message: &str, due_at: &str) -> anyhow::Result<()> {
    store.schedule_attempt(run, message, "", due_at).await.context("cannot record the next attempt")?;
    Ok(())
}

/// True for a run that waits for an answer.
pub fn is_waiting(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Interrupt::Suspended(_)))
}

/// True for what ends a run without its having failed.
pub fn is_interrupt(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Interrupt::Cancelled(_) | Interrupt::Suspended(_)))
}

/// State, name and message of a run or a step that did not complete.
fn end_of(error: &anyhow::Error) -> (State, &'static str, String) {
    let message = one_line(error);
    match error.downcast_ref() {
        Some(Interrupt::Cancelled(_)) => (State::Cancelled, "Cancelled", message),
        Some(Interrupt::TimedOut { .. }) => (State::Failed, "TimedOut", message),
        Some(Interrupt::Suspended(_)) => (State::Paused, "Suspended", message),
        None => (State::Failed, "Failed", message),
    }
}

/// The words of a panic.
fn panicked(end: JoinError) -> anyhow::Error {
    let Ok(panic) = end.try_into_panic() else { return anyhow::anyhow!("the step was ended") };
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    anyhow::anyhow!("the step panicked, which is a bug: {}", words.unwrap_or("no words"))
}

/// Sleeps for so long; for ever where the time is beyond what the clock counts.
async fn sleep_up_to(limit: Duration) {
    match tokio::time::Instant::now().checked_add(limit) {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Runs `work` off the async threads.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|end| Err(panicked(end)))
}
