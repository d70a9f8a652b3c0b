//! `streamflow monitor` as Prefect shows it: against a real Prefect server, and against servers that do not answer.
//!
//! The real server is the executable named by STREAMFLOW_PREFECT (`tools/venv-prefect.sh DIR` makes one).
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const REFERENCE: &str = "2024-01-31";
const CURRENT: &str = "2024-02-29";
/// A server with a fresh database needs about ten seconds, minutes on a busy machine.
const SERVER_START_MAX: Duration = Duration::from_secs(300);
/// Prefect writes tasks every few seconds.
const TASKS_MAX: Duration = Duration::from_secs(120);

/// A directory with two ingested sample months.
struct Project {
    dir: TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { dir: TempDir::new().unwrap() };
        project.succeed(&["init", "."]);
        project.succeed(&["sample", "--out", "drops", "--rows", "300", "--months", "2"]);
        for as_of in [REFERENCE, CURRENT] {
            project.succeed(&["ingest", "--as-of", as_of, &format!("drops/month_{as_of}")]);
        }
        project
    }

    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamflow"));
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("PREFECT") || name == "RUST_LOG")
        {
            command.env_remove(name);
        }
        command.current_dir(self.dir.path()).env("NO_PROXY", "127.0.0.1").envs(variables.iter().copied());
        command.args(["--data-dir", "data"]).args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(&[arguments, &["--format", "json"]].concat(), &[]);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn succeed(&self, arguments: &[&str]) {
        let output = self.command(arguments, &[]);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The monitoring flow; a threshold of 1 gives NO_ACTION, one of 0 RETRAINING_TRIGGERED, whatever the data.
    fn monitor(&self, current: &str, threshold: &str, variables: &[(&str, &str)]) -> Output {
        let arguments = ["monitor", "--reference", REFERENCE, "--current", current, "--threshold", threshold];
        self.command(&arguments, variables)
    }
}

/// A Prefect server on a free port with a database of its own; killed when dropped.
struct Prefect {
    process: Child,
    api_url: String,
    client: reqwest::Client,
    home: TempDir,
}

