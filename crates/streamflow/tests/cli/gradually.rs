//! The flow that promotes gradually: from a shadow over growing shares to the promotion, or back.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::canary::{MONTH, NEXT, project, serving, versions, wait_for_share};
use crate::http::{eventually, user_ids};
use crate::project::Project;
use crate::server::Server;
use crate::up::Up;

/// Asks for the users one after the other until it is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    fn on(url: &str, users: &[String]) -> Self {
        let bodies = users.iter().map(|user| json!({ "user_id": user })).collect();
        Self::asking(&format!("{url}/predict"), bodies)
    }

    fn asking(url: &str, bodies: Vec<Value>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, url) = (stop.clone(), url.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let client = crate::http::client();
                for body in bodies.iter().cycle() {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    // A server that is restarted refuses.
                    let _ = client.post(&url).json(body).send().await;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Steps of seconds in the place of hours.
const QUICK: [&str; 12] = [
    "--param",
    "shadow_for=1s",
    "--param",
    "step_for=1s",
    "--param",
    "min_requests=60",
    "--param",
    "wait_for=60s",
    "--param",
    "shares=20%,50%",
    "--param",
    "max_latency_ratio=1000",
];

fn gradually<'a>(version: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["flows", "run", "promote_gradually", "--param", version], &QUICK[..], more].concat()
}

fn log_of(project: &Project, run: u64) -> String {
    project.ok(&["flows", "logs", &run.to_string()])
}

#[test]
fn a_good_candidate_is_promoted_step_by_step() {
    let project = project(false);
    let users = user_ids(&project, MONTH);
    let server = serving(&project);
    let load = Load::on(server.url().trim_end_matches('/'), &users);
    // The thresholds of models that learned from 400 users differ much.
    let run = project.ok(&gradually("version=2", &["--param", "max_disagreement=0.6"]));
    drop(load);
    assert!(run.contains("version 2 was promoted in place of version 1"), "{run}");
    for part in ["in the shadow: ", "at 20 %: version 2 ", "at 50 %: version 2 "] {
        assert!(run.contains(part) && log_of(&project, 4).contains(part), "{part}\n{run}");
    }
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    let record = project.json(&["flows", "inspect", "4"]);
    assert_eq!(
        (&record["run"]["state"], &record["run"]["state_name"]),
        (&json!("completed"), &json!("PROMOTED")),
        "{record:#}"
    );
    server.wait_for("\"version\":\"2\"", || server.get("/ready"));
    assert!(!server.get("/metrics").contains("shadow_predictions_total"));
    let again = project.run(&gradually("version=2", &[]));
    assert!(
        again.code == 1 && again.stderr.contains("version 2 is in production already"),
        "{}",
        again.stderr
    );
    server.stop("-TERM");
}

#[test]
fn a_bad_candidate_returns_to_production() {
    let project = project(true);
    let users = user_ids(&project, NEXT);
    let server = serving(&project);
    let load = Load::on(server.url().trim_end_matches('/'), &users);
    // Unheard it is found before anybody was answered by it.
    let run = project.run(&gradually("version=3", &[]));
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stderr.contains("version 3 was returned to version 1 in the shadow: disagreement: the candidate gives another class to"), "{}", run.stderr);
    // Without a shadow the first share finds it.
    let run = project.run(&gradually("version=3", &["--param", "shadow_for=0s"]));
    assert_eq!(run.code, 1, "{}", run.stdout);
    let message =
        "version 3 was returned to version 1 at 20 %: score_distribution: the scores of the candidate (mean ";
    assert!(run.stderr.contains(message), "{}", run.stderr);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    let (first, second) =
        (project.json(&["flows", "inspect", "6"]), project.json(&["flows", "inspect", "7"]));
    let told =
        [first, second].map(|record| (record["run"]["state"].clone(), record["run"]["message"].to_string()));
    assert!(
        told.iter()
            .all(|(state, message)| state == "failed" && message.contains("was returned to version 1")),
        "{told:?}"
    );
    // Its verdict stands: a retry does not let it answer again.
    let retried = project.run(&["flows", "retry", "7"]);
    assert!(retried.code == 1 && retried.stderr.contains(message), "{}", retried.stderr);
    drop(load);
    server.wait_for("none", || {
        if server.get("/metrics").contains("canary_share") { "some".to_owned() } else { "none".to_owned() }
    });
    assert!(versions(&server, &users).values().all(|version| version == "1"));
    server.stop("-TERM");
}

#[test]
fn without_enough_requests_production_answers_again() {
    let project = project(false);
    let server = serving(&project);
    let run = project.run(&gradually("version=2", &["--param", "shadow_for=0s", "--param", "wait_for=0s"]));
    let expected = "was returned to version 1 at 20 %: too few requests: 0 of 60 that are needed";
    assert!(run.code == 1 && run.stderr.contains(expected), "{}", run.stderr);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    server.stop("-TERM");
}

