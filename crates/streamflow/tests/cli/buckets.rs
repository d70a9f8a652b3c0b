//! Tables and data directories in buckets of a real server of S3's protocol.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use streamflow_oracles::S3Server;

use crate::project::{Project, Run};
use crate::replicas::shared;
use crate::server::Server;

const MONTHS: [&str; 2] = ["2024-01-31", "2024-02-29"];
const PLACE: &str = "s3://shop/data";

/// A machine: a project with a cache of its own.
struct Machine<'a> {
    project: &'a Project,
    cache: tempfile::TempDir,
    address: &'a str,
}

impl<'a> Machine<'a> {
    fn new(project: &'a Project, address: &'a str) -> Self {
        Self { project, cache: tempfile::tempdir().unwrap(), address }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.project.command(args);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "s3cret")
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("XDG_CACHE_HOME", self.cache.path());
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        let output = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "streamflow {}: {}", args.join(" "), run.stderr);
        run.stdout
    }

    fn ingest(&self, month: &str, drop: &str) -> Run {
        self.run(&[
            "--data-dir",
            PLACE,
            "ingest",
            "--replace",
            "--as-of",
            month,
            &format!("drops/month_{drop}"),
        ])
    }

    fn months(&self) -> Value {
        let verified = self.run(&["--data-dir", PLACE, "data", "verify", "--format", "json"]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        Self::months_of(&verified)
    }

    /// The months of the working copy, whatever the bucket has.
    fn months_of(verified: &Run) -> Value {
        let value: Value = serde_json::from_str(&verified.stdout).unwrap();
        let files = value["files"].as_array().unwrap();
        assert!(files.iter().all(|file| file["state"] == "intact"), "{value}");
        let mut dates: Vec<&str> = files.iter().map(|file| file["as_of"].as_str().unwrap()).collect();
        dates.dedup();
        dates.into()
    }

    fn pull(&self) {
        self.ok(&["--data-dir", PLACE, "data", "pull"]);
    }
}

fn user(project: &Project) -> String {
    let users = std::fs::read_to_string(project.path("drops/month_2024-02-29/users.csv")).unwrap();
    format!("{{\"user_id\":\"{}\"}}", users.lines().nth(1).unwrap().split(',').next().unwrap())
}

#[test]
fn a_month_and_a_model_in_a_bucket_reach_a_replica_and_come_back_to_a_folder() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(300);
    project.ok(&["ingest", "--as-of", MONTHS[0], "drops/month_2024-01-31"]);
    project.ok(&["train", "--as-of", MONTHS[0]]);
    let before = project.files("data/snapshots");
    let writer = Machine::new(&project, &s3.address);
    let pushed = writer.ok(&["--data-dir", PLACE, "data", "push", "--from", "data"]);
    assert!(pushed.contains("put there: 2024-01-31") && pushed.contains("churn version 1"), "{pushed}");
    assert_eq!(project.files("data/snapshots"), before, "the folder is left as it is");
    let ingested = writer.ingest(MONTHS[1], MONTHS[1]);
    assert_eq!(ingested.code, 0, "{}", ingested.stderr);

    // A replica with an empty disk.
    let replica_project = Project::with_sample(300);
    let replica = Machine::new(&replica_project, &s3.address);
    replica_project
        .edit("streamflow.toml", |text| text.replace("# refresh_seconds = 10", "refresh_seconds = 1"));
    let server = Server::of(
        replica.command(&["--data-dir", PLACE, "serve", "--listen", "127.0.0.1:0"]),
        "listening on http://",
    );
    server.wait_for(" 200 ", || server.predict(&user(&project)));
    server.wait_for("\"bucket\":{\"state\":\"followed\"}", || server.get("/ready"));
    assert!(server.get("/ready").contains("\"as_of\":\"2024-02-29\""));
    server.wait_for_metric("streamflow_object_store_up", 1.0);
    server.wait_for_metric("streamflow_object_store_requests_total{operation=\"get\",outcome=\"ok\"}", 1.0);
    // What is promoted there is served here.
    writer.ok(&["--data-dir", PLACE, "train", "--as-of", MONTHS[1]]);
    writer.ok(&["--data-dir", PLACE, "models", "promote", "2"]);
    server.wait_for("\"version\":\"2\"", || server.get("/ready"));
    // The bucket goes, and what is served stays.
    drop(s3);
    server.wait_for("\"bucket\":{\"state\":\"unreachable\"", || server.get("/ready"));
    assert!(server.predict(&user(&project)).contains(" 200 "));
    server.stop("-TERM");
}

