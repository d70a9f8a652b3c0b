//! A process that appends is killed, again and again: no sample that it acknowledged may be missing afterwards.
//!
//! `STREAMFLOW_TORTURE` sets how often; three times by default.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use streamflow_histogram::{Buckets, Histogram};
use streamflow_tsdb::{Db, Labels, MatchOp, Matcher, Options, Samples, Value};

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

/// Every eighth series has histograms.
fn value(t: i64, n: i64) -> Value {
    if n % 8 != 0 {
        return Value::Float((t * n) as f64 / 8.0);
    }
    let counts = (1..5).map(|bucket| (t * bucket) as f64 + 1.0).collect();
    let positive = Buckets { indices: vec![-9, 0, 1, 7], counts };
    Value::Histogram(Arc::new(Histogram { schema: 2, count: t as f64, positive, ..Histogram::default() }))
}

fn has_same_value(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Histogram(found), Value::Histogram(expected)) => {
            (found.count, &found.positive) == (expected.count, &expected.positive)
        }
        (found, expected) => found == expected,
    }
}

/// Of this series a piece is deleted now and then.
const DELETED: i64 = 7;

/// Appends until it is killed, and deletes, with a second thread that writes and merges blocks, and prints the time of every batch
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
            match value(t, n) {
                Value::Float(value) => batch.add(&labels(n), t, value).unwrap(),
                Value::Histogram(histogram) => batch.add_histogram(&labels(n), t, histogram).unwrap(),
            };
        }
        batch.commit().unwrap();
        if writeln!(out, "acknowledged {t}").and_then(|()| out.flush()).is_err() {
            return;
        }
        if t % (30 * STEP) == 0 && t > 0 {
            let one = Matcher::new("n", MatchOp::Equal, DELETED.to_string()).unwrap();
            writeln!(out, "deleting {t}").and_then(|()| out.flush()).unwrap();
            db.delete(&[vec![one]], t - 20 * STEP, t - 10 * STEP).unwrap();
            writeln!(out, "deleted {t}").and_then(|()| out.flush()).unwrap();
        }
        t += STEP;
    }
}

/// What a child said that it did.
#[derive(Default)]
struct Told {
    newest: i64,
    /// Times of deletions that were begun, and whether each was done.
    deletions: BTreeMap<i64, bool>,
}

/// Starts this test as a child, kills it after so many batches, and adds what it told.
fn kill_after(dir: &Path, batches: usize, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_acknowledged_sample_is_lost", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The harness writes before the first one.
        let line = line.unwrap();
        let time = |word: &str| line.split_once(word).and_then(|(_, t)| t.parse().ok());
        time("deleting ").map(|t| told.deletions.insert(t, false));
        time("deleted ").map(|t| told.deletions.insert(t, true));
        let Some(t) = line.rsplit_once("acknowledged ").and_then(|(_, t)| t.parse().ok()) else { continue };
        told.newest = t;
        seen += 1;
        if seen == batches {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= batches, "the child ended by itself after {seen} batches");
}

fn check(dir: &Path, told: &Told) {
    let db = Db::open(dir, options()).unwrap();
    let mut per_time: BTreeMap<i64, i64> = BTreeMap::new();
    let mut samples = Samples::default();
    let mut of_deleted = BTreeSet::new();
    for series in db.select(&[], i64::MIN, i64::MAX).unwrap() {
        series.read(&mut samples).unwrap();
        let n: i64 = series.labels().get("n").unwrap().parse().unwrap();
        for (t, v) in samples.values() {
            assert!(has_same_value(&v, &value(t, n)), "{v} at {t}");
            *per_time.entry(t).or_default() += 1;
            if n == DELETED {
                of_deleted.insert(t);
            }
        }
    }
    let mut gone = BTreeSet::new();
    for (t, done) in &told.deletions {
        let times: Vec<i64> = (t - 20 * STEP..=t - 10 * STEP).step_by(STEP as usize).collect();
        let left = times.iter().filter(|t| of_deleted.contains(t)).count();
        assert!(
            left == 0 || (!done && left == times.len()),
            "{left} samples are left of the deletion at {t}"
        );
        gone.extend(times.into_iter().filter(|_| left == 0));
    }
    let whole = |t: &i64| SERIES - i64::from(gone.contains(t));
    for t in (0..=told.newest).step_by(STEP as usize) {
        assert_eq!(per_time.get(&t), Some(&whole(&t)), "acknowledged batch at {t}");
    }
    assert!(per_time.iter().all(|(t, count)| *count == whole(t)), "a batch is whole or not there");
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
    let mut told = Told { newest: -1, ..Told::default() };
    for round in 0..rounds {
        // Early, in the middle of blocks being written, and late.
        kill_after(dir.path(), 1 + round * 7919 % 600, &mut told);
        check(dir.path(), &told);
    }
}