/// A project whose version 3 refuses what requests may send and version 1 takes.
fn refusing() -> Project {
    let project = project(false);
    // What the next month knows nothing of is refused by a version that learned from it.
    let services = format!("drops/month_{NEXT}/subscriptions.csv");
    project.edit(&services, |text| text.replace("Fiber optic", "DSL"));
    project.ok(&["ingest", "--as-of", NEXT, &format!("drops/month_{NEXT}")]);
    project.ok(&["train", "--as-of", NEXT]);
    project
}

/// Requests that version 3 refuses.
fn refused_bodies(users: &[String]) -> Vec<Value> {
    let body = |user: &String| json!({ "user_id": user, "features": { "net_service": "Fiber optic" } });
    users.iter().map(body).collect()
}

#[test]
fn a_candidate_that_answers_errors_returns_to_production() {
    let project = refusing();
    let users = user_ids(&project, NEXT);
    let server = serving(&project);
    let url = format!("{}/predict", server.url().trim_end_matches('/'));
    let load = Load::asking(&url, refused_bodies(&users));
    let said = returned(&project, "version=3", &["--param", "max_latency_ratio=1000"]);
    assert!(said.contains("version 3 was returned to version 1 at 20 %: error_rate: "), "{said}");
    assert!(said.contains("requests to the candidate were errors"), "{said}");
    drop(load);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    wait_for_none(&server);
    assert!(versions(&server, &users).values().all(|version| version == "1"));
    server.stop("-TERM");
}

/// The first look finds nothing, and the step would last for an hour.
#[test]
fn a_candidate_that_gets_worse_returns_to_production_by_itself() {
    let project = refusing();
    let users = user_ids(&project, NEXT);
    let server = serving(&project);
    let url = server.url().trim_end_matches('/').to_owned();
    let load = Load::on(&url, &users);
    let more = ["shadow_for=0s", "step_for=1h", "shares=50%", "max_score_distance=1"];
    let more: Vec<&str> = more.into_iter().flat_map(|parameter| ["--param", parameter]).collect();
    let run = project.command(&gradually("version=3", &more)).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for_metric("canary_requests_total{arm=\"candidate\"", 100.0);
    assert!(server.get("/metrics").contains("canary_share"), "good answers end nothing");
    drop(load);
    let load = Load::asking(&format!("{url}/predict"), refused_bodies(&users));
    let run = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        !run.status.success() && said.contains("was returned to version 1 at 50 %: error_rate: "),
        "{said}"
    );
    wait_for_none(&server);
    drop(load);
    assert!(versions(&server, &users).values().all(|version| version == "1"));
    server.stop("-TERM");
}

/// A run that goes to the first share at once, and comes back from there.
fn returned(project: &Project, version: &str, more: &[&str]) -> String {
    let args = ["--param", "shadow_for=0s", "--param", "step_for=1s", "--param", "min_requests=60"];
    let args = [&["flows", "run", "promote_gradually", "--param", version], &args[..], more].concat();
    let run = project.run(&[&args[..], &["--param", "wait_for=60s", "--param", "shares=20%,50%"]].concat());
    assert_eq!(run.code, 1, "{}", run.stdout);
    run.stderr
}

/// A run of the command that stays in its first share for an hour, once that answers.
fn held(project: &Project, server: &Server) -> Child {
    let args = gradually("version=2", &["--param", "shadow_for=0s", "--param", "step_for=1h"]);
    let child = project.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_share(server, "0.2");
    child
}

fn message_of(project: &Project, run: u64) -> String {
    project.json(&["flows", "inspect", &run.to_string()])["run"]["message"].to_string()
}

fn ends(mut child: Child) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn wait_for_none(server: &Server) {
    server.wait_for("none", || {
        if server.get("/metrics").contains("canary_share") { "some".to_owned() } else { "none".to_owned() }
    });
}

#[test]
fn a_run_that_ends_in_any_way_leaves_no_canary() {
    let project = project(false);
    let server = serving(&project);
    let running = held(&project, &server);
    let second = project.run(&gradually("version=2", &[]));
    assert!(
        second.code == 1 && second.stderr.contains("run 4 of promote_gradually is active"),
        "{}",
        second.stderr
    );
    let by_hand = project.run(&["models", "canary", "2", "--share", "50%"]);
    assert!(
        by_hand.code == 1 && by_hand.stderr.contains("run 4 keeps a canary of version 2"),
        "{}",
        by_hand.stderr
    );
    project.ok(&["flows", "cancel", "4"]);
    ends(running);
    wait_for_none(&server);
    assert_eq!(project.json(&["flows", "inspect", "4"])["run"]["state"], "cancelled");

    // Killed, the run cannot end anything itself.
    let mut running = held(&project, &server);
    running.kill().unwrap();
    running.wait().unwrap();
    wait_for_none(&server);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);

    // Whoever ends the canary ends the run.
    let running = held(&project, &server);
    project.ok(&["models", "canary", "--off"]);
    ends(running);
    let message = project.json(&["flows", "inspect", "7"])["run"]["message"].to_string();
    assert!(message.contains("somebody ended the canary"), "{message}");
    wait_for_none(&server);
    server.stop("-TERM");
}

