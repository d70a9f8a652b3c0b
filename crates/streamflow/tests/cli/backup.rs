//! `streamflow backup` and `restore`: under load, cut off anywhere, with a flipped bit anywhere.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::project::Project;
use crate::server::Server;
use crate::up::Up;

const MONTHS: [&str; 2] = ["2024-01-31", "2024-02-29"];

/// A folder in which nothing is.
fn empty() -> Project {
    Project { dir: tempfile::tempdir().unwrap() }
}

fn ingest(project: &Project, month: &str) {
    project.ok(&["ingest", "--as-of", month, &format!("drops/month_{month}")]);
}

/// Two months, a model and a report.
fn used(rows: u32) -> Project {
    let project = Project::with_sample(rows);
    MONTHS.iter().for_each(|month| ingest(&project, month));
    project.ok(&["train", "--as-of", MONTHS[0]]);
    project.ok(&["monitor", "--reference", MONTHS[0], "--current", MONTHS[1]]);
    project
}

fn users(project: &Project, month: &str) -> Vec<String> {
    let users = std::fs::read_to_string(project.path(&format!("drops/month_{month}/users.csv"))).unwrap();
    users
        .lines()
        .skip(1)
        .map(|line| format!("{{\"user_id\":\"{}\"}}", line.split(',').next().unwrap()))
        .collect()
}

fn answers(project: &Project, bodies: &[String]) -> Vec<Value> {
    let server = Server::start(project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    server.wait_for(" 200 ", || server.predict(&bodies[0]));
    let parse = |answer: String| serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let answers = bodies.iter().map(|body| parse(server.predict(body))).collect();
    server.stop("-TERM");
    answers
}

/// What the commands say of a project.
fn told(project: &Project) -> [Value; 3] {
    [&["models", "ls"][..], &["flows", "runs"], &["data", "verify"]].map(|command| project.json(command))
}

fn restore(from: &Path) -> (Project, crate::project::Run) {
    let project = empty();
    let run = project.run(&["restore", from.to_str().unwrap()]);
    (project, run)
}

/// The snapshots, models and reports of a project, by their paths in it.
fn contents(project: &Project) -> BTreeMap<PathBuf, Vec<u8>> {
    let parts = ["data/snapshots", "data/models", "reports"];
    let files = parts.iter().flat_map(|part| project.files(part));
    files.map(|(path, bytes)| (path.strip_prefix(project.dir.path()).unwrap().to_owned(), bytes)).collect()
}

#[test]
fn a_backup_under_requests_is_restored_elsewhere_and_answers_the_same() {
    let project = used(300);
    let bodies: Vec<String> = users(&project, MONTHS[1]).into_iter().take(40).collect();
    let server = Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    server.wait_for(" 200 ", || server.predict(&bodies[0]));
    let done = AtomicBool::new(false);
    let out = tempfile::tempdir().unwrap();
    let places = ["folder", "b.tar", "b.tar.gz", "b.tar.zst"].map(|name| out.path().join(name));
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(server.predict(&bodies[0]).starts_with("HTTP/1.1 200"));
            }
        });
        for place in &places {
            project.ok(&["backup", place.to_str().unwrap()]);
        }
        done.store(true, Ordering::Relaxed);
        traffic.join().unwrap();
    });
    server.stop("-TERM");
    assert!(!project.path("data/.backup").exists());
    let expected = answers(&project, &bodies);
    for place in &places {
        let (restored, run) = restore(place);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("streamflow.toml"), "{}", run.stdout);
        assert_eq!(told(&restored), told(&project), "{}", place.display());
        assert!(contents(&restored) == contents(&project), "{:?}", contents(&restored).keys());
        assert_eq!(answers(&restored, &bodies), expected);
    }
}

