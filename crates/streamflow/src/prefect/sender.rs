//! Tells a Prefect server of one run what the store has and it was not told: in order, each thing at least once.

use serde_json::{Value, json};

use super::items;
use super::server::{CallError, Server, is_uuid, shortened};
use crate::store::mirror::{Mirrored, Told};
use crate::store::runs::Run;
use crate::store::{State, Store};

/// States there that no report may overwrite; CANCELLING too, because its worker is about to end this process.
const FINAL_STATES: [&str; 5] = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING"];
/// Why Prefect refuses a state that it has taken before.
const TAKEN_BEFORE: &str = "already made this state transition";

/// The conversation about one run.
pub struct Sender {
    server: Server,
    store: Store,
    run: i64,
    /// The first thing that Prefect did not take.
    refused: Option<String>,
}

impl Sender {
    pub fn new(server: Server, store: Store, run: i64) -> Self {
        Self { server, store, run, refused: None }
    }

    /// The first thing that Prefect did not take, once.
    pub fn take_refused(&mut self) -> Option<String> {
        self.refused.take()
    }

    /// Tells all that was not told.
    ///
    /// # Errors
    /// A server that does not answer, or a store that cannot be read: the rest is to be told later. What the server does
    /// not take is left out.
    pub async fn catch_up(&mut self) -> Result<(), CallError> {
        while let Some(mut mirrored) = self.store.mirrored(self.run).await.map_err(stored)? {
            if mirrored.is_closed {
                return Ok(());
            }
            let told = self
                .store
                .transitions_to_tell(self.run, mirrored.position.transition)
                .await
                .map_err(stored)?;
            let id = match &mirrored.prefect_id {
                Some(id) => id.clone(),
                // What waits for its first start is not shown yet.
                None if told.iter().all(|told| matches!(told.state, State::Scheduled | State::Pending)) => {
                    return Ok(());
                }
                None => self.create().await?,
            };
            if told.is_empty() {
                return self.tell_texts(&id, &mut mirrored).await;
            }
            self.tell_transitions(&id, &mut mirrored, &told).await?;
        }
        Ok(())
    }

    async fn tell_transitions(
        &mut self,
        id: &str,
        mirrored: &mut Mirrored,
        all: &[Told],
    ) -> Result<(), CallError> {
        let mut events = Vec::new();
        for told in all {
            match &told.task {
                Some(task) => events.push(items::task_event(id, told, task)),
                None if items::is_run_state_told(told, mirrored) => {
                    self.tell_events(&mut events).await?;
                    // Lines that belong to the state stand before it.
                    if told.state.is_terminal() || told.state == State::Paused {
                        self.tell_texts(id, mirrored).await?;
                    }
                    if !self.tell_state(id, mirrored, told).await? {
                        return Ok(());
                    }
                }
                None => {}
            }
            if told.task.is_none() && !matches!(told.state, State::Scheduled | State::Pending) {
                mirrored.last = Some(told.state);
            }
            if events.is_empty() {
                mirrored.position.transition = told.id;
                self.store.set_mirrored(self.run, mirrored.position).await.map_err(stored)?;
            }
        }
        self.tell_events(&mut events).await?;
        mirrored.position.transition = all.last().map_or(mirrored.position.transition, |last| last.id);
        self.store.set_mirrored(self.run, mirrored.position).await.map_err(stored)
    }

    async fn tell_events(&mut self, events: &mut Vec<Value>) -> Result<(), CallError> {
        if events.is_empty() {
            return Ok(());
        }
        let told = self.server.post("events", &json!(events)).await;
        events.clear();
        self.unless_refused(told).map(drop)
    }

    /// Sets a state of the run; false where Prefect is to be told no more of it.
    async fn tell_state(&mut self, id: &str, mirrored: &Mirrored, told: &Told) -> Result<bool, CallError> {
        // Its server lets a run that has ended become RUNNING again, so it is asked before the first state and the last.
        if (mirrored.last.is_none() || told.state.is_terminal()) && !self.is_open(id, told.state).await? {
            self.store.close_mirror(self.run).await.map_err(stored)?;
            return Ok(false);
        }
        let body = items::run_state(id, told, jiff::Timestamp::now());
        let answer = self.server.post(&format!("flow_runs/{id}/set_state"), &body).await;
        let is_taken = match self.unless_refused(answer)? {
            Some(answer) if answer["status"] == "WAIT" => {
                return Err(CallError::Early(format!(
                    "prefect answered a state with WAIT: {}",
                    answer["details"]
                )));
            }
            Some(answer) => self.accepted(&answer, told.state),
            None => false,
        };
        if !is_taken {
            self.store.close_mirror(self.run).await.map_err(stored)?;
        }
        Ok(is_taken)
    }