/// The run of a server goes on after its server was killed and after it was stopped; in between no canary answers.
#[tokio::test]
async fn a_restart_in_a_step_begins_it_again() {
    let project = project(false);
    let users = user_ids(&project, MONTH);
    let parameters = json!({
        "version": 2, "shadow_for": "0s", "shares": "20%", "step_for": "3s", "min_requests": 40, "max_latency_ratio": 1000,
    });
    let up = Up::start(&project, &[]);
    let token = up.token().await;
    let url = format!("{}/api/streamflow/flows/promote_gradually/run", up.console);
    let asked =
        up.client.post(url).header("x-streamflow-token", token).json(&json!({ "parameters": parameters }));
    assert_eq!(asked.send().await.unwrap().status(), 200);
    wait_for_share(&up.server, "0.2");
    let first = project.json(&["models", "canary"])["since"].clone();
    up.server.kill();

    // A server that runs no flows finds the canary of a run whose process is gone.
    let alone = serving(&project);
    wait_for_none(&alone);
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    alone.stop("-TERM");

    let up = Up::start(&project, &[]);
    wait_for_share(&up.server, "0.2");
    let second = project.json(&["models", "canary"])["since"].clone();
    assert_ne!(first, second, "the step begins again");
    up.server.stop("-TERM");
    let state = project.json(&["flows", "inspect", "4"])["run"]["state"].clone();
    assert_eq!(state, "scheduled", "it goes on when a server is up again");

    let up = Up::start(&project, &[]);
    let _load = Load::on(&up.api, &users);
    eventually("the run ends", || async {
        let run = project.json(&["flows", "inspect", "4"])["run"].clone();
        if run["state_name"] == "PROMOTED" { Ok(()) } else { Err(run) }
    })
    .await;
    assert_eq!(project.json(&["models", "canary"]), Value::Null);
    up.server.wait_for("\"version\":\"2\"", || up.server.get("/ready"));
    up.server.stop("-TERM");
}

#[test]
fn a_run_takes_nobodys_place() {
    let project = project(true);
    let users = user_ids(&project, MONTH);
    let refused = |said: &str| {
        let run = project.run(&gradually("version=2", &[]));
        assert!(run.code == 1 && run.stderr.contains(said), "{}", run.stderr);
    };
    project.ok(&["models", "canary", "3", "--share", "10%"]);
    refused("version 3 answers 10 % of the entities, as ");
    refused("end that with `streamflow models canary --off`");
    assert_eq!(project.json(&["models", "canary"])["version"], 3);
    project.ok(&["models", "canary", "--off"]);
    project.ok(&["models", "shadow", "3"]);
    refused("end that with `streamflow models shadow --end`");
    project.ok(&["models", "shadow", "--end"]);

    // Somebody begins one while the candidate answers unheard.
    let server = serving(&project);
    let load = Load::on(server.url().trim_end_matches('/'), &users);
    let more =
        ["--param", "shadow_for=5s", "--param", "max_disagreement=1", "--param", "max_score_difference=9"];
    let args = gradually("version=2", &more);
    let child = project.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for("shadow_predictions_total", || server.get("/metrics"));
    project.ok(&["models", "canary", "3", "--share", "10%"]);
    ends(child);
    drop(load);
    let message = message_of(&project, 9);
    assert!(
        message
            .contains("was returned to version 1 before 20 %: version 3 answers 10 % of the entities, as "),
        "{message}"
    );
    assert_eq!(project.json(&["models", "canary"])["version"], 3, "it goes on");
    server.stop("-TERM");
}

#[test]
fn a_promotion_in_the_middle_of_a_run_says_who_answers() {
    let project = project(true);
    let server = serving(&project);
    let running = held(&project, &server);
    project.ok(&["models", "promote", "3"]);
    ends(running);
    let message = message_of(&project, 6);
    let expected = "version 2 was given up at 20 %: version 3 was put in production meanwhile, in the place of \
                    version 1, and answers everybody";
    assert!(message.contains(expected), "{message}");
    server.stop("-TERM");
}