impl Prefect {
    async fn start(program: &Path) -> Self {
        let home = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(home.path().join("server.log")).unwrap();
        let process = Command::new(program)
            .args(["server", "start", "--host", "127.0.0.1", "--port", &port.to_string()])
            .env("PREFECT_HOME", home.path())
            .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            .env("DO_NOT_TRACK", "1")
            .env_remove("PREFECT_API_URL")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("STREAMFLOW_PREFECT={}: {error}", program.display()));
        // An error says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut server = Self { process, api_url: format!("http://127.0.0.1:{port}/api"), client, home };
        server.wait_until_ready().await;
        server
    }

    async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        let health = format!("{}/health", self.api_url);
        while !self.client.get(&health).send().await.is_ok_and(|answer| answer.status().is_success()) {
            let ended = self.process.try_wait().unwrap();
            if ended.is_some() || started.elapsed() > SERVER_START_MAX {
                let log = std::fs::read_to_string(self.home.path().join("server.log")).unwrap();
                panic!("prefect server did not start ({ended:?}):\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.client.post(format!("{}/{path}", self.api_url)).json(&body).send().await.unwrap();
        let status = answer.status();
        let body = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// The run with `id` and what belongs to it: (run, tasks in order of their start, logs, artifacts).
    async fn run(&self, id: &str) -> (Value, Vec<Value>, Vec<Value>, Vec<Value>) {
        let run = self
            .client
            .get(format!("{}/flow_runs/{id}", self.api_url))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let of_run = json!({"flow_runs": {"id": {"any_": [id]}}});
        let tasks = self.post("task_runs/filter", of_run.clone()).await;
        let artifacts = self.post("artifacts/filter", of_run).await;
        let logs = self.post("logs/filter", json!({"logs": {"flow_run_id": {"any_": [id]}}})).await;
        let [mut tasks, logs, artifacts] =
            [tasks, logs, artifacts].map(|list| list.as_array().unwrap().clone());
        tasks.sort_by_key(|task| task["start_time"].to_string());
        (run, tasks, logs, artifacts)
    }

    /// The same when as many tasks have ended: Prefect takes them up a moment after it was told.
    async fn run_with_tasks(&self, id: &str, tasks: usize) -> (Value, Vec<Value>, Vec<Value>, Vec<Value>) {
        let started = Instant::now();
        loop {
            let found = self.run(id).await;
            let ended = found.1.iter().filter(|task| !task["end_time"].is_null()).count();
            if ended == tasks {
                return found;
            }
            assert!(started.elapsed() < TASKS_MAX, "{ended} of {tasks} tasks: {:?}", found.1);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The states of a run as (name, time), oldest first.
    async fn states(&self, id: &str) -> Vec<(String, String)> {
        let url = format!("{}/flow_run_states/?flow_run_id={id}", self.api_url);
        let states: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        let text = |state: &Value, field: &str| state[field].as_str().unwrap().to_owned();
        let mut found: Vec<(String, String)> = states
            .as_array()
            .unwrap()
            .iter()
            .map(|state| (text(state, "name"), text(state, "timestamp")))
            .collect();
        found.sort_by(|a, b| a.1.cmp(&b.1));
        found
    }

    async fn ids_of(&self, flow: &str) -> Vec<String> {
        let runs = self.post("flow_runs/filter", json!({"flows": {"name": {"any_": [flow]}}})).await;
        runs.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Prefect {
    fn drop(&mut self) {
        // It may have ended by itself; nothing is left to do then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The executable to test against; none outside CI, loudly.
fn prefect_program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("STREAMFLOW_PREFECT") {
        return Some(path.into());
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "STREAMFLOW_PREFECT is not set: run tools/venv-prefect.sh DIR"
    );
    eprintln!(
        "SKIPPED: no real Prefect server, STREAMFLOW_PREFECT is not set (tools/venv-prefect.sh DIR makes one)"
    );
    None
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn strings<'a>(rows: &'a [Value], field: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[field].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_real_server_shows_the_run() {
    let Some(program) = prefect_program() else { return };
    let project = Project::new();
    let server = Prefect::start(&program).await;
    let url = ("PREFECT_API_URL", server.api_url.as_str());

    shows_a_run_of_its_own(&server, &project, url).await;
    shows_the_run_it_was_started_for(&server, &project, url).await;
    shows_a_failure(&server, &project, url).await;
    shows_retries(&server, &project, url).await;
    is_cancelled_there(&server, &project, url).await;
    is_deployed(&server, &project, url).await;
}

async fn shows_a_run_of_its_own(server: &Prefect, project: &Project, url: (&str, &str)) {
    let output = project.monitor(CURRENT, "1", &[url]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let ids = server.ids_of("monitor_month").await;
    assert_eq!(ids.len(), 1);
    let (run, tasks, logs, artifacts) = server.run_with_tasks(&ids[0], 5).await;
    assert_eq!((&run["state_type"], &run["state_name"]), (&json!("COMPLETED"), &json!("NO_ACTION")));
    assert_eq!(
        (&run["parameters"]["reference"], &run["parameters"]["current"]),
        (&json!(REFERENCE), &json!(CURRENT))
    );
    assert!(run["start_time"].as_str() < run["end_time"].as_str(), "{run}");
    let names =
        ["build_reference_table", "build_current_table", "compare_tables", "evaluate", "write_reports"];
    assert_eq!(strings(&tasks, "name"), names);
    for task in &tasks {
        assert_eq!(task["state_type"], "COMPLETED");
        assert!(task["start_time"].as_str() <= task["end_time"].as_str(), "{task}");
    }
    // The tasks have the times that they have here.
    let here = project.json(&["flows", "inspect", "3"]);
    let started = |tasks: &[Value], field: &str| {
        tasks.iter().map(|task| task[field].as_str().unwrap()[..23].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(started(&tasks, "start_time"), started(here["tasks"].as_array().unwrap(), "started_at"));
    let line = text(&output.stdout).lines().find(|line| line.starts_with("[drift] ")).unwrap().to_owned();
    assert!(strings(&logs, "message").contains(&line.as_str()), "{logs:?}");
    assert_eq!(strings(&artifacts, "key"), [format!("drift-{REFERENCE}-vs-{CURRENT}")]);
    assert_eq!(artifacts[0]["type"], "markdown");
    assert!(artifacts[0]["data"].as_str().unwrap().contains("**NO_ACTION**"));
}

async fn shows_the_run_it_was_started_for(server: &Prefect, project: &Project, url: (&str, &str)) {
    let flow = server.post("flows/", json!({"name": "monitor_by_worker"})).await;
    let run = json!({"flow_id": flow["id"], "state": {"type": "PENDING"}});
    let id = server.post("flow_runs/", run).await["id"].as_str().unwrap().to_owned();
    let variables = [url, ("PREFECT__FLOW_RUN_ID", id.as_str())];

    assert!(project.monitor(CURRENT, "0", &variables).status.success());
    let (run, tasks, ..) = server.run_with_tasks(&id, 5).await;
    assert_eq!(
        (&run["state_type"], &run["state_name"]),
        (&json!("COMPLETED"), &json!("RETRAINING_TRIGGERED"))
    );
    assert_eq!(tasks.len(), 5);
    assert_eq!(server.ids_of("monitor_month").await.len(), 1, "no run of its own");

    // The server itself would let the ended run become RUNNING again.
    let again = project.monitor(CURRENT, "1", &variables);
    assert!(again.status.success());
    assert!(text(&again.stderr).contains("COMPLETED"), "{}", text(&again.stderr));
    let (run, tasks, ..) = server.run(&id).await;
    assert_eq!((&run["state_name"], tasks.len()), (&json!("RETRAINING_TRIGGERED"), 5));
}

async fn shows_a_failure(server: &Prefect, project: &Project, url: (&str, &str)) {
    let before = server.ids_of("monitor_month").await;
    let output = project.monitor("2030-01-31", "1", &[url]);
    assert_eq!(output.status.code(), Some(1));
    let after = server.ids_of("monitor_month").await;
    let id = after.iter().find(|id| !before.contains(id)).unwrap();
    let (run, tasks, ..) = server.run_with_tasks(id, 2).await;
    assert_eq!(run["state_type"], "FAILED");
    assert!(run["state"]["message"].as_str().unwrap().contains("2030-01-31"), "{run}");
    assert_eq!(strings(&tasks, "state_type"), ["COMPLETED", "FAILED"]);
}

/// A flow of the project's own whose step fails once, and one that takes a minute.
const FLOWS: &str = r#"
[flows.flaky]
step_retries = 1
retry_delays = ["100ms"]
steps = [{ run = ["sh", "-c", "test -e tried || { touch tried; exit 1; }"] }]
[flows.slow]
steps = [{ run = ["sleep", "60"] }]
[flows.monitor_month]
schedule = { cron = "0 6 1 * *", zone = "Europe/Paris" }
"#;

async fn shows_retries(server: &Prefect, project: &Project, url: (&str, &str)) {
    let path = project.dir.path().join("streamflow.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config + FLOWS).unwrap();
    let output = project.command(&["flows", "run", "flaky"], &[url]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let ids = server.ids_of("flaky").await;
    let (run, tasks, ..) = server.run_with_tasks(&ids[0], 1).await;
    assert_eq!((&run["state_type"], &tasks[0]["run_count"]), (&json!("COMPLETED"), &json!(2)), "{tasks:?}");
    let url = format!("{}/task_run_states/?task_run_id={}", server.api_url, tasks[0]["id"].as_str().unwrap());
    let states: Value = server.client.get(url).send().await.unwrap().json().await.unwrap();
    let mut names: Vec<&Value> = states.as_array().unwrap().iter().collect();
    names.sort_by_key(|state| state["timestamp"].to_string());
    let names: Vec<&str> = names.iter().map(|state| state["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Running", "AwaitingRetry", "Retrying", "Completed"]);
}

async fn is_cancelled_there(server: &Prefect, project: &Project, url: (&str, &str)) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamflow"));
    command.current_dir(project.dir.path()).env("NO_PROXY", "127.0.0.1").env(url.0, url.1);
    let arguments = ["--data-dir", "data", "flows", "run", "slow"];
    let mut process = command.args(arguments).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let id = loop {
        let ids = server.ids_of("slow").await;
        if let Some(id) = ids.first()
            && server.run(id).await.0["state_type"] == "RUNNING"
        {
            break id.clone();
        }
        assert!(started.elapsed() < TASKS_MAX);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let answer =
        server.post(&format!("flow_runs/{id}/set_state"), json!({"state": {"type": "CANCELLING"}})).await;
    assert_eq!(answer["status"], "ACCEPT");
    assert_eq!(process.wait().unwrap().code(), Some(1));
    let names: Vec<String> = server.states(&id).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Pending", "Running", "Cancelling", "Cancelled"]);
    let runs = project.json(&["flows", "runs", "--flow", "slow"]);
    assert_eq!(runs[0]["state"], "cancelled", "{runs}");
}

async fn is_deployed(server: &Prefect, project: &Project, url: (&str, &str)) {
    for _ in 0..2 {
        let output =
            project.command(&["prefect", "deploy", "--flow", "monitor_month", "--flow", "slow"], &[url]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let deployments = server.post("deployments/filter", json!({})).await;
    assert_eq!(deployments.as_array().unwrap().len(), 2, "the second time changes nothing: {deployments}");
    let has_schedule = |found: &&Value| !found["schedules"].as_array().unwrap().is_empty();
    let scheduled = deployments.as_array().unwrap().iter().find(has_schedule).unwrap();
    assert_eq!(
        (&scheduled["schedules"][0]["schedule"]["cron"], &scheduled["schedules"][0]["schedule"]["timezone"]),
        (&json!("0 6 1 * *"), &json!("Europe/Paris"))
    );
    let command = scheduled["job_variables"]["command"].as_str().unwrap();
    assert!(command.ends_with("/data flows run monitor_month"), "{command}");
    assert_eq!(scheduled["work_pool_name"], "streamflow");

    server.post("work_pools/", json!({"name": "theirs", "type": "docker"})).await;
    let output = project.command(&["prefect", "deploy", "--pool", "theirs"], &[url]);
    assert!(
        text(&output.stderr).contains("the work pool theirs is of type \"docker\""),
        "{}",
        text(&output.stderr)
    );
}

/// What a server does with a request that it has read.
enum Behaviour {
    Refuse,
    Fail,
    Hang,
}

/// A port with nobody, or with a server that answers 500 to all, or takes connections and never answers.
fn bad_server(behaviour: &Behaviour) -> (SocketAddr, Option<TcpListener>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    match behaviour {
        Behaviour::Refuse => return (address, None),
        Behaviour::Hang => {}
        Behaviour::Fail => {
            let listener = listener.try_clone().unwrap();
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    // A client that is gone already is no concern of this server.
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                }
            });
        }
    }
    (address, Some(listener))
}

#[test]
fn a_server_that_does_not_answer_costs_one_warning() {
    let project = Project::new();
    for (behaviour, reason) in [
        (Behaviour::Refuse, "onnect"),
        (Behaviour::Fail, "500"),
        (Behaviour::Hang, "did not answer within 3s"),
    ] {
        let (address, _listener) = bad_server(&behaviour);
        let output = project.monitor(CURRENT, "1", &[("PREFECT_API_URL", &format!("http://{address}/api"))]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{stderr}");
        assert!(stdout.contains("-> NO_ACTION"), "{stdout}");
        let warnings: Vec<&str> = stderr.lines().filter(|line| line.contains("prefect")).collect();
        assert_eq!(warnings.len(), 1, "{stderr}");
        assert!(warnings[0].contains("WARN") && warnings[0].contains(reason), "{stderr}");
    }
}

#[test]
fn a_wrong_address_is_an_error_before_any_work() {
    let project = Project::new();
    let output = project.monitor(CURRENT, "1", &[("PREFECT_API_URL", "prefect:4200")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("PREFECT_API_URL"), "{}", text(&output.stderr));
}
