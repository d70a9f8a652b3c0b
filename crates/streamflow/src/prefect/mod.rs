//! Shows runs in a Prefect server: states in order, tasks with their times, logs, documents, over Prefect's REST API.
//!
//! Prefect is where a team already looks at its flows, so a run here also appears there when `PREFECT_API_URL` is set. What
//! is told is read from the store, beside the run: nothing of it delays or fails a run, and what a server that was away has
//! missed is told when it is back. A run waits at its end for [`END_BUDGET`] at most.

pub mod deploy;
mod items;
mod sender;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::store::Store;
use sender::Sender;
use server::{CallError, Connection, Server};

/// How long a run waits at its end until all of it was told.
pub const END_BUDGET: Duration = Duration::from_secs(3);
/// How often Prefect is asked whether somebody wants the run to stop.
const CANCEL_LOOK: Duration = Duration::from_secs(3);
/// For how long what happens is gathered before it is told.
const GATHER: Duration = Duration::from_millis(50);
/// Waits after failures; the last one repeats.
const RETRIES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];
/// How early a worker may be.
const EARLY_MAX: Duration = Duration::from_secs(60);
/// How often a server looks for runs of which not all was told.
const LEFT_LOOK: Duration = Duration::from_secs(10);

/// Says whether the environment names a Prefect server, and whether the names make sense.
///
/// # Errors
/// Those of [`Connection::from_variables`].
pub fn check_environment() -> anyhow::Result<()> {
    connection().map(drop)
}

/// True for a process that a worker of Prefect started.
pub fn is_started_by_worker() -> bool {
    connection().is_ok_and(|connection| connection.is_some_and(|found| found.flow_run_id.is_some()))
}

/// Waits for the time of the run that a worker started this process for: workers start processes some seconds early, and
/// what the days of parameters are, the time says. A server that does not answer is not waited for.
pub async fn wait_for_time() -> anyhow::Result<()> {
    let Some(connection) = connection()? else { return Ok(()) };
    let Some(id) = connection.flow_run_id.clone() else { return Ok(()) };
    if let Ok(run) = Server::new(&connection)?.get(&format!("flow_runs/{id}")).await {
        sleep(early_by(&run, Timestamp::now())).await;
    }
    Ok(())
}

/// How long before its time a run is looked at.
fn early_by(run: &Value, now: Timestamp) -> Duration {
    let due: Option<Timestamp> = run["expected_start_time"].as_str().and_then(|due| due.parse().ok());
    let early = due.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
    early.unwrap_or_default().min(EARLY_MAX)
}

fn connection() -> anyhow::Result<Option<Connection>> {
    Connection::from_variables(|name| std::env::var(name).ok())
}

/// Tells of a run while this process works on it.
pub struct Mirror {
    run: i64,
    news: Arc<Notify>,
    ending: watch::Sender<bool>,
    /// What is wrong at the moment.
    trouble: watch::Receiver<String>,
    telling: JoinHandle<()>,
}

impl Mirror {
    /// Begins to tell of a run; none where the environment names no Prefect server. `stop` is called when somebody there
    /// wants the run to stop.
    ///
    /// # Errors
    /// Variables that make no sense; a store that cannot be written.
    pub async fn begin(
        store: &Store,
        run: i64,
        stop: impl Fn() + Send + 'static,
    ) -> anyhow::Result<Option<Self>> {
        let Some(connection) = connection()? else { return Ok(None) };
        Self::of(&connection, store, run, stop).await.map(Some)
    }

    async fn of(
        connection: &Connection,
        store: &Store,
        run: i64,
        stop: impl Fn() + Send + 'static,
    ) -> anyhow::Result<Self> {
        // The run of the worker is the first one of this process; others are of their own.
        static IS_TAKEN: AtomicBool = AtomicBool::new(false);
        let attached = connection.flow_run_id.as_deref();
        let attached = attached.filter(|_| !IS_TAKEN.swap(true, Ordering::Relaxed));
        store.begin_mirror(run, attached).await?;
        let sender = Sender::new(Server::new(connection)?, store.clone(), run);
        let (news, (ending, ended)) = (Arc::new(Notify::new()), watch::channel(false));
        let (trouble, seen) = watch::channel(String::new());
        let loop_ = Telling { sender, run, news: news.clone(), ended, trouble };
        let telling = tokio::spawn(loop_.run(stop));
        Ok(Self { run, news, ending, trouble: seen, telling })
    }

    /// Says that there is something to tell. It costs nothing.
    pub fn poke(&self) {
        self.news.notify_one();
    }

