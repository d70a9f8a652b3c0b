//! Flows as the command line runs them: the loop on the real months, and every way a run may go on or end.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::project::{Project, course};

/// A project with the first real month ingested and learned from, and the folder of the second.
pub fn first_month() -> Option<(Project, String)> {
    let course = course()?;
    let project = Project::new();
    let month = |number: &str| course.join(format!("month_{number}")).to_string_lossy().into_owned();
    project.ok(&["ingest", "--as-of", "2024-01-31", &month("000")]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    Some((project, month("001")))
}

pub fn monthly(drop: &str) -> [String; 8] {
    let param = |name: &str, value: &str| format!("{name}={value}");
    [
        "flows".into(),
        "run".into(),
        "monthly".into(),
        "--param".into(),
        param("as_of", "2024-02-29"),
        "--param".into(),
        param("drop", drop),
        "--format=json".into(),
    ]
}

/// Everything that a run leaves behind and that two runs of the same must have alike.
#[derive(Debug, PartialEq)]
pub struct Left {
    pub outcome: String,
    months: usize,
    versions: Vec<(i64, bool)>,
    audit: Vec<(String, String)>,
    evaluations: Vec<(i64, String)>,
}

pub async fn left_by(project: &Project, run: i64) -> Left {
    let inspected = project.json(&["flows", "inspect", &run.to_string()]);
    let versions = project.json(&["models", "ls"]);
    let versions = versions.as_array().unwrap().iter();
    let pool = database(project).await;
    let audit = sqlx::query_as("SELECT action, subject FROM production_log ORDER BY id");
    let evaluations = sqlx::query_as("SELECT version, period FROM evaluations ORDER BY id");
    Left {
        outcome: inspected["run"]["state_name"].as_str().unwrap().to_owned(),
        months: project
            .files("data/snapshots/_ledger")
            .keys()
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .count(),
        versions: versions
            .map(|v| (v["version"].as_i64().unwrap(), v["production"].as_bool().unwrap()))
            .collect(),
        audit: audit.fetch_all(&pool).await.unwrap(),
        evaluations: evaluations.fetch_all(&pool).await.unwrap(),
    }
}

pub async fn database(project: &Project) -> SqlitePool {
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(project.path("data/streamflow.db")))
        .await
        .unwrap()
}