/// The server looks in the bucket every second, and takes over into the database that the others write to.
#[test]
fn machines_that_share_a_bucket_and_a_database_promote_and_go_back_as_one() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(300);
    let Some(()) = shared(&project) else { return };
    project.edit("streamflow.toml", |text| text.replace("# refresh_seconds = 10", "refresh_seconds = 1"));
    let [first, second, third] = [(), (), ()].map(|()| Machine::new(&project, &s3.address));
    assert_eq!(first.ingest(MONTHS[0], MONTHS[0]).code, 0);
    for (machine, seed) in [(&first, "1"), (&second, "2")] {
        machine.ok(&["--data-dir", PLACE, "train", "--as-of", MONTHS[0], "--seed", seed]);
    }
    let server = Server::of(
        third.command(&["--data-dir", PLACE, "serve", "--listen", "127.0.0.1:0"]),
        "listening on http://",
    );
    let serves = |version: &str| {
        server.wait_for(&format!("\"version\":\"{version}\""), || server.get("/ready"));
    };
    let models =
        |args: &[&str], machine: &Machine| machine.run(&[&["--data-dir", PLACE, "models"], args].concat());
    serves("1");
    for (promoting, returning) in [(&first, &second), (&second, &first)] {
        assert_eq!(models(&["promote", "2"], promoting).code, 0);
        serves("2");
        assert_eq!(models(&["rollback"], returning).code, 0);
        serves("1");
    }
    // Each promotion stood there once: none is left to go back to.
    for machine in [&first, &second, &third] {
        let none = models(&["rollback"], machine);
        assert!(none.code == 1 && none.stderr.contains("no earlier production version"), "{}", none.stderr);
    }
    server.stop("-TERM");
}

#[test]
fn reports_of_the_folder_that_report_dir_names_reach_another_machine() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(200);
    let [writer, reader] = [(), ()].map(|()| Machine::new(&project, &s3.address));
    for month in MONTHS {
        assert_eq!(writer.ingest(month, month).code, 0);
    }
    let with_reports = |machine: &Machine, dir: &str, args: &[&str]| {
        let mut command = machine.command(&[&["--data-dir", PLACE], args].concat());
        let ended = command.env("REPORT_DIR", project.path(dir)).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    with_reports(&writer, "volume/drift", &["monitor", "--reference", MONTHS[0], "--current", MONTHS[1]]);
    with_reports(&writer, "volume/drift", &["data", "push"]);
    with_reports(&reader, "elsewhere/drift", &["data", "pull"]);
    let reports = |dir: &str| -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let inside = |path: std::path::PathBuf| path.strip_prefix(project.path(dir)).unwrap().to_owned();
        project.files(dir).into_iter().map(|(path, bytes)| (inside(path), bytes)).collect()
    };
    let sent = reports("volume/drift");
    assert!(sent.iter().any(|(path, _)| path.extension().is_some_and(|kind| kind == "json")), "{sent:?}");
    assert_eq!(reports("elsewhere/drift"), sent);
}

#[test]
fn the_way_back_from_a_bucket_is_a_folder_with_the_same_months() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(200);
    let machine = Machine::new(&project, &s3.address);
    assert_eq!(machine.ingest(MONTHS[0], MONTHS[0]).code, 0);
    machine.ok(&["--data-dir", PLACE, "train", "--as-of", MONTHS[0]]);
    machine.ok(&["--data-dir", PLACE, "data", "pull", "--to", "back"]);
    let verified = project.ok(&["--data-dir", "back", "data", "verify"]);
    assert!(!verified.contains("damaged"), "{verified}");
    assert!(project.ok(&["--data-dir", "back", "models", "ls"]).contains("production"));
    let again = machine.run(&["--data-dir", PLACE, "data", "pull", "--to", "back"]);
    assert!(again.code == 1 && again.stderr.contains("is not written over"), "{}", again.stderr);
}

#[test]
fn of_two_machines_that_ingest_one_month_one_wins_and_the_other_takes_it_over() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(200);
    let machines = [Machine::new(&project, &s3.address), Machine::new(&project, &s3.address)];
    let mut lost = 0;
    for _ in 0..4 {
        let runs = std::thread::scope(|scope| {
            let ingests = [0, 1].map(|at| {
                let machine = &machines[at];
                scope.spawn(move || machine.ingest(MONTHS[0], MONTHS[at]))
            });
            ingests.map(|ingest| ingest.join().unwrap())
        });
        for run in &runs {
            assert!(
                run.code == 0 || run.stderr.contains("was not committed: another writer"),
                "{}",
                run.stderr
            );
            lost += usize::from(run.code != 0);
        }
        assert!(runs.iter().any(|run| run.code == 0));
        machines.iter().for_each(Machine::pull);
        let sources = |machine: &Machine| {
            let files = std::fs::read_dir(machine.cache.path().join("streamflow/data")).unwrap();
            let copy = files.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
            std::fs::read_to_string(copy.join("snapshots/_ledger/as_of=2024-01-31.json")).unwrap()
        };
        assert_eq!(sources(&machines[0]), sources(&machines[1]));
        assert_eq!(machines[0].months(), machines[1].months());
    }
    println!("ingests that came second: {lost}");
}

