//! `streamflow doctor`: each state that is wrong, made, is named with what to do.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::project::Project;
use crate::up::Up;

/// A month and a model, with ports that nobody else takes.
fn project() -> Project {
    let project = Project::with_sample(200);
    listen(&project, "127.0.0.1:0", "127.0.0.1:0");
    project.ok(&["ingest", "--as-of", "2024-01-31", "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", "2024-01-31"]);
    project
}

fn listen(project: &Project, api: &str, console: &str) {
    project.edit("streamflow.toml", |text| {
        let mut addresses = [api, console].into_iter();
        let line = |line: &str| match line.starts_with("listen = ") {
            true => format!("listen = \"{}\"\n", addresses.next().unwrap()),
            false => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    });
}

/// What is not as it should be: the check, its verdict, what was found and what to do.
fn complaints(project: &Project, args: &[&str]) -> Vec<[String; 4]> {
    let run = project.run(&[&["doctor", "--format", "json"], args].concat());
    let value: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    assert_eq!(run.code, i32::from(value["verdict"] == "wrong"), "{value}");
    let findings = value["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    findings
        .filter(|finding| finding["verdict"] != "ok")
        // The limits of the machine that the tests run on are not the project's.
        .filter(|finding| finding["check"] != "open files" && finding["check"] != "disk")
        .map(|finding| ["check", "verdict", "what", "remedy"].map(|key| text(finding, key)))
        .collect()
}

fn check(project: &Project, args: &[&str], name: &str, verdict: &str, what: &str) {
    let found = complaints(project, args);
    let is_it = |line: &&[String; 4]| line[0] == name && line[1] == verdict && line[2].contains(what);
    let line =
        found.iter().find(is_it).unwrap_or_else(|| panic!("no {verdict} {name} {what:?} in {found:#?}"));
    assert!(!line[3].is_empty(), "it says what to do: {line:?}");
}

#[test]
fn a_sound_project_has_nothing_to_complain_of() {
    let project = project();
    assert_eq!(complaints(&project, &[]), Vec::<[String; 4]>::new());
    assert_eq!(complaints(&project, &["--deep"]), Vec::<[String; 4]>::new());
    let text = project.run(&["doctor"]).stdout;
    assert!(text.contains("ok     database          the database has the version"), "{text}");
    let wrong = text.lines().filter(|line| line.starts_with("wrong")).count();
    assert!(text.trim_end().ends_with(&format!(", {wrong} wrong.")), "{text}");
    // A new project has nothing yet, and that is no fault.
    let new = Project::new();
    listen(&new, "127.0.0.1:0", "127.0.0.1:0");
    let found = complaints(&new, &["--deep"]);
    assert!(found.len() == 1 && found[0][2].contains("data is not there yet"), "{found:?}");
}

#[test]
fn what_is_wrong_with_the_configuration_and_its_files_is_named() {
    let project = project();
    let everybody = |path: &str, mode: u32| {
        fs::set_permissions(project.path(path), Permissions::from_mode(mode)).unwrap();
    };
    everybody(".env", 0o644);
    check(&project, &[], "secrets", "wrong", "everybody on this machine can read .env");
    everybody(".env", 0o640);
    check(&project, &[], "secrets", "warn", "the group of .env");
    everybody(".env", 0o600);
    everybody("data", 0o777);
    check(&project, &[], "data directory", "wrong", "everybody on this machine can change");
    everybody("data", 0o755);
    project.edit("streamflow.toml", |text| text.replace("batch_limit = 1000", "key_file = \"keys.toml\""));
    project.edit("streamflow.toml", |text| format!("{text}\n[flows.monthyl]\nretries = 1\n"));
    fs::write(project.path("keys.toml"), "").unwrap();
    check(&project, &[], "secrets", "wrong", "api.key_file");
    fs::set_permissions(project.path("keys.toml"), Permissions::from_mode(0o600)).unwrap();
    fs::write(project.path("keys.toml"), "shop = 12").unwrap();
    check(&project, &[], "secrets", "wrong", "keys.toml is no key file");
    check(&project, &[], "configuration", "wrong", "flows.monthyl is neither built in nor has steps");
    project.edit("streamflow.toml", |text| text.replace("[model]", "[modle]"));
    let found = complaints(&project, &[]);
    assert!(found.len() == 1 && found[0][2].contains("did you mean `model`?"), "{found:?}");
}

#[test]
fn damage_is_named_and_what_only_reading_finds_takes_deep() {
    let project = project();
    let snapshot = project.path("data/snapshots/users/as_of=2024-01-31/part-0.parquet");
    let model = project.path("data/models/churn/1/model.bin");
    let flip = |path: &std::path::Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    flip(&snapshot);
    flip(&model);
    assert_eq!(complaints(&project, &[]), Vec::<[String; 4]>::new());
    check(&project, &["--deep"], "snapshots", "wrong", "users/as_of=2024-01-31/part-0.parquet is damaged");
    check(&project, &["--deep"], "models", "wrong", "version 1 of churn is damaged");
    fs::remove_file(&snapshot).unwrap();
    fs::remove_file(&model).unwrap();
    check(
        &project,
        &[],
        "models",
        "wrong",
        "version 1 of churn is damaged: data/models/churn/1/model.bin is missing",
    );
    fs::remove_dir_all(project.path("data/models/churn/1")).unwrap();
    check(&project, &[], "snapshots", "wrong", "is missing");
    check(&project, &[], "models", "wrong", "version 1 of churn is registered, and");
    let ledger = project.path("data/snapshots/_ledger/as_of=2024-01-31.json");
    project.edit("data/snapshots/_ledger/as_of=2024-01-31.json", |text| {
        text.replace("\"format\": 2", "\"format\": 9")
    });
    check(&project, &[], "snapshots", "wrong", "format 9 of a later release");
    fs::write(&ledger, "{").unwrap();
    check(&project, &[], "snapshots", "wrong", "is damaged");
    fs::create_dir_all(project.path("reports/drift")).unwrap();
    fs::write(project.path("reports/drift/drift_a_vs_b.json"), "{}").unwrap();
    check(&project, &[], "reports", "wrong", "drift_a_vs_b.json is not a drift report");
    fs::create_dir(project.path("data/snapshots/.ingest-2024-02-29-r1")).unwrap();
    fs::create_dir(project.path(".data.restoring")).unwrap();
    check(&project, &[], "left over", "warn", ".ingest-2024-02-29-r1");
    check(&project, &[], "left over", "warn", ".data.restoring");
    fs::write(project.path("data/streamflow.db"), "no database").unwrap();
    check(&project, &[], "database", "wrong", "cannot read the database");
}

#[test]
fn a_log_that_is_a_file_or_has_an_hour_that_is_none_is_wrong() {
    let project = project();
    fs::write(project.path("data/predictions"), "no folder").unwrap();
    check(&project, &[], "prediction log", "wrong", "predictions is a file");
    fs::remove_file(project.path("data/predictions")).unwrap();
    fs::create_dir_all(project.path("data/predictions/date=2024-03-01/hour=99")).unwrap();
    check(&project, &[], "prediction log", "wrong", "hour=99 is no folder of an hour");
}

#[test]
fn a_log_that_is_over_its_bounds_or_was_cut_off_is_told() {
    let project = project();
    let hour = project.path("data/predictions/date=2020-01-01/hour=05");
    fs::create_dir_all(&hour).unwrap();
    fs::write(hour.join(".part-1-4000000-0.parquet.partial"), "half").unwrap();
    check(&project, &[], "prediction log", "warn", "being written by processes that are gone");
    check(&project, &[], "prediction log", "warn", "the oldest answers are of 2020-01-01T05 UTC");
    fs::write(hour.join("part-1-1-0.parquet"), "no table").unwrap();
    check(&project, &[], "prediction log", "wrong", "part-1-1-0.parquet");
    project.edit("streamflow.toml", |text| text.replace("# max_bytes = 5_000_000_000", "max_bytes = 2"));
    check(&project, &[], "prediction log", "warn", "over log.max_bytes (2 bytes)");
    fs::write(hour.join(".merged-part-1-1-0.parquet.json"), "{").unwrap();
    check(&project, &[], "prediction log", "wrong", "could count twice");
}

#[test]
fn a_clock_behind_what_was_written_is_wrong() {
    let project = project();
    let ahead = SystemTime::now() + Duration::from_secs(86_400);
    let ledger = File::open(project.path("data/snapshots/_ledger/as_of=2024-01-31.json")).unwrap();
    ledger.set_modified(ahead).unwrap();
    check(&project, &[], "clock", "wrong", "and the ledger is of");
}

#[test]
fn a_port_of_another_program_is_wrong_and_one_of_ours_is_not() {
    let project = project();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    listen(&project, &taken, "127.0.0.1:0");
    check(&project, &[], "ports", "wrong", "is taken by another program");
    listen(&project, "192.0.2.1:8000", "127.0.0.1:0");
    check(&project, &[], "ports", "wrong", "cannot be listened on");
    listen(&project, "127.0.0.1:0", "127.0.0.1:0");
    let up = Up::start(&project, &[]);
    listen(&project, up.api.trim_start_matches("http://"), up.console.trim_start_matches("http://"));
    let found = complaints(&project, &["--deep"]);
    assert!(
        found.iter().all(|line| line[0] == "metrics" && line[2].contains("were not looked at")),
        "{found:?}"
    );
    up.server.stop("-TERM");
}