#[test]
fn the_loop_closes_on_a_month_whose_labels_changed() {
    let Some((project, drop)) = first_month() else { return };
    let args = monthly(&drop);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let told = project.ok(&args);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["state_name"], "PROMOTED", "{told}");
    let steps: Vec<&str> =
        told["tasks"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "ingest",
            "find_production",
            "build_reference_table",
            "build_current_table",
            "compare_tables",
            "evaluate",
            "write_reports",
            "train",
            "compare_versions",
            "promote"
        ]
    );
    let monitored = &told["result"]["monitored"];
    assert_eq!(
        (&monitored["drift_decision"], &monitored["decision"]),
        (&"NO_ACTION".into(), &"RETRAINING_TRIGGERED".into()),
        "drift is green and the model is wrong"
    );
    let line = monitored["performance"]["line"].as_str().unwrap();
    let expected =
        "[performance] auc=0.49 (validation 0.84, 95 % 0.46..0.52, n=1789) -> RETRAINING_TRIGGERED ";
    assert!(line.starts_with(expected), "{line}");
    let gain = &told["result"]["compared"]["report"]["auc"]["interval"];
    assert!(gain["low"].as_f64().unwrap() > 0.1, "{gain}");

    // The second version is right on its own month.
    let evaluated = project.json(&["evaluate", "--as-of", "2024-02-29"]);
    assert_eq!((&evaluated["version"], &evaluated["verdict"]["decision"]), (&2.into(), &"no_action".into()));
    let history = project.json(&["evaluate", "--history", "--model", "churn:1"]);
    let decisions: Vec<&str> =
        history.as_array().unwrap().iter().map(|e| e["verdict"]["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["no_action", "fallen"]);
    let html = String::from_utf8(
        project
            .files("reports/drift")
            .into_iter()
            .find(|(path, _)| path.extension().is_some_and(|e| e == "html"))
            .unwrap()
            .1,
    )
    .unwrap();
    for part in [
        "The model is no longer right",
        "RETRAINING_TRIGGERED",
        "Performance</h2>",
        "blind to a changed relation",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[tokio::test]
async fn a_kill_at_any_point_changes_nothing_of_the_outcome() {
    let Some((project, drop)) = first_month() else { return };
    let args = monthly(&drop);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    project.ok(&args);
    let run = 3;
    let expected = left_by(&project, run).await;
    let steps = transitions(&database(&project).await, run).await;
    assert!(steps > 20, "{steps}");

    let mut kills = 0;
    for point in (1..steps).step_by(2) {
        let Some((project, _)) = first_month() else { return };
        if !killed_at(&project, &args, run, point).await {
            continue;
        }
        kills += 1;
        // One that had ended before its process was killed is not tried again.
        if left_by(&project, run).await.outcome != expected.outcome {
            let again = project.run(&["flows", "retry", &run.to_string()]);
            assert_eq!(again.code, 0, "killed after {point} transitions: {}", again.stderr);
        }
        assert_eq!(left_by(&project, run).await, expected, "killed after {point} transitions");
    }
    assert!(kills >= 5, "only {kills} kills hit a running flow");
    eprintln!("{kills} kills, 0 lost");
}

async fn transitions(pool: &SqlitePool, run: i64) -> i64 {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM transitions WHERE run_id = ?").bind(run);
    count.fetch_one(pool).await.unwrap()
}

/// Starts the command and kills it when the run has that many transitions; false where it was faster.
async fn killed_at(project: &Project, args: &[&str], run: i64, point: i64) -> bool {
    let pool = database(project).await;
    let mut process = project.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while process.try_wait().unwrap().is_none() {
        if transitions(&pool, run).await >= point {
            process.kill().unwrap();
            return !process.wait().unwrap().success();
        }
        tokio::task::yield_now().await;
    }
    false
}

/// A project whose flow `own` is these steps, with other settings of it.
fn own_flow(settings: &str) -> Project {
    let project = Project::new();
    project.edit("streamflow.toml", |text| format!("{text}\n[flows.own]\n{settings}\n"));
    project
}

#[test]
fn a_flow_of_ones_own_runs_commands_with_parameters() {
    let project = own_flow(
        "steps = [{ name = \"say\", run = [\"sh\", \"-c\", \"echo {word} $STREAMFLOW_PARAM_WORD $EXTRA; echo oops >&2\"], env = { EXTRA = \"more\" } }]",
    );
    let told = project.json(&["flows", "run", "own", "--param", "word=hello"]);
    assert_eq!(told["state_name"], "Completed");
    let log = project.ok(&["flows", "logs", "1"]);
    assert!(log.contains("info    hello hello more") && log.contains("warning oops"), "{log}");
}

#[test]
fn a_step_with_the_same_inputs_is_taken_over() {
    let project = own_flow(
        "cache_for = \"1d\"\nsteps = [{ name = \"export\", run = [\"sh\", \"-c\", \"cat query >> out\"], inputs = [\"query\"] }, \
         { name = \"say\", run = [\"sh\", \"-c\", \"echo x >> said\"] }]",
    );
    let write = |text: &str| std::fs::write(project.path("query"), text).unwrap();
    let out = || std::fs::read_to_string(project.path("out")).unwrap();
    write("a");
    for (arguments, text, written, expected) in [
        (&["flows", "run", "own"][..], "a", "a", "Completed"),
        (&["flows", "run", "own"], "a", "a", "Cached"),
        (&["flows", "run", "own", "--param", "word=x"], "a", "aa", "Completed"),
        (&["flows", "run", "own"], "b", "aab", "Completed"),
        (&["flows", "run", "own"], "a", "aab", "Cached"),
        (&["flows", "run", "own", "--no-cache"], "a", "aaba", "Completed"),
    ] {
        write(text);
        let told = project.json(arguments);
        assert_eq!(out(), written, "{arguments:?}");
        let run = project.json(&["flows", "inspect", &told["run"].to_string()]);
        assert_eq!(run["tasks"][0]["state_name"], expected, "{run}");
    }
    let run = project.json(&["flows", "inspect", "5"]);
    let message = run["tasks"][0]["message"].as_str().unwrap();
    assert!(message.contains("those of run 1"), "{message}");
    assert_eq!(std::fs::read_to_string(project.path("said")).unwrap(), "x\n".repeat(6));

    std::fs::remove_file(project.path("query")).unwrap();
    let failed = project.run(&["flows", "run", "own"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("which the step names in inputs"), "{}", failed.stderr);
}

#[test]
fn training_again_on_the_same_tables_gives_the_same_version() {
    let project = Project::with_sample(400);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.edit("streamflow.toml", |text| format!("{text}\n[flows.train_model]\ncache_for = \"1d\"\n"));
    let train = |seed: &str| {
        project.json(&["flows", "run", "train_model", "--param", "as_of=2024-01-31", "--param", seed])
    };
    assert_eq!(train("seed=1")["result"]["version"], 1);
    assert_eq!(train("seed=2")["result"]["version"], 2);
    let again = train("seed=1");
    assert_eq!((&again["result"]["version"], &again["result"]["production"]), (&1.into(), &true.into()));
    assert_eq!(project.json(&["models", "ls"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_fails_is_tried_again_from_the_step_that_failed() {
    let project = own_flow(
        "retries = 1\nretry_delays = [\"10ms\"]\nsteps = [{ name = \"once\", run = [\"sh\", \"-c\", \"echo x >> once\"] }, \
         { name = \"flaky\", run = [\"sh\", \"-c\", \"test -f there || { touch there; exit 7; }\"] }]",
    );
    project.ok(&["flows", "run", "own"]);
    let run = project.json(&["flows", "inspect", "1"]);
    assert_eq!((&run["run"]["state_name"], &run["run"]["attempt"]), (&"Completed".into(), &2.into()));
    let names: Vec<&str> = run["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["task"].is_null())
        .map(|line| line["state_name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["Scheduled", "Pending", "Running", "AwaitingRetry", "Pending", "Retrying", "Completed"]
    );
    let once = std::fs::read_to_string(project.path("once")).unwrap();
    assert_eq!(once, "x\n", "a step that has completed is not repeated");

    let steps = own_flow(
        "step_retries = 2\nretry_delays = [\"10ms\"]\nsteps = [{ name = \"flaky\", run = [\"sh\", \"-c\", \"echo x >> tries; test $(wc -l < tries) -ge 3\"] }]",
    );
    steps.ok(&["flows", "run", "own"]);
    let run = steps.json(&["flows", "inspect", "1"]);
    assert_eq!(run["run"]["attempt"], 1);
    let words: Vec<&str> = run["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["task"] == "flaky")
        .map(|line| line["state_name"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed"]);
}

#[test]
fn a_run_that_failed_says_why_and_can_be_retried_by_hand() {
    let project = own_flow("steps = [{ name = \"needs\", run = [\"test\", \"-f\", \"key\"] }]");
    let failed = project.run(&["flows", "run", "own"]);
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("test -f key ended with exit status: 1"), "{}", failed.stderr);
    for (args, expected) in [
        (
            &["flows", "retry", "1", "--from", "nothing"][..],
            "run 1 has no step \"nothing\"; its steps were needs",
        ),
        (&["flows", "retry", "9"], "there is no run 9"),
        (&["flows", "approve", "1"], "run 1 is Failed and waits for no answer"),
        (&["flows", "cancel", "1"], "run 1 has ended: it is Failed"),
        (&["flows", "run", "owm"], "did you mean own?"),
        (&["flows", "run", "monthly", "--param", "as_of=2024-02-30"], "expected a date"),
        (&["flows", "pause", "monthly"], "flow monthly has no schedule"),
        (
            &["flows", "backfill", "monitor_month", "--from", "2024-01-01", "--to", "2024-12-31"],
            "no snapshot from",
        ),
    ] {
        let run = project.run(args);
        assert_eq!(run.code, 1, "{args:?}");
        assert!(run.stderr.contains(expected), "{args:?}: {}", run.stderr);
    }
    std::fs::write(project.path("key"), "").unwrap();
    project.ok(&["flows", "retry", "1"]);
    let again = project.run(&["flows", "retry", "1"]);
    assert!(again.stderr.contains("run 1 is Completed and cannot be tried again"), "{}", again.stderr);
}

#[test]
fn a_step_that_takes_too_long_is_ended() {
    let project = own_flow("timeout = \"300ms\"\nsteps = [{ run = [\"sleep\", \"60\"] }]");
    let begun = Instant::now();
    let run = project.run(&["flows", "run", "own"]);
    assert!(run.stderr.contains("the step sleep took longer than 300ms"), "{}", run.stderr);
    assert!(begun.elapsed() < Duration::from_secs(30));
    let states = project.json(&["flows", "runs", "--state", "TimedOut"]);
    assert_eq!(states[0]["state"], "failed");
}

#[test]
fn a_run_is_cancelled_from_elsewhere() {
    let project = own_flow("steps = [{ run = [\"sleep\", \"60\"] }, { run = [\"touch\", \"after\"] }]");
    let mut process = project
        .command(&["flows", "run", "own"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while project.json(&["flows", "runs", "--state", "running"]) == Value::Array(Vec::new()) {
        assert!(started.elapsed() < Duration::from_secs(60), "it never ran");
    }
    let told = project.json(&["flows", "cancel", "1"]);
    assert_eq!(told["state"], "cancelling");
    assert_eq!(process.wait().unwrap().code(), Some(1));
    let run = project.json(&["flows", "inspect", "1"]);
    assert_eq!(run["run"]["state_name"], "Cancelled");
    assert!(!project.path("after").exists());
}

#[test]
fn a_promotion_waits_for_an_answer() {
    for (answer, outcome, production) in [("approve", "PROMOTED", 2), ("reject", "Failed", 1)] {
        let Some((project, drop)) = first_month() else { return };
        let args = monthly(&drop);
        let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
        args.extend(["--param", "promote=ask"]);
        let paused = project.run(&args);
        assert!(
            paused.stderr.contains("the run waits for an answer: Promote version 2?"),
            "{}",
            paused.stderr
        );
        assert_eq!(project.json(&["flows", "inspect", "3"])["run"]["state"], "paused");
        let answered = project.run(&["flows", answer, "3", "--note", "looked at it"]);
        assert_eq!(answered.code, 0, "{}", answered.stderr);
        let run = project.json(&["flows", "inspect", "3"]);
        assert_eq!(run["run"]["state_name"], outcome, "{run}");
        let versions = project.json(&["models", "ls"]);
        let served = versions.as_array().unwrap().iter().find(|v| v["production"] == true).unwrap();
        assert_eq!(served["version"], production);
    }
}

#[test]
fn too_few_labels_decide_nothing() {
    let project = Project::with_sample(400);
    for month in ["2024-01-31", "2024-02-29"] {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let told = project.ok(&["monitor", "--reference", "2024-01-31", "--current", "2024-02-29"]);
    let line = told.lines().find(|line| line.starts_with("[performance]")).unwrap();
    assert!(line.contains("-> UNDECIDED") && line.contains("200 are needed"), "{line}");
    let drift = told.lines().find(|line| line.starts_with("[drift]")).unwrap();
    assert!(drift.contains("-> NO_ACTION"), "{drift}");
}

#[test]
fn six_months_say_what_is_usual_and_the_configuration_what_it_is_worth() {
    let project = Project::new();
    project.edit("streamflow.toml", |text| {
        let value = "value = { true_positive = 10.0, false_positive = -1.0, true_negative = 0.0, false_negative = 0.0 }";
        text.replacen("\n# performance = {", &format!("\nperformance = {{ {value} }}\n# {{"), 1)
    });
    project.ok(&["sample", "--out", "drops", "--rows", "900", "--months", "9", "--relation-month", "9"]);
    let months = ["01-31", "02-29", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30"];
    for month in months {
        project.ok(&["ingest", "--as-of", &format!("2024-{month}"), &format!("drops/month_2024-{month}")]);
    }
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let history = project.json(&["evaluate", "--history"]);
    for (place, month) in history.as_array().unwrap().iter().enumerate() {
        // The month that it was trained on says nothing of the months after.
        assert_eq!(month["usual"].is_object(), place >= 7, "{place}: {}", month["usual"]);
        let counts = &month["realised"]["measured"]["confusion"];
        let count = |name: &str| counts[name].as_f64().unwrap();
        let worth = month["realised"]["measured"]["metrics"]["business_value"]["value"].as_f64().unwrap();
        assert!((worth - 10.0 * count("true_positive") + count("false_positive")).abs() < 1e-9);
    }
    assert_eq!(
        (&history[7]["usual"]["months"], &history[7]["usual"]["is_unusual"]),
        (&6.into(), &false.into())
    );
    assert_eq!(
        (&history[8]["usual"]["months"], &history[8]["usual"]["is_unusual"]),
        (&7.into(), &true.into())
    );
    let told = project.ok(&["evaluate", "--history"]);
    assert!(told.contains("USUAL FROM"), "{told}");
    let told = project.ok(&["evaluate"]);
    assert!(told.contains("from which on it is usual") && told.contains("business_value"), "{told}");
}

#[test]
fn a_run_that_waits_says_how_it_is_answered() {
    let project = Project::new();
    let sample = ["--months", "2", "--rows", "2500", "--relation-month", "2"];
    project.ok(&[&["sample", "--out", "drops"], &sample[..]].concat());
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    let month = ["--param", "as_of=2024-02-29", "--param", "drop=drops/month_2024-02-29"];
    let args = [&["flows", "run", "monthly", "--param", "promote=ask"], &month[..]].concat();
    let paused = project.run(&args);
    let expected = "run 3 is paused; answer with `streamflow flows approve 3` or `streamflow flows reject 3`: the \
                    run waits for an answer: Promote version 2?";
    assert_eq!(paused.code, 1);
    assert!(paused.stderr.contains(expected), "{}", paused.stderr);
    project.ok(&["flows", "reject", "3"]);
    assert_eq!(project.json(&["flows", "inspect", "3"])["run"]["state_name"], "Failed", "a no ends the run");
}