    /// Waits until all was told, but not for long: what is left is told by a server that is up, or when the run goes on.
    pub async fn finish(self) {
        self.ending.send_replace(true);
        self.news.notify_one();
        if timeout(END_BUDGET, self.telling).await.is_ok() {
            return;
        }
        // A trouble was told when it began.
        if self.trouble.borrow().is_empty() {
            let reason = format!("it did not answer within {END_BUDGET:?}");
            tracing::warn!(
                run = self.run,
                reason,
                "prefect does not show this run in full; `streamflow up` tells the rest"
            );
        }
    }
}

/// The loop beside a run.
struct Telling {
    sender: Sender,
    run: i64,
    news: Arc<Notify>,
    ended: watch::Receiver<bool>,
    trouble: watch::Sender<String>,
}

impl Telling {
    async fn run(mut self, stop: impl Fn()) {
        let (mut failures, mut asked) = (0, Instant::now());
        loop {
            let is_last = *self.ended.borrow();
            let told = self.sender.catch_up().await;
            if let Some(reason) = self.sender.take_refused() {
                self.warn(&reason);
            }
            let pause = match told {
                Ok(()) if is_last => return,
                Ok(()) => {
                    failures = 0;
                    CANCEL_LOOK
                }
                Err(error) => {
                    if is_last || !matches!(error, CallError::Early(_)) {
                        self.warn(error.reason());
                    }
                    // A server that was away all the time is not waited for.
                    if is_last && failures > 0 {
                        return;
                    }
                    failures += 1;
                    RETRIES[(failures - 1).min(RETRIES.len() - 1)]
                }
            };
            if failures == 0 && asked.elapsed() >= CANCEL_LOOK {
                asked = Instant::now();
                if self.sender.is_cancelling().await {
                    stop();
                }
            }
            self.wait(pause, failures > 0).await;
        }
    }

    /// Waits for something to tell, and a moment more for what belongs to it; after failures for the end or the time alone.
    async fn wait(&mut self, pause: Duration, has_failed: bool) {
        let (news, mut ended) = (self.news.clone(), self.ended.clone());
        let is_last = *ended.borrow();
        let end = async {
            if is_last {
                std::future::pending::<()>().await;
            }
            // The sender lives as long as the run.
            let _ = ended.wait_for(|ended| *ended).await;
        };
        tokio::select! {
            () = end => {}
            () = news.notified(), if !has_failed => {
                tokio::select! {
                    () = sleep(GATHER) => {}
                    _ = self.ended.wait_for(|ended| *ended) => {}
                }
            }
            () = sleep(pause) => {}
        }
    }

    /// Warns of the first trouble of the run.
    fn warn(&self, reason: &str) {
        if self.trouble.borrow().is_empty() {
            let run = self.run;
            tracing::warn!(run, reason, "prefect does not show this run in full; the flow goes on");
            self.trouble.send_replace(reason.to_owned());
        }
    }
}

