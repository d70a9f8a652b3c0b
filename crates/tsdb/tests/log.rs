//! How much of the log stays: behind a burst, for followers, over restarts.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use streamflow_tsdb::{Db, Labels, Options, Position, Samples, verify};

const SERIES: i64 = 2000;
const STEPS: i64 = 120;
const SECOND: i64 = 1000;
const SAMPLES: u64 = (SERIES * STEPS) as u64;

fn options() -> Options {
    Options { out_of_order_window_ms: 3_600_000, ..Options::default() }
}

fn labels(n: i64) -> Labels {
    Labels::new([("__name__", "requests_total"), ("instance", &format!("10.0.0.{n}:9100")), ("job", "node")])
}

/// Half an hour of counters whose values the log has in eight bytes each.
fn burst(db: &Db) -> i64 {
    for step in 0..STEPS {
        let mut batch = db.batch();
        for n in 0..SERIES {
            batch.add(&labels(n), step * 15 * SECOND, (step * (n % 50 + 3)) as f64 + 0.5).unwrap();
        }
        batch.commit().unwrap();
    }
    STEPS * 15 * SECOND
}

fn count(db: &Db) -> u64 {
    let mut samples = Samples::default();
    let read = |series: streamflow_tsdb::Series| {
        series.read(&mut samples).unwrap();
        samples.len() as u64
    };
    db.select(&[], i64::MIN, i64::MAX).unwrap().into_iter().map(read).sum()
}

fn upkeep(db: &Db, now: i64) -> bool {
    let due = db.maintenance_due(now);
    if due {
        db.maintain(now).unwrap();
    }
    due
}

#[test]
fn behind_a_burst_the_log_is_what_the_head_takes() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options()).unwrap();
    let now = burst(&db);
    db.maintain(now).unwrap();
    let before = db.stats().wal_bytes as f64 / SAMPLES as f64;
    assert!(before > 8.0, "{before}");
    assert!(!upkeep(&db, now + 5 * SECOND) && upkeep(&db, now + 10 * SECOND), "the burst is over");
    let behind = db.stats().wal_bytes as f64 / SAMPLES as f64;
    assert!(behind < 1.2, "{behind} bytes a sample");
    assert!(!upkeep(&db, now + 20 * SECOND) && !upkeep(&db, now + 30 * SECOND), "once is enough");
    assert_eq!((db.stats().blocks, count(&db)), (0, SAMPLES));
    // Appending goes on in order and out of order, and all of it is there after a crash.
    let mut batch = db.batch();
    batch.add(&labels(1), now - 7 * SECOND, 1.0).unwrap();
    batch.add(&labels(1), now + SECOND, 1.0).unwrap();
    batch.add(&labels(2), now - 400 * SECOND + 1, 1.0).unwrap();
    batch.commit().unwrap();
    drop(db);
    let db = Db::open(dir.path(), options()).unwrap();
    assert_eq!((count(&db), db.damage()), (SAMPLES + 3, Vec::new()));
    assert!(!db.maintenance_due(now) && !db.maintenance_due(now + 10 * SECOND), "sizes are those of before");
    drop(db);
    assert_eq!(verify(dir.path()).unwrap().wal_samples, SAMPLES + 3);
}

fn segments(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir.join("wal")).unwrap();
    entries
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("segment"))
        .count()
}

#[test]
fn followers_keep_what_they_have_not_dealt_with() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options()).unwrap();
    let now = burst(&db);
    let mut out = Vec::new();
    let mut tail = db.tail(Position::default());
    let kept = tail.next(&mut out).unwrap();
    let mut read = out.len() as u64;
    for wait in 0..10 {
        db.maintain(now + wait * 10 * SECOND).unwrap();
    }
    assert_eq!(segments(dir.path()), 2, "the log is cut, and what it was is kept");
    // Over a restart, and by one who comes from where it was kept.
    drop((tail, db));
    let db = Db::open(dir.path(), options()).unwrap();
    db.maintain(now).unwrap();
    let mut tail = db.tail(kept);
    for wait in 0..10 {
        db.maintain(now + wait * 10 * SECOND).unwrap();
    }
    let position = loop {
        let position = tail.next(&mut out).unwrap();
        read += out.len() as u64;
        if out.is_empty() {
            break position;
        }
    };
    assert_eq!((read, tail.gaps(), tail.unknown()), (SAMPLES, 0, 0));
    let held = segments(dir.path());
    tail.done(position);
    db.maintain(now + 200 * SECOND).unwrap();
    assert!(segments(dir.path()) < held);
    // One that has gone has three upkeeps to come back.
    burst_again(&db, now);
    drop(tail);
    for wait in 30..60 {
        db.maintain(now + wait * 10 * SECOND).unwrap();
    }
    let mut late = db.tail(position);
    late.next(&mut out).unwrap();
    assert_eq!(late.gaps(), 1, "nobody else needed what it had not read");
}

fn burst_again(db: &Db, now: i64) {
    for step in 1..STEPS {
        let mut batch = db.batch();
        for n in 0..SERIES {
            batch.add(&labels(n), now + step, 0.1).unwrap();
        }
        batch.commit().unwrap();
    }
}
