//! One run of a flow: every task timed, logged and recorded in the store, and in Prefect where one is configured.

use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;

use super::Flow;
use crate::prefect::PrefectRun;
use crate::store::Store;
use crate::store::runs::State;
use crate::terminal::one_line;

/// The record of a finished task.
#[derive(Debug, Clone, Serialize)]
pub struct TaskRecord {
    pub name: &'static str,
    pub state: State,
    pub duration_ms: f64,
}

/// A running flow. Tasks run one after the other; the caller ends it with `finish`.
pub struct FlowRun {
    pub id: i64,
    store: Store,
    prefect: Option<PrefectRun>,
    tasks: Vec<TaskRecord>,
}

impl FlowRun {
    /// Records the start. A Prefect server that does not answer costs a warning, not the run.
    pub async fn start(store: Store, flow: &Flow, parameters: serde_json::Value) -> anyhow::Result<Self> {
        let mut prefect = PrefectRun::from_env(flow.name, &parameters)?;
        let id = store.start_run(flow.name, &parameters).await.context("cannot record the run")?;
        if let Some(prefect) = &mut prefect {
            prefect.start().await;
        }
        Ok(Self { id, store, prefect, tasks: Vec::new() })
    }

    /// Runs `work` off the async threads as the task `name` and passes its result on.
    pub async fn task<T: Send + 'static>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let id = self.store.start_task(self.id, name).await.context("cannot record the task")?;
        if let Some(prefect) = &mut self.prefect {
            prefect.task_started(name).await;
        }
        let start = Instant::now();
        let outcome = tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(panic.into()));
        let duration_ms = start.elapsed().as_secs_f64() * 1e3;

        let (state, message) = match &outcome {
            Ok(_) => (State::Completed, String::new()),
            Err(error) => (State::Failed, one_line(error)),
        };
        self.store.finish_task(id, state, &message, duration_ms).await.context("cannot record the task")?;
        if let Some(prefect) = &mut self.prefect {
            prefect.task_finished(name, outcome.as_ref().map(|_| ()).map_err(|_| message.as_str())).await;
        }
        self.tasks.push(TaskRecord { name, state, duration_ms });
        match state {
            State::Failed => self.log("error", &format!("task {name} failed: {message}")).await?,
            _ => self.log("info", &format!("task {name} completed in {duration_ms:.1} ms")).await?,
        }
        outcome
    }

    /// Adds a line to the run's log, here and in Prefect.
    pub async fn log(&mut self, level: &'static str, message: &str) -> anyhow::Result<()> {
        // A failure is the command's error too, which is printed there.
        tracing::info!(run = self.id, level, "{message}");
        if let Some(prefect) = &mut self.prefect {
            prefect.log(level, message);
        }
        self.store.log(self.id, level, message).await.context("cannot record the log")
    }

    /// Records the name of the report that the run wrote.
    pub async fn report(&self, name: &str) -> anyhow::Result<()> {
        self.store.set_report(self.id, name).await.context("cannot record the report of the run")
    }

    /// Hands a document to Prefect, where one is configured.
    pub async fn artifact(&mut self, key: &str, markdown: &str) {
        if let Some(prefect) = &mut self.prefect {
            prefect.artifact(key, markdown).await;
        }
    }

    /// Records the end: completed under the outcome's name, or failed with its error.
    pub async fn finish(mut self, outcome: Result<&str, &anyhow::Error>) -> anyhow::Result<Vec<TaskRecord>> {
        let (state, name, message) = match outcome {
            Ok(name) => (State::Completed, name, String::new()),
            Err(error) => (State::Failed, "Failed", one_line(error)),
        };
        self.store
            .finish_run(self.id, state, name, &message)
            .await
            .context("cannot record the end of the run")?;
        if let Some(prefect) = &mut self.prefect {
            prefect.finish(outcome.map_err(|_| message.as_str())).await;
        }
        Ok(self.tasks)
    }
}