#[tokio::test]
async fn the_samples_of_a_running_server_are_in_its_backup() {
    let project = used(200);
    project.edit("streamflow.toml", |text| {
        text.replace("scrape_interval_seconds = 10", "scrape_interval_seconds = 1")
    });
    let up = Up::start(&project, &[]);
    let count = async |console: &str| {
        let url = format!("{console}/api/v1/query?query=count(up)");
        let answer: Value = up.client.get(url).send().await.unwrap().json().await.unwrap();
        answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    let console = up.console.clone();
    crate::http::eventually("samples", || async { count(&console).await.ok_or("none yet") }).await;
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    project.ok(&["backup", place.to_str().unwrap()]);
    let (restored, run) = restore(&place);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let verified = restored.json(&["tsdb", "verify"]);
    assert_eq!(verified["damage"], serde_json::json!([]), "{verified}");
    assert!(verified["wal_samples"].as_i64().unwrap() > 0, "{verified}");
    up.server.stop("-TERM");
}

#[test]
fn a_backup_during_runs_fits_together_and_ends_those_that_it_cuts() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    let mut crashed = 0;
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| {
            let drops = MONTHS.map(|month| format!("drops/month_{month}"));
            let mut turn = 0;
            while !done.load(Ordering::Relaxed) {
                // Either month's files as the second month, by turns.
                project.ok(&["ingest", "--as-of", MONTHS[1], &drops[turn % 2], "--replace"]);
                turn += 1;
            }
            turn
        });
        for turn in 0..12 {
            let place = out.path().join(format!("{turn}.tar"));
            project.ok(&["backup", place.to_str().unwrap()]);
            let restored = empty();
            let made = restored.json(&["restore", place.to_str().unwrap()]);
            crashed += made["crashed_runs"].as_array().unwrap().len();
            let verified = restored.run(&["data", "verify"]);
            assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
            let runs = restored.json(&["flows", "runs"]);
            let is_active = |run: &Value| run["state"] == "running" || run["state"] == "pending";
            assert!(!runs.as_array().unwrap().iter().any(is_active), "{runs}");
        }
        done.store(true, Ordering::Relaxed);
        assert!(runs.join().unwrap() > 2);
    });
    assert!(crashed > 0, "no backup was made during a run: the test shows nothing");
}

#[test]
fn a_further_backup_into_the_same_folder_writes_what_has_changed() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    let to = place.to_str().unwrap();
    let backup = || {
        let made = project.json(&["backup", to]);
        ["files", "written_files"].map(|key| made[key].as_i64().unwrap())
    };
    let [files, written] = backup();
    assert!(written <= files && written > 10, "{written} of {files}");
    // The copy of the database that nothing has written to since is the same one.
    assert_eq!(backup(), [files, 0]);
    project.ok(&["models", "promote", "1"]);
    assert_eq!(backup(), [files, 1], "the database alone");
    let objects = || project_files(&place).keys().filter(|path| path.contains("objects")).count();
    assert!(objects() as i64 <= files, "what no backup needs is gone");
    // An object that has rotted is written anew.
    let object = project_files(&place).into_keys().find(|path| path.contains("objects")).unwrap();
    std::fs::write(&object, "rotten").unwrap();
    assert_eq!(backup()[1], 1);
    assert_eq!(restore(&place).1.code, 0);
}

fn project_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.display().to_string(), std::fs::read(&path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn a_flipped_bit_is_named_and_nothing_is_restored() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let (folder, archive) = (out.path().join("b"), out.path().join("b.tar"));
    for place in [&folder, &archive] {
        project.ok(&["backup", place.to_str().unwrap()]);
    }
    let (mut faults, mut lost) = (0, 0);
    let flip = |file: &str, bytes: &[u8], at: usize| {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << (at % 8);
        std::fs::write(file, changed).unwrap();
    };
    for (file, bytes) in project_files(&folder) {
        flip(&file, &bytes, bytes.len() / 2);
        let (restored, run) = restore(&folder);
        let named = ["is damaged", "later release", "is not a valid configuration"]
            .iter()
            .any(|said| run.stderr.contains(said));
        faults += 1;
        lost += usize::from(
            run.code != 1 || !named || std::fs::read_dir(restored.dir.path()).unwrap().count() > 0,
        );
        assert_eq!(lost, 0, "{file}: {}", run.stderr);
        std::fs::write(&file, bytes).unwrap();
    }
    let bytes = std::fs::read(&archive).unwrap();
    for part in 0..24 {
        flip(archive.to_str().unwrap(), &bytes, bytes.len() / 24 * part + part);
        let (restored, run) = restore(&archive);
        faults += 1;
        // Bytes that fill an archive up hold nothing.
        let is_same = run.code == 0 && contents(&restored) == contents(&project);
        lost += usize::from(!is_same && std::fs::read_dir(restored.dir.path()).unwrap().count() > 0);
        assert_eq!(lost, 0, "{part}: {}", run.stderr);
    }
    std::fs::write(&archive, &bytes[..bytes.len() - 20_000]).unwrap();
    let (_, run) = restore(&archive);
    assert_eq!(run.code, 1, "{}", run.stderr);
    println!("flipped bits of backups: {} faults, {lost} lost", faults + 1);
}

