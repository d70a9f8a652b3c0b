//! A process that appends is killed, again and again: no sample that it acknowledged may be missing afterwards.
//!
//! `STREAMFLOW_TORTURE` sets how often; three times by default.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use streamflow_tsdb::{Db, Labels, Options, Samples};

/// Set for the child to the directory of its store.
const DIR: &str = "STREAMFLOW_TORTURE_DIR";
const SERIES: i64 = 40;
const STEP: i64 = 10;

fn options() -> Options {
    Options { block_duration_ms: 2000, segment_bytes: 128 << 10, samples_per_chunk: 50, ..Options::default() }
}

fn labels(n: i64) -> Labels {
    Labels::new([("__name__", "torture"), ("n", &n.to_string())])
}

fn value(t: i64, n: i64) -> f64 {
    (t * n) as f64 / 8.0
}

/// Appends until it is killed, with a second thread that writes and merges blocks, and prints the time of every batch
/// behind its commit.
fn append_for_ever(dir: &Path) {
    let db = Db::open(dir, options()).unwrap();
    let mut t = db.stats().max_ms.map_or(0, |newest| newest + STEP);
    let mut out = std::io::stdout().lock();
    let upkeep = db.clone();
    std::thread::spawn(move || {
        loop {
            let newest = upkeep.stats().max_ms.unwrap_or(0);
            upkeep.maintain(newest).unwrap();
        }
    });
    loop {
        let mut batch = db.batch();
        for n in 0..SERIES {
            batch.add(&labels(n), t, value(t, n)).unwrap();
        }
        batch.commit().unwrap();
        if writeln!(out, "acknowledged {t}").and_then(|()| out.flush()).is_err() {
            return;
        }
        t += STEP;
    }
}

/// Starts this test as a child, kills it after so many batches, and returns the newest time it acknowledged.
fn kill_after(dir: &Path, batches: usize) -> i64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_acknowledged_sample_is_lost", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut newest = -1;
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The harness writes before the first one.
        let line = line.unwrap();
        let Some(t) = line.rsplit_once("acknowledged ").and_then(|(_, t)| t.parse().ok()) else { continue };
        newest = t;
        seen += 1;
        if seen == batches {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= batches, "the child ended by itself after {seen} batches");
    newest
}

fn check(dir: &Path, acknowledged: i64) {
    let db = Db::open(dir, options()).unwrap();
    let mut per_time: BTreeMap<i64, i64> = BTreeMap::new();
    let mut samples = Samples::default();
    for series in db.select(&[], i64::MIN, i64::MAX).unwrap() {
        series.read(&mut samples).unwrap();
        let n: i64 = series.labels().get("n").unwrap().parse().unwrap();
        for (t, v) in samples.iter() {
            assert_eq!(v, value(t, n));
            *per_time.entry(t).or_default() += 1;
        }
    }
    for t in (0..=acknowledged).step_by(STEP as usize) {
        assert_eq!(per_time.get(&t), Some(&SERIES), "acknowledged batch at {t}");
    }
    assert!(per_time.values().all(|count| *count == SERIES), "a batch is whole or not there");
    let torn = |what: &str| what.contains("after the last whole record");
    assert!(db.damage().iter().all(|damage| torn(&damage.what)), "{:?}", db.damage());
}

#[test]
fn no_acknowledged_sample_is_lost() {
    if let Some(dir) = std::env::var_os(DIR) {
        return append_for_ever(Path::new(&dir));
    }
    let rounds = std::env::var("STREAMFLOW_TORTURE").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let dir = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        // Early, in the middle of blocks being written, and late.
        let acknowledged = kill_after(dir.path(), 1 + round * 7919 % 600);
        check(dir.path(), acknowledged);
    }
}
