//! Shows one flow run in a Prefect server: states, tasks, logs, an artifact, over Prefect's REST API.
//!
//! Prefect is where a team already looks at its flows, so a flow run here also appears there when
//! `PREFECT_API_URL` is set. Reporting never decides about the flow: a server that refuses, fails or
//! hangs costs one warning and at most [`Limits::budget`] of waiting, and the flow goes on without it.
//!
//! Prefect stamps states with its own clock on arrival, so states are sent as they happen, not afterwards.
//! Its server lets a finished run become RUNNING again; a run whose state is terminal is left alone here.

mod server;

use reqwest::Method;
use serde_json::{Value, json};

use server::{CallError, Server, is_uuid, shortened};
pub use server::{Connection, Limits};

/// States that no report may overwrite; CANCELLING too, because its worker is about to end this process.
const FINAL_STATES: [&str; 5] = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING"];
/// Log lines kept until the task ends; later ones are dropped, and their number is reported.
const LOG_LINES_MAX: usize = 1_000;
/// Log lines in one request, so that a request stays below Prefect's own 4 MB batches.
const LOG_BATCH: usize = 100;
/// Longest log line or state message in bytes; Prefect Cloud's limit is 25,000.
const MESSAGE_BYTES_MAX: usize = 20_000;
/// Longest artifact in bytes.
const ARTIFACT_BYTES_MAX: usize = 500_000;

/// One flow run as reported to Prefect: `start`, then tasks one after the other, logs and artifacts at
/// any time, `finish` once. No report fails the flow; [`failure`](Self::failure) says what went wrong.
pub struct PrefectRun {
    server: Server,
    flow_name: String,
    parameters: Value,
    run_id: Option<String>,
    task: Option<Task>,
    tasks_started: usize,
    logs: Vec<Value>,
    logs_dropped: usize,
    /// Nothing but the final state is sent any more.
    silent: bool,
    /// Prefect had the run in a final state, or refused one: not even the final state is sent.
    closed: bool,
    failure: Option<String>,
}

/// The task that is running; `id` is missing when Prefect did not take it.
struct Task {
    name: String,
    id: Option<String>,
}

impl PrefectRun {
    /// A run to be reported where the environment says; `None` when `PREFECT_API_URL` is unset or empty.
    /// `parameters` is an object. Nothing is sent before [`start`](Self::start).
    ///
    /// # Errors
    /// As [`Connection::from_variables`] and [`new`](Self::new).
    pub fn from_env(flow_name: &str, parameters: &Value) -> anyhow::Result<Option<Self>> {
        let connection = Connection::from_variables(|name| std::env::var(name).ok())?;
        connection.map(|connection| Self::new(connection, flow_name, parameters)).transpose()
    }

    /// A run to be reported to `connection`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made: `https` on a machine without any CA certificate.
    pub fn new(connection: Connection, flow_name: &str, parameters: &Value) -> anyhow::Result<Self> {
        Ok(Self {
            server: Server::new(connection)?,
            flow_name: flow_name.to_owned(),
            parameters: parameters.clone(),
            run_id: None,
            task: None,
            tasks_started: 0,
            logs: Vec::new(),
            logs_dropped: 0,
            silent: false,
            closed: false,
            failure: None,
        })
    }

    /// The first thing that Prefect did not take, if any; it was logged as a warning when it happened.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Creates the run, or takes the one this process was started for, and sets it RUNNING.
    pub async fn start(&mut self) {
        if self.run_id.is_some() || self.closed {
            return;
        }
        self.run_id = match self.server.flow_run_id() {
            Some(id) => Some(id.to_owned()),
            None => self.create_run().await,
        };
        let Some(run_id) = self.run_id.clone() else { return };
        let moved = self.set_running(&run_id).await;
        self.noted(moved);
    }