#[test]
fn a_backup_killed_anywhere_leaves_the_old_one_or_the_new_one() {
    let mut faults = 0;
    for name in ["b", "b.tar.gz"] {
        let project = used(200);
        let out = tempfile::tempdir().unwrap();
        let place = out.path().join(name);
        let to = place.to_str().unwrap();
        project.ok(&["backup", to]);
        let old = contents(&project);
        ingest(&project, "2024-03-31");
        let new = contents(&project);
        faults += project.killed(&["backup", to], || {
            let (restored, run) = restore(&place);
            assert_eq!(run.code, 0, "{}", run.stderr);
            let found = contents(&restored);
            assert!(found == old || found == new, "neither the old nor the new: {:?}", found.keys());
        });
        assert!(contents(&restore(&place).0) == new);
    }
    println!("kills of backups: {faults} faults, 0 lost");
}

#[test]
fn a_restore_killed_anywhere_leaves_nothing_or_all() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    project.ok(&["backup", place.to_str().unwrap()]);
    let expected = contents(&project);
    let target = empty();
    let from = place.to_str().unwrap();
    let faults = target.killed(&["restore", from], || {
        if target.path("data").exists() {
            assert!(contents(&target) == expected, "{:?}", contents(&target).keys());
            std::fs::remove_dir_all(target.path("data")).unwrap();
        }
    });
    assert!(contents(&target) == expected, "{:?}", contents(&target).keys());
    println!("kills of restores: {faults} faults, 0 lost");
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    let to = place.to_str().unwrap();
    project.ok(&["backup", to]);
    let refused = |args: &[&str], expected: &str| {
        let run = project.run(args);
        assert_eq!(run.code, 1, "{args:?}: {}", run.stdout);
        assert!(run.stderr.contains(expected), "{args:?}: {}\nshould contain: {expected}", run.stderr);
    };
    refused(&["restore", to], "data is not empty, and a restore replaces nothing: move it away first");
    refused(&["backup", "data/b"], "lies in the data directory");
    // The first backup was cut off at its manifest.
    let half = out.path().join("half");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join(".manifest.json.4294967295"), "{").unwrap();
    project.ok(&["backup", half.to_str().unwrap()]);
    assert!(!half.join(".manifest.json.4294967295").exists());
    refused(&["backup", "drops"], "and no backup; name an empty folder");
    refused(&["backup", "streamflow.toml"], "streamflow.toml is a file; name a folder, or an archive");
    refused(&["backup", "no/b"], "there is no folder no");
    for name in ["x.zip", "x.rar", "x.7z", "x.tar.xz", "X.TAR.GZ"] {
        refused(&["backup", name], "an archive ends with .tar, .tar.gz (.tgz) or .tar.zst (.tzst)");
        assert!(!project.path(name).exists());
    }
    project.ok(&["backup", out.path().join("x.tgz").to_str().unwrap()]);
    refused(&["backup", to, "--report-dir", "typo"], "there is no folder of reports typo");
    refused(&["--data-dir", "none", "backup", "new"], "holds nothing to back up");
    refused(
        &["restore", to, "--data-dir", "/proc"],
        "/proc is mounted, and a data directory takes its place",
    );
    refused(&["restore", "drops"], "holds no whole backup");
    refused(
        &["restore", "streamflow.toml", "--data-dir", "new"],
        "the archive streamflow.toml is damaged or cut off",
    );
    let other = used(200);
    let run = other.run(&["backup", to]);
    assert!(run.stderr.contains("holds a backup of"), "{}", run.stderr);

    // A snapshot that has rotted does not take the place of the good one in the backup.
    let before = project_files(&place);
    let snapshot = project.path("data/snapshots/users/as_of=2024-01-31/part-0.parquet");
    let mut bytes = std::fs::read(&snapshot).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&snapshot, bytes).unwrap();
    refused(&["backup", to], "data/snapshots/users/as_of=2024-01-31/part-0.parquet is damaged");
    assert!(project_files(&place) == before);
}