/// Tells of runs that nobody works on what is left: those whose process ended before all was told, that crashed, that were
/// cancelled or answered. Ends at once where the environment names no Prefect server.
pub async fn tell_what_is_left(store: Store, mut shutdown: watch::Receiver<bool>) {
    let connection = match connection() {
        Ok(Some(connection)) => connection,
        Ok(None) => return,
        Err(error) => return tracing::error!("prefect is not told of runs: {error:#}"),
    };
    let mut trouble = String::new();
    loop {
        let reason = tell_left(&store, &connection).await.err().unwrap_or_default();
        if !reason.is_empty() && reason != trouble {
            tracing::warn!("prefect is told of runs when it answers again: {reason}");
        }
        trouble = reason;
        tokio::select! {
            () = sleep(LEFT_LOOK) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
    }
}

async fn tell_left(store: &Store, connection: &Connection) -> Result<(), String> {
    let before = format!("{:.3}", Timestamp::now() - SignedDuration::try_from(LEFT_LOOK).unwrap_or_default());
    for run in store.runs_to_tell(&before).await.map_err(|error| error.to_string())? {
        let server = Server::new(connection).map_err(|error| format!("{error:#}"))?;
        let mut sender = Sender::new(server, store.clone(), run);
        sender.catch_up().await.map_err(|error| error.reason().to_owned())?;
        if let Some(reason) = sender.take_refused() {
            tracing::warn!(run, reason, "prefect does not show a run in full");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use axum::http::StatusCode;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;
    use crate::prefect::server::Limits;
    use crate::store::tasks::TaskEnd;
    use crate::store::transitions::Step;
    use crate::store::{State, new_run, temporary};

    const ID: &str = "d689ca4e-d232-46f4-a1d7-c2121f136c36";
    type Seen = Arc<Mutex<Vec<(String, Value)>>>;

    /// Listens on a free port, keeps every request as ("METHOD path", body) and answers as `answer` says.
    async fn listen(
        answer: impl Fn(&str) -> (u16, Body) + Clone + Send + Sync + 'static,
    ) -> (Connection, Seen) {
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

    /// Records a whole run: a step that is tried twice, a pause, an answer, an end.
    async fn whole_run(store: &Store) -> i64 {
        let parameters = json!({"month": "2024-02-29"});
        let run = store.schedule_run(&new_run("monthly", &parameters)).await.unwrap().unwrap();
        let step = async |state, name| store.move_run(run, &Step::new(state, name, "")).await.unwrap();
        step(State::Pending, "Pending").await;
        step(State::Running, "Running").await;
        let task = store.start_task(run, "load", 1).await.unwrap();
        store.log(run, "info", &["loading"]).await.unwrap();
        for (state, name) in [(State::Scheduled, "AwaitingRetry"), (State::Running, "Retrying")] {
            store.move_task(run, task, &Step::new(state, name, "")).await.unwrap();
        }
        let end = TaskEnd {
            step: Step::new(State::Completed, "Completed", ""),
            duration_ms: 5.0,
            output: None,
            input: None,
            line: ("info", ""),
        };
        store.finish_task(run, task, &end).await.unwrap();
        store.keep_artifact(run, "Drift: Jan / Feb", "# report").await.unwrap();
        for (state, name) in [
            (State::Paused, "Suspended"),
            (State::Scheduled, "Resuming"),
            (State::Pending, "Pending"),
            (State::Running, "Running"),
            (State::Completed, "PROMOTED"),
        ] {
            assert!(step(state, name).await, "{name}");
        }
        run
    }

    /// Requests as (line without the API's prefix, the name of the state or the number of items).
    fn shown(seen: &Seen) -> Vec<String> {
        let seen = seen.lock().unwrap();
        let show = |(line, body): &(String, Value)| {
            let line = line.replace("/api/", "").replace(ID, "ID");
            match (&body["state"]["name"], body.as_array()) {
                (Value::String(name), _) => format!("{line} {name}"),
                (_, Some(items)) => format!("{line} {}", items.len()),
                _ => line,
            }
        };
        seen.iter().map(show).collect()
    }

    const CREATED: [&str; 2] = ["POST flows/", "POST flow_runs/"];
    const TOLD: [&str; 10] = [
        "GET flow_runs/ID",
        "POST flow_runs/ID/set_state Running",
        "POST events 4",
        "POST logs/ 1",
        "POST artifacts/",
        "POST flow_runs/ID/set_state Suspended",
        "POST flow_runs/ID/set_state Resuming",
        "POST flow_runs/ID/set_state Running",
        "GET flow_runs/ID",
        "POST flow_runs/ID/set_state PROMOTED",
    ];

    /// What a server that answers so is told of a whole run in two goes, and a part of what it did not take.
    async fn check(
        answer: fn(&str) -> (u16, Body),
        attached: Option<&str>,
        expected: &[&str],
        refused: Option<&str>,
    ) {
        let (connection, seen) = listen(answer).await;
        let (_dir, store) = temporary().await;
        let run = whole_run(&store).await;
        store.begin_mirror(run, attached).await.unwrap();
        let mut sender = Sender::new(Server::new(&connection).unwrap(), store, run);
        let mut reasons = Vec::new();
        for _ in 0..2 {
            let told = sender.catch_up().await;
            reasons.extend(told.err().map(|error| error.reason().to_owned()).or(sender.take_refused()));
        }
        assert_eq!(shown(&seen), expected);
        match refused {
            Some(part) => assert!(reasons[0].contains(part), "{reasons:?}"),
            None => assert!(reasons.is_empty(), "{reasons:?}"),
        }
    }

    #[tokio::test]
    async fn a_run_is_told_once_whether_it_is_new_there_or_a_worker_started_it() {
        check(healthy, None, &[&CREATED[..], &TOLD[..]].concat(), None).await;
        let attached: Vec<&str> =
            TOLD.into_iter().filter(|line| *line != "POST flow_runs/ID/set_state Resuming").collect();
        check(healthy, Some(ID), &attached, None).await;
    }

    #[tokio::test]
    async fn what_a_failing_server_was_not_told_is_told_later() {
        let flows = "POST flows/";
        check(|_| (500, Body::from("broken")), None, &[flows, flows], Some("flows/ answered 500")).await;
        check(|_| (401, Body::empty()), Some(ID), &[TOLD[0], TOLD[0]], Some("401")).await;
        check(|_| (307, Body::empty()), None, &[flows, flows], Some("307")).await;
        check(|_| (200, Body::from("<html>")), None, &[flows, flows], Some("without an id")).await;
        let endless = |_: &str| (200, Body::from(vec![b' '; 5 << 20]));
        check(endless, None, &[flows, flows], Some("more than 1048576 bytes")).await;
    }

    #[tokio::test]
    async fn a_refused_item_costs_only_itself() {
        let answer = |line: &str| {
            if line.ends_with("artifacts/") { (422, Body::from("bad key")) } else { healthy(line) }
        };
        check(answer, None, &[&CREATED[..], &TOLD[..]].concat(), Some("bad key")).await;
    }

    #[tokio::test]
    async fn a_final_or_refused_state_is_left_alone() {
        let cancelled = |line: &str| match line.starts_with("GET") {
            true => (200, Body::from(json!({"state_type": "CANCELLED"}).to_string())),
            false => healthy(line),
        };
        check(cancelled, Some(ID), &TOLD[..1], Some("CANCELLED")).await;
        let rejected = |line: &str| match line.contains("flow_runs/") && line.ends_with("/set_state") {
            true => {
                (200, Body::from(json!({"status": "ABORT", "details": {"reason": "paused"}}).to_string()))
            }
            false => healthy(line),
        };
        check(rejected, Some(ID), &TOLD[..2], Some("\"ABORT\": paused")).await;
        let again = |line: &str| match line.ends_with("/set_state") {
            true => {
                let reason = "This run has already made this state transition.";
                (200, Body::from(json!({"status": "REJECT", "details": {"reason": reason}}).to_string()))
            }
            false => healthy(line),
        };
        check(again, None, &[&CREATED[..], &TOLD[..]].concat(), None).await;
        check(|_| (404, Body::empty()), Some(ID), &TOLD[..1], Some("404")).await;
    }

    #[test]
    fn a_run_that_a_worker_started_early_waits_for_its_time() {
        let now: Timestamp = "2024-03-01T05:59:52Z".parse().unwrap();
        for (due, expected_s) in [
            (json!("2024-03-01T06:00:00Z"), 8),
            (json!("2024-03-01T05:59:00Z"), 0),
            (json!("2024-03-01T09:00:00Z"), 60),
            (Value::Null, 0),
        ] {
            let found = early_by(&json!({ "expected_start_time": due }), now);
            assert_eq!(found, Duration::from_secs(expected_s), "{due}");
        }
    }

    /// A server in good health for whose users the run is to stop.
    #[tokio::test]
    async fn a_cancel_there_stops_the_run_here() {
        let (connection, seen) = listen(|line| match line.starts_with("GET") {
            true => (200, Body::from(json!({"state_type": "CANCELLING"}).to_string())),
            false => healthy(line),
        })
        .await;
        let (_dir, store) = temporary().await;
        let run = store.schedule_run(&new_run("monthly", &json!({}))).await.unwrap().unwrap();
        store.begin_mirror(run, None).await.unwrap();
        store.set_prefect_id(run, ID).await.unwrap();
        let (stopped, mut stop) = watch::channel(false);
        let mirror = Mirror::of(&connection, &store, run, move || {
            stopped.send_replace(true);
        })
        .await
        .unwrap();
        stop.wait_for(|stop| *stop).await.unwrap();
        assert_eq!(shown(&seen), [TOLD[0]]);
        mirror.finish().await;
    }

    #[tokio::test]
    async fn a_server_that_hangs_or_is_away_costs_the_end_of_a_run_its_budget_at_most() {
        // The backlog takes the connections; nobody reads them. Nobody listens on the other port.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (_dir, store) = temporary().await;
        let run = whole_run(&store).await;
        for (address, expected) in
            [(listener.local_addr().unwrap(), "did not answer within 100ms"), (closed, "flows/: ")]
        {
            let mut server = connection(&address.to_string());
            server.limits =
                Limits { connect: Duration::from_millis(100), request: Duration::from_millis(100) };
            let mirror = Mirror::of(&server, &store, run, || ()).await.unwrap();
            let mut trouble = mirror.trouble.clone();
            trouble.wait_for(|reason| !reason.is_empty()).await.unwrap();
            let begun = Instant::now();
            mirror.finish().await;
            assert!(begun.elapsed() < END_BUDGET + Duration::from_secs(1));
            assert!(trouble.borrow().contains(expected), "{:?}", *trouble.borrow());
        }
        let left = store.runs_to_tell("2100-01-01T00:00:00.000Z").await.unwrap();
        assert_eq!(left, [run], "it is told later");
    }
}
