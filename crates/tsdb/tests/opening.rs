//! Opening a store takes no more memory than running it did.
//!
//! Memory is that of a process, so each measurement is a child: this test, started again.
#![cfg(target_os = "linux")]
// The child tells its parent by its output.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::process::Command;

use streamflow_tsdb::{Db, Labels, Options};

/// Set for a child: what it does, and the directory of its store.
const WHAT: &str = "STREAMFLOW_OPENING";
const DIR: &str = "STREAMFLOW_OPENING_DIR";
const SERIES: i64 = 1000;
const STEPS: i64 = 4000;
/// What opening may take beside what running took, for pieces of the log and what differs between two processes.
const SLACK_KIB: u64 = 6 << 10;

fn options() -> Options {
    // One range, so that all of it is in the head, in one segment.
    Options { block_duration_ms: 1 << 40, segment_bytes: 1 << 30, ..Options::default() }
}

fn fill(db: &Db) {
    let series: Vec<Labels> =
        (0..SERIES).map(|n| Labels::new([("__name__", "m"), ("n", &n.to_string())])).collect();
    for step in 0..STEPS {
        let mut batch = db.batch();
        for (n, labels) in series.iter().enumerate() {
            batch.add(labels, step * 1000, (step * (n as i64 % 9 + 1)) as f64 + 0.5).unwrap();
        }
        batch.commit().unwrap();
    }
}

/// The most memory that this process had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn child(what: &str, dir: &Path) {
    let db = Db::open(dir, options()).unwrap();
    match what {
        "fill" => fill(&db),
        "cut" => {
            // The log is cut when it does not grow.
            for wait in 0..3 {
                db.maintain(wait * 20_000).unwrap();
            }
        }
        _ => {}
    }
    println!("peak {} samples {}", peak_kib(), db.stats().head_samples);
}

fn measure(what: &str, dir: &Path) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "opening_takes_no_more_memory_than_running", "--nocapture"])
        .env(WHAT, what)
        .env(DIR, dir)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = text.split_once("peak ").unwrap_or_else(|| panic!("{what}: {text}")).1;
    let (peak, rest) = told.split_once(" samples ").unwrap();
    assert!(rest.starts_with(&format!("{}\n", SERIES * STEPS)), "{what}: {told}");
    peak.parse().unwrap()
}

fn kib(dir: &Path, prefix: &str) -> u64 {
    let files = std::fs::read_dir(dir.join("wal")).unwrap().map(|entry| entry.unwrap());
    let files = files.filter(|file| file.file_name().to_str().unwrap().starts_with(prefix));
    files.map(|file| file.metadata().unwrap().len()).sum::<u64>() >> 10
}

#[test]
fn opening_takes_no_more_memory_than_running() {
    if let (Ok(what), Some(dir)) = (std::env::var(WHAT), std::env::var_os(DIR)) {
        return child(&what, Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let running = measure("fill", dir.path());
    assert!(kib(dir.path(), "segment-") > running, "the log is larger than the process that wrote it");
    let opening = measure("open", dir.path());
    assert!(opening <= running + SLACK_KIB, "{opening} KiB to open the log, {running} KiB to write it");
    let cutting = measure("cut", dir.path());
    assert!(kib(dir.path(), "checkpoint-") > 0 && kib(dir.path(), "segment-") < 1 << 10);
    let opening = measure("open", dir.path());
    assert!(
        opening <= running + SLACK_KIB,
        "{opening} KiB to open the checkpoint, {running} KiB to write it"
    );
    assert!(cutting <= 2 * running, "{cutting} KiB to cut the log, {running} KiB to run");
}