    /// False where Prefect has ended the run itself.
    async fn is_open(&mut self, id: &str, next: State) -> Result<bool, CallError> {
        let run = match self.server.get(&format!("flow_runs/{id}")).await {
            Err(CallError::Missing(reason)) => {
                self.refused.get_or_insert(reason);
                return Ok(false);
            }
            answer => answer?,
        };
        let state = run["state_type"].as_str().unwrap_or_default();
        let is_ending = state == "CANCELLING" && next == State::Cancelled;
        let is_open = is_ending || !FINAL_STATES.contains(&state);
        if !is_open {
            self.refused.get_or_insert(format!("the run is {state} in prefect already"));
        }
        Ok(is_open)
    }

    /// True when Prefect's orchestration took a state: only `ACCEPT` says so, whatever the HTTP status.
    fn accepted(&mut self, answer: &Value, state: State) -> bool {
        let reason = answer["details"]["reason"].as_str().unwrap_or("no reason given");
        if answer["status"] == "ACCEPT" || reason.contains(TAKEN_BEFORE) {
            return true;
        }
        let reason = shortened(reason, 300);
        self.refused.get_or_insert(format!(
            "prefect answered the state {} with {}: {reason}",
            state.as_str(),
            answer["status"]
        ));
        false
    }

    /// Tells what the run wrote: lines of its log and documents.
    async fn tell_texts(&mut self, id: &str, mirrored: &mut Mirrored) -> Result<(), CallError> {
        loop {
            let lines = self.store.logs_to_tell(self.run, mirrored.position.log).await.map_err(stored)?;
            let Some(last) = lines.last().map(|line| line.id) else { break };
            let body: Vec<Value> = lines.iter().map(|line| items::log(id, line)).collect();
            let told = self.server.post("logs/", &json!(body)).await;
            self.unless_refused(told)?;
            mirrored.position.log = last;
            self.store.set_mirrored(self.run, mirrored.position).await.map_err(stored)?;
        }
        for artifact in
            self.store.artifacts_to_tell(self.run, mirrored.position.artifact).await.map_err(stored)?
        {
            let told = self.server.post("artifacts/", &items::artifact(id, &artifact)).await;
            self.unless_refused(told)?;
            mirrored.position.artifact = artifact.id;
            self.store.set_mirrored(self.run, mirrored.position).await.map_err(stored)?;
        }
        Ok(())
    }

    /// Makes the run there. The same key gives the same run, should this be sent twice.
    async fn create(&mut self) -> Result<String, CallError> {
        let gone = || CallError::Lost(format!("run {} was deleted", self.run));
        let run = self.store.run(self.run).await.map_err(stored)?.ok_or_else(gone)?;
        let began = self.store.transitions(self.run).await.map_err(stored)?;
        let began = began.first().map(|first| first.at.clone()).unwrap_or_default();
        let flow = id_of("flows/", &self.server.post("flows/", &json!({ "name": run.flow })).await?)?;
        let made = self.server.post("flow_runs/", &new_run(&run, &flow, &began)).await?;
        let id = id_of("flow_runs/", &made)?;
        self.store.set_prefect_id(self.run, &id).await.map_err(stored)?;
        Ok(id)
    }

    /// True where somebody wants the run to stop.
    pub async fn is_cancelling(&self) -> bool {
        let Ok(Some(Mirrored { prefect_id: Some(id), .. })) = self.store.mirrored(self.run).await else {
            return false;
        };
        let run = self.server.get(&format!("flow_runs/{id}")).await;
        run.is_ok_and(|run| matches!(run["state_type"].as_str(), Some("CANCELLING" | "CANCELLED")))
    }

    /// The answer; none where the server did not take the item, which is left out then.
    fn unless_refused(&mut self, answer: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(CallError::Refused(reason) | CallError::Missing(reason)) => {
                self.refused.get_or_insert(reason);
                Ok(None)
            }
            Err(lost) => Err(lost),
        }
    }
}

fn new_run(run: &Run, flow: &str, began: &str) -> Value {
    let name: String =
        began.split('.').next().unwrap_or_default().chars().filter(|c| *c != '-' && *c != ':').collect();
    json!({
        "flow_id": flow,
        "name": format!("{}-{}-{name}", run.flow, run.id),
        "parameters": run.parameters,
        "tags": ["streamflow"],
        "idempotency_key": format!("streamflow {} {} {began}", run.flow, run.id),
        "state": { "type": "PENDING" },
    })
}

fn id_of(path: &str, answer: &Value) -> Result<String, CallError> {
    match answer["id"].as_str() {
        Some(id) if is_uuid(id) => Ok(id.to_owned()),
        _ => Err(CallError::Lost(format!("{path} answered without an id"))),
    }
}

fn stored(error: sqlx::Error) -> CallError {
    CallError::Lost(format!("the database: {error}"))
}