#[test]
fn an_ingest_into_a_bucket_that_is_killed_anywhere_is_there_whole_or_not() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(100);
    let (writer, reader) = (Machine::new(&project, &s3.address), Machine::new(&project, &s3.address));
    assert_eq!(writer.ingest(MONTHS[0], MONTHS[0]).code, 0);
    let mut kills = 0;
    for step in 0.. {
        let args = ["--data-dir", PLACE, "ingest", "--as-of", MONTHS[1], "drops/month_2024-02-29"];
        let mut process = writer.command(&args).spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(60 * step);
        while std::time::Instant::now() < deadline && process.try_wait().unwrap().is_none() {
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
        if process.try_wait().unwrap().is_some() {
            break;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        kills += 1;
        reader.pull();
        let months = reader.months();
        assert!(months == serde_json::json!([MONTHS[0]]) || months == serde_json::json!(MONTHS), "{months}");
    }
    reader.pull();
    assert_eq!(reader.months(), serde_json::json!(MONTHS));
    println!("ingests into a bucket that were killed: {kills}, 0 half done");
}

#[test]
fn a_bucket_that_disappears_or_is_emptied_removes_nothing_here() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(100);
    let machine = Machine::new(&project, &s3.address);
    assert_eq!(machine.ingest(MONTHS[0], MONTHS[0]).code, 0);
    let months = machine.months();
    // The server forgets all of it, the bucket included.
    s3.ask("POST", "/moto-api/reset");
    let gone = machine.ingest(MONTHS[1], MONTHS[1]);
    assert!(gone.code == 1 && gone.stderr.contains("is s3://shop the right bucket"), "{}", gone.stderr);
    let doctor = machine.run(&["--data-dir", PLACE, "doctor"]);
    assert!(doctor.stdout.contains("NoSuchBucket"), "{}", doctor.stdout);
    s3.ask("PUT", "/shop");
    let emptied = machine.ingest(MONTHS[1], MONTHS[1]);
    assert!(emptied.code == 1 && emptied.stderr.contains("the bucket was emptied"), "{}", emptied.stderr);
    let verified = machine.run(&["--data-dir", PLACE, "data", "verify", "--format", "json"]);
    assert!(verified.code == 1 && verified.stdout.contains("as_of=2024-01-31.json is missing"));
    assert_eq!(Machine::months_of(&verified), months);
    machine.ok(&["--data-dir", PLACE, "data", "push"]);
    assert_eq!(machine.ingest(MONTHS[1], MONTHS[1]).code, 0);
    assert_eq!(machine.months(), serde_json::json!(MONTHS));
}

#[test]
fn tables_are_read_from_a_bucket_as_from_the_disk() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(200);
    let machine = Machine::new(&project, &s3.address);
    // Months put Parquet files into the bucket in Hive's layout.
    for month in MONTHS {
        assert_eq!(machine.ingest(month, month).code, 0);
    }
    let verdict = |reference: &str, current: &str| {
        let json = machine.ok(&["drift", reference, current, "--format", "json"]);
        let value: Value = serde_json::from_str(&json).unwrap();
        (value["drift_share"].clone(), value["decision"].clone(), value["columns"].as_array().map(Vec::len))
    };
    for month in MONTHS {
        let folder = project.path(&format!("lake/usage/as_of={month}"));
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("drops/month_{month}/usage_agg_30d.csv");
        std::fs::copy(project.path(&name), folder.join("part.csv")).unwrap();
    }
    let there = |month: &str| format!("s3://shop/data/snapshots/usage_agg_30d/as_of={month}");
    let expected = verdict(&format!("{}/", there(MONTHS[0])), &format!("{}/*.parquet", there(MONTHS[1])));
    assert_eq!(verdict(&format!("{}/", there(MONTHS[0])), &there(MONTHS[1])), expected);
    // Both months against one of them: a folder of partitions, a glob, here and there.
    let all = "s3://shop/data/snapshots/usage_agg_30d";
    let of_all = verdict(&format!("{all}/"), &there(MONTHS[1]));
    for glob in ["*/*.parquet", "as_of=*", "as_of=2024-*/"] {
        assert_eq!(verdict(&format!("{all}/{glob}"), &there(MONTHS[1])), of_all, "{glob}");
    }
    let here = verdict("lake/usage", "lake/usage/as_of=2024-02-29/part.csv");
    for glob in ["lake/usage/as_of=*/*.csv", "lake/usage/as_of=*", "lake/*/"] {
        assert_eq!(verdict(glob, "lake/usage/as_of=2024-02-29"), here, "{glob}");
    }
    let profile = machine.ok(&["profile", "lake/usage", "--out", "usage.json"]);
    assert!(profile.contains("400 rows"), "{profile}");
    let profile = machine.ok(&["profile", all, "--out", "there.json"]);
    assert!(profile.contains("400 rows"), "{profile}");
    for (table, expected) in [
        ("s3://shop/none/", "leads to no object"),
        ("s3://nowhere/a.csv", "is s3://nowhere the right bucket"),
        ("s5://shop/a.csv", "the scheme \"s5\" is not known"),
        ("lake/none-*.csv", "no file matches lake/none-*.csv"),
    ] {
        let run = machine.run(&["profile", table, "--out", "x.json"]);
        assert!(run.code == 1 && run.stderr.contains(expected), "{table}: {}", run.stderr);
        assert!(!Path::new("x.json").exists());
    }
}

