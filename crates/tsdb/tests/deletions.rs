//! Deleting samples: what answers say, what is on the disk, and what ends of the process leave.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;

use streamflow_tsdb::{Db, Deleted, Error, Labels, MatchOp, Matcher, Options, Position, Samples, verify};

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn series(n: i64) -> Labels {
    Labels::new([("__name__", "m"), ("n", &format!("number-{n}"))])
}

fn append(db: &Db, from: i64, to: i64, count: i64) {
    for t in (from..to).step_by(MINUTE as usize) {
        let mut batch = db.batch();
        for n in 0..count {
            batch.add(&series(n), t, (t / 1000 + n) as f64).unwrap();
        }
        batch.commit().unwrap();
    }
}

fn of(n: i64) -> Vec<Matcher> {
    vec![Matcher::new("n", MatchOp::Equal, format!("number-{n}")).unwrap()]
}

fn times(db: &Db, n: i64) -> Vec<i64> {
    let mut samples = Samples::default();
    let selected = db.select(&of(n), i64::MIN, i64::MAX).unwrap();
    selected.iter().for_each(|one| one.read(&mut samples).unwrap());
    samples.timestamps
}

/// Three series over eight hours: blocks up to the sixth, the rest in the head.
fn filled(dir: &Path) -> Db {
    let db = Db::open(dir, Options::default()).unwrap();
    append(&db, 0, 8 * HOUR, 3);
    db.maintain(8 * HOUR).unwrap();
    assert!(db.stats().blocks > 0 && db.stats().head_samples > 0);
    db
}

#[test]
fn deleted_samples_are_in_no_answer_before_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(&dir.path().join("a"));
    let deleted = db.delete(&[of(1), of(7)], 5 * HOUR + 1, 7 * HOUR).unwrap();
    assert_eq!(deleted, Deleted { head_series: 1, block_series: 1 });
    let all: Vec<i64> = (0..8 * HOUR).step_by(MINUTE as usize).collect();
    let left: Vec<i64> = all.iter().copied().filter(|t| *t < 5 * HOUR + 1 || *t > 7 * HOUR).collect();
    let check = |db: &Db| {
        assert_eq!((times(db, 0), times(db, 1), times(db, 2)), (all.clone(), left.clone(), all.clone()));
        assert_eq!(db.damage(), []);
    };
    check(&db);
    db.snapshot(&dir.path().join("b")).unwrap();
    streamflow_tsdb::copy_in_use(&dir.path().join("a"), &dir.path().join("c")).unwrap();
    drop(db);
    for copy in ["a", "b", "c"] {
        assert_eq!(verify(&dir.path().join(copy)).unwrap().damage, [], "{copy}");
        check(&Db::open(&dir.path().join(copy), Options::default()).unwrap());
    }
    let db = Db::open(&dir.path().join("a"), Options::default()).unwrap();
    // One block of three series: more than one in twenty has deleted samples, so upkeep rewrites it.
    let tombstones = |db: &Db| {
        let blocks = fs::read_dir(dir.path().join("a/blocks")).unwrap();
        check(db);
        blocks.filter(|block| block.as_ref().unwrap().path().join("tombstones").exists()).count()
    };
    assert_eq!(tombstones(&db), 1);
    db.maintain(8 * HOUR).unwrap();
    assert_eq!(tombstones(&db), 0);
    append(&db, 8 * HOUR, 12 * HOUR, 3);
    db.maintain(12 * HOUR).unwrap();
    assert_eq!(times(&db, 1).len(), left.len() + 4 * 60, "flushed and merged");
}

#[test]
fn a_series_that_is_gone_in_full_is_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(dir.path());
    db.delete(&[of(1)], i64::MIN, i64::MAX).unwrap();
    assert_eq!(db.series(&[], i64::MIN, i64::MAX).unwrap(), [series(0), series(2)]);
    assert_eq!(db.select(&[], i64::MIN, i64::MAX).unwrap().len(), 2);
    assert_eq!(db.label_values("n", &[of(1)], i64::MIN, i64::MAX).unwrap(), [""; 0]);
    db.clean_tombstones().unwrap();
    assert_eq!(db.label_values("n", &[of(1)], 0, 5 * HOUR).unwrap(), [""; 0]);
    // Deleting all of it leaves a store that takes samples, at any time that was deleted too.
    db.delete(&[vec![]], i64::MIN, i64::MAX).unwrap();
    db.clean_tombstones().unwrap();
    assert_eq!((db.stats().blocks, db.series(&[], 0, i64::MAX).unwrap().len()), (0, 0));
    append(&db, 7 * HOUR, 7 * HOUR + MINUTE, 1);
    assert_eq!(times(&db, 0), [7 * HOUR]);
    assert_eq!(db.damage(), []);
}

fn holds(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let within = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if path.is_dir() { holds(&path, text) } else { within(fs::read(&path).unwrap()) }
    })
}