    async fn create_run(&mut self) -> Option<String> {
        let flow_id = self.created("flows/", &json!({"name": self.flow_name})).await?;
        let run = json!({
            "flow_id": flow_id,
            "name": format!("{}-{}", self.flow_name, jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ")),
            "parameters": self.parameters,
            "tags": ["streamflow"],
            "state": {"type": "PENDING"},
        });
        self.created("flow_runs/", &run).await
    }

    async fn set_running(&mut self, run_id: &str) -> Result<(), CallError> {
        let run = self.server.call(Method::GET, &format!("flow_runs/{run_id}"), None).await?;
        self.closed = is_final(&run);
        not_final(&run)?;
        let path = format!("flow_runs/{run_id}/set_state");
        let answer =
            self.server.call(Method::POST, &path, Some(&json!({"state": {"type": "RUNNING"}}))).await?;
        let taken = accepted(&answer);
        self.closed = taken.is_err();
        taken
    }

    /// A task begins; one that still runs is completed first.
    pub async fn task_started(&mut self, name: &str) {
        self.end_task(Ok(())).await;
        self.tasks_started += 1;
        let mut task = Task { name: name.to_owned(), id: None };
        if let Some(run_id) = self.reporting() {
            let body = json!({
                "flow_run_id": run_id,
                "name": name,
                "task_key": name,
                // Unique per attempt: Prefect answers a repeated key with the old task run.
                "dynamic_key": format!("{}-{}", jiff::Timestamp::now().as_microsecond(), self.tasks_started),
                "state": {"type": "RUNNING"},
            });
            task.id = self.created("task_runs/", &body).await;
        }
        self.task = Some(task);
    }

    /// The task `name` has ended: COMPLETED, or FAILED with the reason. A name that is not running is ignored.
    pub async fn task_finished(&mut self, name: &str, outcome: Result<(), &str>) {
        if self.task.as_ref().is_some_and(|task| task.name == name) {
            self.end_task(outcome).await;
        }
    }

    async fn end_task(&mut self, outcome: Result<(), &str>) {
        let Some(task) = self.task.take() else { return };
        if let Some(id) = task.id.filter(|_| self.reporting().is_some()) {
            let state = match outcome {
                Ok(()) => json!({"type": "COMPLETED"}),
                Err(reason) => json!({"type": "FAILED", "message": shortened(reason, MESSAGE_BYTES_MAX)}),
            };
            let path = format!("task_runs/{id}/set_state");
            let answer = self.server.call(Method::POST, &path, Some(&json!({"state": state}))).await;
            self.noted(answer.and_then(|answer| accepted(&answer)));
        }
        self.send_logs().await;
    }

    /// Keeps a log line of level `error`, `warn`, `info` or `debug` (another counts as `info`); lines are sent in
    /// batches when a task or the run ends.
    pub fn log(&mut self, level: &str, message: &str) {
        if self.silent || self.closed {
            return;
        }
        if self.logs.len() == LOG_LINES_MAX {
            self.logs_dropped += 1;
            return;
        }
        self.logs.push(self.log_line(level, message));
    }

    fn log_line(&self, level: &str, message: &str) -> Value {
        json!({
            "name": "streamflow.flow_runs",
            "level": python_level(level),
            "message": shortened(message, MESSAGE_BYTES_MAX),
            "timestamp": jiff::Timestamp::now().to_string(),
            "task_run_id": self.task.as_ref().and_then(|task| task.id.as_deref()),
        })
    }

    async fn send_logs(&mut self) {
        let mut lines = std::mem::take(&mut self.logs);
        if self.logs_dropped > 0 {
            let message =
                format!("{} log lines were dropped: {LOG_LINES_MAX} are kept for a task", self.logs_dropped);
            lines.push(self.log_line("warn", &message));
            self.logs_dropped = 0;
        }
        for batch in lines.chunks_mut(LOG_BATCH) {
            let Some(run_id) = self.reporting() else { return };
            for line in batch.iter_mut() {
                line["flow_run_id"] = json!(run_id);
            }
            let answer = self.server.call(Method::POST, "logs/", Some(&json!(batch))).await;
            self.noted(answer);
        }
    }

    /// Attaches a markdown document to the run. Prefect's keys are `[a-z0-9-]`; other characters become `-`.
    pub async fn artifact(&mut self, key: &str, markdown: &str) {
        let Some(run_id) = self.reporting() else { return };
        let data = shortened(markdown, ARTIFACT_BYTES_MAX);
        let body = json!({"key": artifact_key(key), "type": "markdown", "data": data, "flow_run_id": run_id});
        let answer = self.server.call(Method::POST, "artifacts/", Some(&body)).await;
        self.noted(answer);
    }

    /// Ends the run, and a task still open with it: COMPLETED under a name of the flow's own such as `NO_ACTION`, or
    /// FAILED with the reason. Later calls do nothing: a terminal state is never left.
    pub async fn finish(&mut self, outcome: Result<&str, &str>) {
        self.end_task(outcome.map(|_| ())).await;
        self.send_logs().await;
        let Some(run_id) = self.run_id.clone().filter(|_| !self.closed) else { return };
        self.closed = true;
        let state = match outcome {
            Ok(name) => json!({"type": "COMPLETED", "name": shortened(name, MESSAGE_BYTES_MAX)}),
            Err(reason) => json!({"type": "FAILED", "message": shortened(reason, MESSAGE_BYTES_MAX)}),
        };
        let ended = self.set_final(&run_id, &state).await;
        self.noted(ended);
    }

    async fn set_final(&mut self, run_id: &str, state: &Value) -> Result<(), CallError> {
        // Someone may have cancelled the run in Prefect meanwhile.
        not_final(&self.server.call_last(Method::GET, &format!("flow_runs/{run_id}"), None).await?)?;
        let path = format!("flow_runs/{run_id}/set_state");
        accepted(&self.server.call_last(Method::POST, &path, Some(&json!({"state": state}))).await?)
    }

    /// The run's id while Prefect is still told about it.
    fn reporting(&self) -> Option<String> {
        self.run_id.clone().filter(|_| !self.silent && !self.closed)
    }

    /// Posts `body` and gives the id of what it made.
    async fn created(&mut self, path: &str, body: &Value) -> Option<String> {
        let answer = self.server.call(Method::POST, path, Some(body)).await;
        self.noted(answer.and_then(|answer| match answer["id"].as_str() {
            Some(id) if is_uuid(id) => Ok(id.to_owned()),
            _ => Err(CallError::Lost(format!("{path} answered without an id"))),
        }))
    }

    /// The value of a call; a failure is logged and kept when it is the run's first.
    fn noted<T>(&mut self, result: Result<T, CallError>) -> Option<T> {
        let reason = match result {
            Ok(value) => return Some(value),
            Err(CallError::Refused(reason)) => reason,
            Err(CallError::Lost(reason) | CallError::Busy(reason)) => {
                self.silent = true;
                reason
            }
        };
        if self.failure.is_none() {
            tracing::warn!(
                flow = self.flow_name,
                reason,
                "prefect does not show this run in full; the flow goes on"
            );
            self.failure = Some(reason);
        }
        None
    }
}

fn is_final(run: &Value) -> bool {
    run["state_type"].as_str().is_some_and(|state| FINAL_STATES.contains(&state))
}

fn not_final(run: &Value) -> Result<(), CallError> {
    if is_final(run) {
        return Err(CallError::Refused(format!("the run is {} in prefect already", run["state_type"])));
    }
    Ok(())
}

/// Whether Prefect's orchestration took a state: only `ACCEPT` says so, whatever the HTTP status.
fn accepted(answer: &Value) -> Result<(), CallError> {
    if answer["status"] == "ACCEPT" {
        return Ok(());
    }
    let reason = answer["details"]["reason"].as_str().unwrap_or("no reason given");
    Err(CallError::Refused(format!(
        "prefect answered the state with {}: {}",
        answer["status"],
        shortened(reason, 300)
    )))
}

/// Python's numbers for log levels, which Prefect stores and filters by.
fn python_level(level: &str) -> u8 {
    match level {
        "error" => 40,
        "warn" => 30,
        "debug" => 10,
        _ => 20,
    }
}

/// `name` in the characters Prefect takes for an artifact's key; `report` when nothing is left.
fn artifact_key(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let letters = |letter: char| !letter.is_ascii_alphanumeric();
    let parts: Vec<&str> = lower.split(letters).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "report".to_owned() } else { parts.join("-") }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::http::StatusCode;
    use tokio::net::TcpListener;

