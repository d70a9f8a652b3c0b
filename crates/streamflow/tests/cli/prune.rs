//! `streamflow data prune`: what is old goes, what is needed stays, and a reader meets neither half.
#![allow(clippy::print_stdout)]

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::project::Project;
use crate::server::Server;

const MONTHS: [&str; 5] = ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"];

/// Five months, three versions of which the first is in production, four reports; one of each is kept.
fn project() -> Project {
    let project = Project::new();
    project.ok(&["sample", "--out", "drops", "--rows", "120", "--months", "5"]);
    for month in MONTHS {
        project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
    }
    for month in &MONTHS[..3] {
        project.ok(&["train", "--as-of", month]);
    }
    for month in &MONTHS[1..] {
        project.ok(&["monitor", "--reference", MONTHS[0], "--current", month]);
    }
    project.edit("streamflow.toml", |text| {
        text.replace("# keep_months = 36", "keep_months = 1")
            .replace("# keep_versions = 24", "keep_versions = 1")
            .replace("# keep_reports = 100", "keep_reports = 1")
    });
    project
}

/// The fates as `kind name goes`, with the reasons of those that stay.
fn fates(value: &Value) -> Vec<String> {
    let line = |fate: &Value| {
        let [kind, name, why] = ["kind", "name", "why"].map(|key| fate[key].as_str().unwrap().to_owned());
        match fate["goes"].as_bool().unwrap() {
            true => format!("{kind} {name} goes"),
            false => format!("{kind} {name}: {why}"),
        }
    };
    let mut lines: Vec<String> = value["fates"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

/// The subjects of the entries of the clean-up.
fn trail(project: &Project) -> Vec<String> {
    let entries = project.json(&["audit", "ls", "--limit", "10000"]);
    let of_prune = |entry: &&Value| entry["action"] == "prune";
    let entries = entries.as_array().unwrap().iter().filter(of_prune);
    entries.map(|entry| entry["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_processes_that_are_gone_were_writing_goes() {
    let project = project();
    // Numbers of processes end far below.
    let left =
        ["data/models/churn/..incoming-4294967295.partial", "reports/drift/.drift_a_vs_b.json.4294967295"];
    std::fs::create_dir(project.path(left[0])).unwrap();
    std::fs::write(project.path(left[1]), "{").unwrap();
    let doctor = project.run(&["doctor"]).stdout;
    assert!(left.iter().all(|path| doctor.contains(path)), "{doctor}");
    let gone = fates(&project.json(&["data", "prune"]));
    for path in left {
        assert!(gone.contains(&format!("leftover {path} goes")), "{gone:?}");
        assert!(!project.path(path).exists());
    }
}

#[test]
fn what_is_old_goes_and_what_is_needed_says_why_it_stays() {
    let project = project();
    let expected = [
        "model churn version 1: it is in production",
        "model churn version 2 goes",
        "report drift_2024-01-31_vs_2024-02-29 goes",
        "report drift_2024-01-31_vs_2024-03-31 goes",
        "report drift_2024-01-31_vs_2024-04-30 goes",
        "snapshot 2024-01-31: version 1, which is in production, learned from it",
        "snapshot 2024-02-29 goes",
        "snapshot 2024-03-31 goes",
        "snapshot 2024-04-30 goes",
    ];
    let before = project.files("data/snapshots");
    assert_eq!(fates(&project.json(&["data", "prune", "--dry-run"])), expected);
    assert!(project.files("data/snapshots") == before, "a dry run changes nothing");
    let text = project.ok(&["data", "prune", "--dry-run"]);
    assert!(
        text.contains("would go") && text.contains("7 would go, 2 kept although past a limit."),
        "{text}"
    );

    let users = std::fs::read_to_string(project.path("drops/month_2024-05-31/users.csv")).unwrap();
    let body = format!("{{\"user_id\":\"{}\"}}", users.lines().nth(1).unwrap().split(',').next().unwrap());
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    server.wait_for(" 200 ", || server.predict(&body));
    let answer = |answer: String| answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let served = answer(server.predict(&body));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(answer(server.predict(&body)), served);
            }
        });
        let reading = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                project.ok(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[4]]);
            }
        });
        assert_eq!(fates(&project.json(&["data", "prune"])), expected);
        done.store(true, Ordering::Relaxed);
        traffic.join().unwrap();
        reading.join().unwrap();
    });
    server.stop("-TERM");
    let left: Vec<Value> = project.json(&["data", "verify"])["files"].as_array().unwrap().clone();
    let mut dates: Vec<&str> = left.iter().map(|file| file["as_of"].as_str().unwrap()).collect();
    dates.dedup();
    assert_eq!(dates, [MONTHS[0], MONTHS[4]]);
    let versions: Vec<i64> = project
        .json(&["models", "ls"])
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, [3, 1]);
    assert!(!project.path("data/models/churn/2").exists());
    project.ok(&["train", "--as-of", MONTHS[4]]);
    assert!(project.path("data/models/churn/4").exists(), "a number is given once");
    assert!(!project.run(&["doctor"]).stdout.contains("wrong  snapshots"));
}

#[test]
fn without_limits_everything_is_kept() {
    let project = Project::with_sample(100);
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    let before = project.files("data/snapshots");
    assert!(project.ok(&["data", "prune"]).starts_with("Nothing is past a limit"));
    assert!(project.files("data/snapshots") == before);
}

#[test]
fn a_clean_up_killed_anywhere_leaves_a_store_that_is_whole() {
    let project = project();
    let faults = project.killed(&["data", "prune"], || {
        let verified = project.run(&["data", "verify"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        project.ok(&["models", "ls"]);
    });
    let left = fates(&project.json(&["data", "prune", "--dry-run"]));
    assert!(left.iter().all(|line| !line.ends_with(" goes")), "{left:?}");
    assert!(!project.path("data/models/churn/2").exists());
    // Whatever it was cut off at, nothing went without an entry.
    let trail = trail(&project);
    let reports =
        ["2024-02-29", "2024-03-31", "2024-04-30"].map(|month| format!("report drift_2024-01-31_vs_{month}"));
    for gone in reports.iter().map(String::as_str).chain(["snapshot 2024-02-29"]) {
        assert!(trail.iter().any(|subject| subject == gone), "{gone} in {trail:?}");
    }
    println!("kills of clean-ups: {faults} faults, 0 lost");
}