#[test]
fn cleaning_leaves_nothing_of_it_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(dir.path());
    // Followers of an earlier process have until here to come back to the log.
    db.maintain(8 * HOUR).unwrap();
    let samples = db.stats().block_samples;
    assert!(holds(dir.path(), "number-1"));
    db.delete(&[of(1)], i64::MIN, i64::MAX).unwrap();
    assert!(holds(dir.path(), "number-1"), "marked alone");
    let blocks = db.stats().blocks;
    assert_eq!(db.clean_tombstones().unwrap(), blocks);
    assert_eq!(db.stats().block_samples, samples / 3 * 2);
    assert!(!holds(dir.path(), "number-1"));
    assert_eq!(db.clean_tombstones().unwrap(), 0);
    assert_eq!(verify(dir.path()).unwrap().damage, []);
}

#[test]
fn what_was_deleted_can_be_written_again() {
    for window in [0, 10 * HOUR] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { out_of_order_window_ms: window, ..Options::default() };
        let db = Db::open(dir.path(), options.clone()).unwrap();
        append(&db, 0, HOUR, 2);
        db.delete(&[of(0)], HOUR / 2, HOUR).unwrap();
        let mut batch = db.batch();
        batch.add(&series(0), HOUR / 2, -1.0).unwrap();
        batch.commit().unwrap();
        let expected: Vec<i64> = (0..=HOUR / 2).step_by(MINUTE as usize).collect();
        assert_eq!(times(&db, 0), expected);
        drop(db);
        let db = Db::open(dir.path(), options).unwrap();
        assert_eq!(times(&db, 0), expected, "a later sample is not deleted by an earlier deletion");
        assert_eq!(db.delete(&[of(0)], 9, 3).unwrap(), Deleted::default(), "no time between");
        assert_eq!(db.delete(&[], i64::MIN, i64::MAX).unwrap(), Deleted::default(), "no matchers");
        assert_eq!(times(&db, 0), expected);
        db.close().unwrap();
        assert!(matches!(db.delete(&[of(0)], 0, 9), Err(Error::Closed)));
        assert!(matches!(db.clean_tombstones(), Err(Error::Closed)));
    }
}

#[test]
fn in_memory_samples_go_as_well() {
    let db = Db::in_memory(Options { out_of_order_window_ms: HOUR, ..Options::default() });
    append(&db, 0, HOUR, 2);
    let mut batch = db.batch();
    batch.add(&series(0), HOUR / 2 + 1, 1.0).unwrap();
    batch.commit().unwrap();
    assert_eq!(db.delete(&[of(0)], HOUR / 2, 2 * HOUR).unwrap().head_series, 1);
    assert_eq!((times(&db, 0).len(), times(&db, 1).len()), (30, 60));
    assert_eq!(db.clean_tombstones().unwrap(), 0);
}

#[test]
fn a_damaged_intent_is_listed_and_deletes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(dir.path());
    let intent = dir.path().join("deletion");
    db.delete(&[of(1)], HOUR, 7 * HOUR).unwrap();
    assert!(!intent.exists());
    drop(db);
    fs::write(&intent, b"SFDEL\0\0\x01rubbish").unwrap();
    assert!(verify(dir.path()).unwrap().damage[0].what.contains("delete again"));
    let db = Db::open(dir.path(), Options::default()).unwrap();
    assert!(db.damage()[0].what.contains("delete again"));
    assert_eq!(times(&db, 2).len(), 8 * 60);
}

#[test]
fn a_snapshot_of_blocks_has_no_head() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(&dir.path().join("a"));
    db.delete(&[of(1)], 0, HOUR - MINUTE).unwrap();
    let kept = dir.path().join("b");
    db.snapshot_blocks(&kept).unwrap();
    let blocks = Db::open(&kept, Options::default()).unwrap();
    assert_eq!((blocks.stats().head_samples, blocks.damage()), (0, Vec::new()));
    assert_eq!(times(&blocks, 0), (0..6 * HOUR).step_by(MINUTE as usize).collect::<Vec<_>>());
    assert_eq!(times(&blocks, 1), (HOUR..6 * HOUR).step_by(MINUTE as usize).collect::<Vec<_>>());
}

#[test]
fn followers_still_see_what_they_had_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    append(&db, 0, HOUR, 2);
    let mut tail = db.tail(Position::default());
    db.delete(&[of(0)], 0, HOUR).unwrap();
    let mut out = Vec::new();
    tail.next(&mut out).unwrap();
    assert_eq!((out.len(), tail.unknown()), (2 * 60, 0));
    append(&db, HOUR, HOUR + MINUTE, 2);
    tail.next(&mut out).unwrap();
    assert_eq!(out.len(), 2);
}

#[test]
fn a_block_whose_tombstones_are_damaged_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let db = filled(dir.path());
    db.delete(&[of(1)], 0, HOUR).unwrap();
    drop(db);
    let blocks = fs::read_dir(dir.path().join("blocks")).unwrap();
    let mut files = blocks.map(|block| block.unwrap().path().join("tombstones")).filter(|path| path.exists());
    let file = files.next().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[9] ^= 1;
    fs::write(&file, bytes).unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    assert!(db.damage()[0].what.contains("not known"), "{:?}", db.damage());
    assert!(times(&db, 1).first().is_none_or(|first| *first > HOUR));
}