    use super::*;

    const ID: &str = "d689ca4e-d232-46f4-a1d7-c2121f136c36";
    type Seen = Arc<Mutex<Vec<(String, Value)>>>;

    /// Listens on a free port, keeps every request as ("METHOD path", body) and answers as `answer` says.
    async fn listen(answer: fn(&str) -> (u16, Body)) -> (Connection, Seen) {
        let seen = Seen::default();
        let kept = seen.clone();
        let router = Router::new().fallback(async move |request: Request| {
            let line = format!("{} {}", request.method(), request.uri().path());
            let body = to_bytes(request.into_body(), 1 << 22).await.unwrap();
            kept.lock().unwrap().push((line.clone(), serde_json::from_slice(&body).unwrap_or(Value::Null)));
            let (status, body) = answer(&line);
            (StatusCode::from_u16(status).unwrap(), body)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (connection(&address.to_string()), seen)
    }

    fn connection(address: &str) -> Connection {
        let url = format!("http://{address}/api/");
        let variables = |name: &str| (name == "PREFECT_API_URL").then(|| url.clone());
        Connection::from_variables(variables).unwrap().unwrap()
    }

    /// What a server in good health says.
    fn healthy(line: &str) -> (u16, Body) {
        let answer = match line {
            line if line.ends_with("/set_state") => json!({"status": "ACCEPT"}),
            line if line.starts_with("GET") => json!({"state_type": "RUNNING"}),
            _ => json!({"id": ID}),
        };
        (201, Body::from(answer.to_string()))
    }

    /// A whole flow; gives the request lines without the API's prefix, and the run's failure.
    async fn whole_flow(connection: Connection, seen: &Seen) -> (Vec<String>, Option<String>) {
        let mut run = PrefectRun::new(connection, "monitor_month", &json!({"month": "2024-02-29"})).unwrap();
        run.start().await;
        run.task_started("load").await;
        run.log("info", "loading");
        run.task_finished("load", Ok(())).await;
        run.artifact("Drift: Jan / Feb", "# report").await;
        run.finish(Ok("NO_ACTION")).await;
        run.finish(Err("a second end is ignored")).await;
        let lines = seen
            .lock()
            .unwrap()
            .iter()
            .map(|(line, _)| line.replace("/api/", "").replace(ID, "ID"))
            .collect();
        (lines, run.failure().map(str::to_owned))
    }

    /// The requests a whole flow makes of a server, and a part of the failure it keeps.
    async fn check(
        answer: fn(&str) -> (u16, Body),
        attached: bool,
        expected: &[&str],
        failure: Option<&str>,
    ) {
        let (mut connection, seen) = listen(answer).await;
        connection.flow_run_id = attached.then(|| ID.to_owned());
        let (lines, reason) = whole_flow(connection, &seen).await;
        assert_eq!(lines, expected);
        match failure {
            Some(part) => {
                assert!(reason.as_deref().is_some_and(|reason| reason.contains(part)), "{reason:?}")
            }
            None => assert_eq!(reason, None),
        }
    }

    const START: [&str; 2] = ["GET flow_runs/ID", "POST flow_runs/ID/set_state"];
    const REST: [&str; 6] = [
        "POST task_runs/",
        "POST task_runs/ID/set_state",
        "POST logs/",
        "POST artifacts/",
        "GET flow_runs/ID",
        "POST flow_runs/ID/set_state",
    ];

    #[tokio::test]
    async fn a_run_is_created_or_taken_over() {
        let created = [&["POST flows/", "POST flow_runs/"], &START[..], &REST[..]].concat();
        check(healthy, false, &created, None).await;
        check(healthy, true, &[&START[..], &REST[..]].concat(), None).await;
    }

    #[tokio::test]
    async fn a_failing_server_is_asked_once_and_once_more_for_the_final_state() {
        check(|_| (500, Body::from("broken")), false, &["POST flows/"], Some("flows/ answered 500")).await;
        check(|_| (500, Body::empty()), true, &[START[0], START[0]], Some("500")).await;
        check(|_| (401, Body::empty()), true, &[START[0], START[0]], Some("401")).await;
        check(|_| (307, Body::empty()), false, &["POST flows/"], Some("307")).await;
        check(|_| (200, Body::from("<html>")), false, &["POST flows/"], Some("without an id")).await;
        let endless = |_: &str| (200, Body::from(vec![b' '; 5 << 20]));
        check(endless, false, &["POST flows/"], Some("more than 1048576 bytes")).await;
    }

    #[tokio::test]
    async fn a_refused_item_costs_only_itself() {
        let answer = |line: &str| {
            if line.ends_with("artifacts/") { (422, Body::from("bad key")) } else { healthy(line) }
        };
        check(answer, true, &[&START[..], &REST[..]].concat(), Some("bad key")).await;
    }

    #[tokio::test]
    async fn a_final_or_refused_state_is_left_alone() {
        let cancelled = |line: &str| match line.starts_with("GET") {
            true => (200, Body::from(json!({"state_type": "CANCELLED"}).to_string())),
            false => healthy(line),
        };
        check(cancelled, true, &START[..1], Some("CANCELLED")).await;
        let rejected = |line: &str| match line.contains("flow_runs/") && line.ends_with("/set_state") {
            true => {
                (200, Body::from(json!({"status": "ABORT", "details": {"reason": "paused"}}).to_string()))
            }
            false => healthy(line),
        };
        check(rejected, true, &START, Some("\"ABORT\": paused")).await;
    }

    #[tokio::test]
    async fn a_server_that_hangs_or_is_away_costs_its_limits() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut hanging = connection(&listener.local_addr().unwrap().to_string());
        let [connect, request, budget] = [100, 100, 150].map(Duration::from_millis);
        hanging.limits = Limits { connect, request, budget };
        hanging.flow_run_id = Some(ID.to_owned());
        // The backlog takes the connections; nobody reads them. The final state gets what is left of the budget.
        let (_, failure) = whole_flow(hanging.clone(), &Seen::default()).await;
        assert!(failure.is_some_and(|reason| reason.contains("did not answer within 50ms")));

        drop(listener);
        let (_, failure) = whole_flow(hanging, &Seen::default()).await;
        assert!(failure.is_some_and(|reason| reason.contains("flow_runs/")));
    }

    #[tokio::test]
    async fn logs_are_batched_and_bounded() {
        let (connection, seen) = listen(healthy).await;
        let mut run = PrefectRun::new(connection, "monitor_month", &json!({})).unwrap();
        run.start().await;
        for line in 0..LOG_LINES_MAX + 5 {
            run.log("warn", &format!("line {line}"));
        }
        run.finish(Err("no data")).await;
        let seen = seen.lock().unwrap();
        let batches: Vec<&Vec<Value>> = seen
            .iter()
            .filter(|(line, _)| line.ends_with("logs/"))
            .map(|(_, body)| body.as_array().unwrap())
            .collect();
        assert_eq!(
            batches.iter().map(|batch| batch.len()).collect::<Vec<_>>(),
            [vec![100; 10], vec![1]].concat()
        );
        assert_eq!(batches[0][7]["message"], "line 7");
        assert_eq!((&batches[0][7]["level"], &batches[0][7]["flow_run_id"]), (&json!(30), &json!(ID)));
        assert_eq!(batches[10][0]["message"], "5 log lines were dropped: 1000 are kept for a task");
        assert_eq!(seen.last().unwrap().1["state"], json!({"type": "FAILED", "message": "no data"}));
    }

    #[test]
    fn keys_and_texts_fit() {
        for (name, key) in
            [("drift-2024-01-31", "drift-2024-01-31"), ("A b__C/", "a-b-c"), ("", "report"), ("é", "report")]
        {
            assert_eq!(artifact_key(name), key);
        }
        for (text, expected) in [("", ""), ("abcd", "abcd"), ("abcde", "abcd…"), ("abcé", "abc…")] {
            assert_eq!(shortened(text, 4), expected);
        }
    }
}