#[test]
fn objects_that_are_damaged_or_missing_are_found_and_mended() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(100);
    let machine = Machine::new(&project, &s3.address);
    assert_eq!(machine.ingest(MONTHS[0], MONTHS[0]).code, 0);
    machine.ok(&["--data-dir", PLACE, "train", "--as-of", MONTHS[0]]);
    let at = |args: &[&str], machine: &Machine| machine.run(&[&["--data-dir", PLACE], args].concat());
    let whole = at(&["data", "verify"], &machine);
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);

    let keys = |record: &str| -> Vec<String> {
        let record = s3.exchange("GET", &format!("/shop/data/{record}"), &[]);
        let record: Value = serde_json::from_slice(&record).unwrap();
        let files = record["files"].as_array().unwrap().iter();
        files.map(|file| format!("/shop/data/{}", file["key"].as_str().unwrap())).collect()
    };
    let of_month = keys("snapshots/_ledger/as_of=2024-01-31.json");
    let (flipped, deleted, of_model) = (&of_month[0], &of_month[1], &keys("models/churn/1.json")[0]);
    let mut bytes = s3.exchange("GET", flipped, &[]);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let _ = s3.exchange("PUT", flipped, &bytes);
    s3.ask("DELETE", deleted);
    s3.ask("DELETE", of_model);

    // The working copy is whole, and a machine without one sees the same.
    let fresh = Machine::new(&project, &s3.address);
    for machine in [&machine, &fresh] {
        let verified = at(&["data", "verify"], machine);
        assert_eq!(verified.code, 1, "{}", verified.stdout);
        for expected in [
            format!("s3:/{flipped} is damaged: its SHA-256 is "),
            format!("s3:/{deleted} is missing"),
            format!("s3:/{of_model} is missing"),
            "data push --repair".to_owned(),
        ] {
            assert!(verified.stdout.contains(&expected), "{expected}: {}", verified.stdout);
        }
        let doctor = at(&["doctor", "--deep"], machine);
        assert!(doctor.code == 1 && doctor.stdout.contains(&format!("s3:/{deleted} is missing")));
    }
    let pulled = at(&["data", "pull"], &fresh);
    assert!(pulled.code == 1 && pulled.stderr.contains("data push --repair"), "{}", pulled.stderr);

    let pushed = at(&["data", "push"], &machine);
    let missing = format!("s3:/{deleted} is missing; ");
    assert!(pushed.code == 1 && pushed.stdout.contains(&missing), "{}", pushed.stdout);
    let mended = machine.ok(&["--data-dir", PLACE, "data", "push", "--repair"]);
    assert!(mended.contains("3 objects that were missing or damaged were sent anew"), "{mended}");
    let mended = machine.ok(&["--data-dir", PLACE, "data", "push", "--repair"]);
    assert!(mended.contains(" 0 objects that were missing or damaged"), "{mended}");
    machine.ok(&["--data-dir", PLACE, "data", "verify"]);
    fresh.pull();
    assert_eq!(fresh.months(), serde_json::json!([MONTHS[0]]));
}

#[test]
fn a_pull_from_where_nothing_lies_is_refused_and_makes_nothing() {
    let Some(s3) = S3Server::start() else { return };
    let project = Project::with_sample(100);
    let machine = Machine::new(&project, &s3.address);
    for args in [&["data", "pull"][..], &["data", "pull", "--to", "copy"], &["data", "verify"]] {
        let refused = machine.run(&[&["--data-dir", "s3://shop/none"], args].concat());
        assert!(refused.code == 1 && refused.stderr.contains("s3://shop/none"), "{}", refused.stderr);
    }
    let refused = machine.run(&["--data-dir", "s3://shop/none", "data", "pull"]);
    assert!(refused.stderr.contains("s3://shop/none/snapshots/_ledger"), "{}", refused.stderr);
    assert!(!project.path("copy").exists());
    assert_eq!(std::fs::read_dir(machine.cache.path()).unwrap().count(), 0);
}