#[test]
fn a_backup_that_would_lack_something_leaves_the_good_one() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let places = ["b", "b.tar"].map(|name| out.path().join(name));
    for place in &places {
        project.ok(&["backup", place.to_str().unwrap()]);
    }
    let before = [project_files(&places[0]), project_files(out.path())];
    let refused = |expected: &str| {
        for place in &places {
            let run = project.run(&["backup", place.to_str().unwrap()]);
            assert_eq!(run.code, 1, "{}", run.stdout);
            assert!(run.stderr.contains(expected), "{}\nshould contain: {expected}", run.stderr);
        }
        assert!([project_files(&places[0]), project_files(out.path())] == before);
    };
    let without = |file: &str, expected: &str| {
        let (file, aside) = (project.path(file), project.path("aside"));
        std::fs::rename(&file, &aside).unwrap();
        refused(expected);
        std::fs::rename(&aside, &file).unwrap();
    };
    without(
        "data/models/churn/1/model.bin",
        "version 1 of churn is damaged: data/models/churn/1/model.bin is missing",
    );
    without(
        "data/snapshots/users/as_of=2024-01-31/part-0.parquet",
        "a file of the snapshots is missing, and no backup was made",
    );
    without("reports/drift", "no backup was made, so that those of the last one stay");

    // Elsewhere there are none to lose: it is told.
    std::fs::rename(project.path("reports/drift"), project.path("aside")).unwrap();
    let elsewhere = out.path().join("new");
    let made = project.json(&["backup", elsewhere.to_str().unwrap()]);
    assert!(made["warning"].as_str().unwrap().contains("this backup is without reports"), "{made}");
}

#[test]
fn two_restores_to_one_place_are_one() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    let from = place.to_str().unwrap();
    project.ok(&["backup", from]);
    let target = empty();
    let lock = std::fs::File::create(target.path(".data.restoring.lock")).unwrap();
    lock.lock().unwrap();
    let run = target.run(&["restore", from]);
    assert!(
        run.code == 1 && run.stderr.contains("another restore is writing to this place"),
        "{}",
        run.stderr
    );
    assert!(!target.path("data").exists());
    drop(lock);
    for _ in 0..4 {
        let target = empty();
        let runs: Vec<_> = std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| target.run(&["restore", from])));
            both.into_iter().map(|run| run.join().unwrap()).collect()
        });
        let words = ["another restore is writing to this place", "data is not empty"];
        let is_refused = |stderr: &str| words.iter().any(|words| stderr.contains(words));
        assert_eq!(
            runs.iter().filter(|run| run.code == 0).count(),
            1,
            "{}{}",
            runs[0].stderr,
            runs[1].stderr
        );
        assert!(runs.iter().all(|run| run.code == 0 || is_refused(&run.stderr)));
        assert!(contents(&target) == contents(&project));
        assert!(!target.path(".data.restoring.lock").exists());
    }
}

#[test]
fn a_restore_below_another_project_is_a_project_of_its_own() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    let from = place.to_str().unwrap();
    project.ok(&["backup", from]);
    let above = Project::new();
    let before = project_files(above.dir.path());
    let below = Project { dir: tempfile::tempdir_in(above.dir.path()).unwrap() };
    let restored = below.json(&["restore", from]);
    assert_eq!(restored["config"], "streamflow.toml");
    assert!(contents(&below) == contents(&project));
    drop(below);
    assert!(project_files(above.dir.path()) == before);
}

#[test]
fn an_object_without_an_end_does_not_fill_the_disk() {
    let project = used(200);
    let out = tempfile::tempdir().unwrap();
    let place = out.path().join("b");
    project.ok(&["backup", place.to_str().unwrap()]);
    let (object, _) = project_files(&place.join("objects")).pop_first().unwrap();
    std::fs::remove_file(&object).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &object).unwrap();
    let (restored, run) = restore(&place);
    assert!(run.code == 1 && run.stderr.contains("is damaged"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(restored.dir.path()).unwrap().count(), 0);
}
