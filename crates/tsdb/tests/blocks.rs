//! Compaction, retention, following the log, snapshots.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use streamflow_tsdb::{Db, Error, Fsync, Labels, MatchOp, Matcher, Options, Position, Samples, verify};

const HOUR: i64 = 3_600_000;

fn series(n: i64) -> Labels {
    Labels::new([("__name__", "m"), ("n", &n.to_string()), ("job", "api")])
}

fn append(db: &Db, from: i64, to: i64, count: i64) {
    let mut t = from;
    while t < to {
        let mut batch = db.batch();
        for n in 0..count {
            batch.add(&series(n), t, (t / 1000 + n) as f64).unwrap();
        }
        batch.commit().unwrap();
        t += 60_000;
    }
}

fn count(db: &Db) -> usize {
    let mut samples = Samples::default();
    let read = |series: streamflow_tsdb::Series| {
        series.read(&mut samples).unwrap();
        samples.len()
    };
    db.select(&[], i64::MIN, i64::MAX).unwrap().into_iter().map(read).sum()
}

/// A day that is sent today: its series arrive one after the other, and the upkeep comes between them.
#[test]
fn a_history_is_taken_whatever_the_clock_says() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let now = 1000 * HOUR;
    let from = now - 24 * HOUR;
    for hour in 0..24 {
        for n in 0..3 {
            for minute in 0..60 {
                let mut batch = db.batch();
                batch.add(&series(n), from + hour * HOUR + minute * 60_000, 1.0).unwrap();
                batch.commit().unwrap();
            }
            db.maintain(now).unwrap();
        }
    }
    assert_eq!(count(&db), 24 * 60 * 3);
    assert!(db.stats().blocks >= 3, "{}", db.stats().blocks);
}

#[test]
fn small_blocks_become_large_ones_and_old_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { retention_ms: Some(300 * HOUR), ..Options::default() };
    let db = Db::open(dir.path(), options.clone()).unwrap();
    let mut written = 0;
    for hour in 0..40 {
        append(&db, hour * HOUR, (hour + 1) * HOUR, 3);
        let done = db.maintain((hour + 1) * HOUR).unwrap();
        written += done.blocks_written;
    }
    // Ranges of two hours to [36, 38), merged to six and eighteen hours.
    assert_eq!(written, 19);
    assert_eq!(db.stats().blocks, 3);
    assert_eq!(count(&db), 40 * 60 * 3);
    assert!(db.stats().head_samples <= 2 * 60 * 3);
    assert_eq!(db.label_values("n", &[], 0, HOUR).unwrap(), ["0", "1", "2"]);
    assert_eq!(db.label_names(&[], 0, HOUR).unwrap(), ["__name__", "job", "n"]);
    let one = [
        Matcher::new("n", MatchOp::Regex, "1|7").unwrap(),
        Matcher::new("job", MatchOp::NotEqual, "").unwrap(),
    ];
    assert_eq!(db.series(&[one.to_vec()], 0, 5 * HOUR).unwrap(), [series(1)]);
    drop(db);
    let db = Db::open(dir.path(), options).unwrap();
    assert_eq!(count(&db), 40 * 60 * 3);
    assert_eq!(db.damage(), []);
    let done = db.maintain(320 * HOUR).unwrap();
    assert_eq!(done.blocks_deleted, 1);
    assert_eq!(db.stats().min_ms, Some(18 * HOUR));
}

#[test]
fn the_oldest_blocks_go_when_all_are_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options { retention_bytes: Some(1), ..Options::default() }).unwrap();
    append(&db, 0, 6 * HOUR, 2);
    let done = db.maintain(6 * HOUR).unwrap();
    assert_eq!(done.blocks_deleted, done.blocks_written);
    assert_eq!(count(&db), 2 * 2 * 60, "the head stays");
}

#[test]
fn series_without_samples_leave_memory_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    let mut batch = db.batch();
    let old = batch.add(&series(9), 0, 1.0).unwrap();
    batch.commit().unwrap();
    append(&db, HOUR, 6 * HOUR, 1);
    let mut waiting = db.batch();
    waiting.add(&series(8), 6 * HOUR, 1.0).unwrap();
    assert_eq!(db.maintain(6 * HOUR).unwrap().series_removed, 1);
    assert_eq!(db.stats().head_series, 2, "one has samples, one is waited for");
    let mut batch = db.batch();
    assert!(batch.add_ref(old, 7 * HOUR, 2.0).is_err());
    batch.add(&series(9), 7 * HOUR, 2.0).unwrap();
    batch.commit().unwrap();
    waiting.commit().unwrap();
    drop(db);
    let db = Db::open(dir.path(), Options::default()).unwrap();
    assert_eq!(count(&db), 5 * 60 + 3);
    assert_eq!(db.series(&[], 0, 8 * HOUR).unwrap().len(), 3);
}

#[test]
fn the_log_is_followed_across_segments_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 0, fsync: Fsync::Always, ..Options::default() };
    let db = Db::open(dir.path(), options.clone()).unwrap();
    append(&db, 0, 100 * 60_000, 50);
    let mut tail = db.tail(Position::default());
    let (mut out, mut seen, mut position) = (Vec::new(), 0, Position::default());
    let mut piece = |tail: &mut streamflow_tsdb::Tail, position: &mut Position| {
        *position = tail.next(&mut out).unwrap();
        out.len()
    };
    seen += piece(&mut tail, &mut position);
    let kept: Position = position.to_string().parse().unwrap();
    drop((tail, db));
    let db = Db::open(dir.path(), options).unwrap();
    append(&db, 100 * 60_000, 200 * 60_000, 50);
    let mut tail = db.tail(kept);
    loop {
        let more = piece(&mut tail, &mut position);
        if more == 0 {
            break;
        }
        seen += more;
    }
    assert_eq!((seen, tail.gaps(), tail.unknown()), (200 * 50, 0, 0));
    assert_eq!(position, db.position());
}

#[test]
fn a_copy_that_was_cut_off_is_no_store_and_can_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let copies = dir.path().join("copies");
    streamflow_tsdb::remove_unfinished_copies(&copies).unwrap();
    let (whole, unfinished) = (copies.join("a"), copies.join("b.tmp"));
    let db = Db::open(&dir.path().join("store"), Options::default()).unwrap();
    db.snapshot(&whole).unwrap();
    std::fs::create_dir_all(unfinished.join("blocks")).unwrap();
    let error = streamflow_tsdb::verify(&unfinished).unwrap_err().to_string();
    assert!(error.contains("b.tmp: is a copy that was not finished"), "{error}");
    streamflow_tsdb::remove_unfinished_copies(&copies).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(streamflow_tsdb::verify(&whole).unwrap().damage, []);
}

#[test]
fn snapshots_are_stores() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("a"), Options::default()).unwrap();
    append(&db, 0, 5 * HOUR, 2);
    db.maintain(5 * HOUR).unwrap();
    let to = dir.path().join("b");
    db.snapshot(&to).unwrap();
    assert!(matches!(db.snapshot(&to), Err(Error::Exists { .. })));
    let counted = |dir: &Path| {
        let report = verify(dir).unwrap();
        (report.damage.len(), report.samples + report.wal_samples)
    };
    // Blocks hold what is old and the checkpoint the rest.
    assert_eq!((counted(&dir.path().join("a")), counted(&to)), ((0, 5 * 60 * 2), (0, 5 * 60 * 2)));
    assert!(verify(&to).unwrap().wal_samples > 0);
    assert_eq!(count(&Db::open(&to, Options::default()).unwrap()), 5 * 60 * 2);
    let memory = Db::in_memory(Options::default());
    append(&memory, 0, HOUR, 1);
    let to = dir.path().join("c");
    memory.snapshot(&to).unwrap();
    assert_eq!(count(&Db::open(&to, Options::default()).unwrap()), 60);
    drop(db);
    streamflow_tsdb::snapshot(&dir.path().join("a"), &dir.path().join("d")).unwrap();
    assert!(streamflow_tsdb::snapshot(&dir.path().join("none"), &dir.path().join("e")).is_err());
}

#[test]
fn what_a_later_release_wrote_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Options::default()).unwrap();
    append(&db, 0, 5 * HOUR, 2);
    db.maintain(5 * HOUR).unwrap();
    db.close().unwrap();
    let refused = |file: &Path, bytes: &[u8]| {
        let before = std::fs::read(file).unwrap();
        std::fs::write(file, bytes).unwrap();
        let error = Db::open(dir.path(), Options::default()).unwrap_err().to_string();
        assert!(error.contains("has the format 7 of a later release"), "{}: {error}", file.display());
        std::fs::write(file, before).unwrap();
    };
    let files = |folder: &str| {
        let entries = std::fs::read_dir(dir.path().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let number = |path: &Path| path.to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    let is_checkpoint = |path: &&PathBuf| path.to_str().unwrap().contains("checkpoint-");
    let from = files("wal").iter().find(is_checkpoint).map(|path| number(path)).unwrap();
    // What lies before the checkpoint is there for followers and not read.
    let read: Vec<PathBuf> = files("wal").into_iter().filter(|path| number(path) >= from).collect();
    assert!(read.len() > 1);
    for file in read {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[7] = 7;
        refused(&file, &bytes);
    }
    for block in files("blocks") {
        let text = std::fs::read_to_string(block.join("meta")).unwrap().replace("block 1", "block 7");
        let body = text.rsplit_once("crc32 ").unwrap().0;
        let sealed = format!("{body}crc32 {:08x}\n", crc32fast::hash(body.as_bytes()));
        refused(&block.join("meta"), sealed.as_bytes());
    }
    assert_eq!(count(&Db::open(dir.path(), Options::default()).unwrap()), 5 * 60 * 2);
}

/// Another process copies as here another thread does: by the files alone.
#[test]
fn a_store_in_use_is_copied_as_a_crash_would_have_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("a");
    let options = Options { block_duration_ms: 2000, segment_bytes: 4096, ..Options::default() };
    let db = Db::open(&from, options).unwrap();
    let committed = AtomicI64::new(0);
    let mut copies = 0;
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for t in (0..40_000).step_by(50) {
                let mut batch = db.batch();
                (0..5).for_each(|n| {
                    batch.add(&series(n), t, 1.0).unwrap();
                });
                batch.commit().unwrap();
                committed.fetch_add(5, Ordering::SeqCst);
                if t % 1000 == 0 {
                    db.maintain(t).unwrap();
                }
            }
        });
        while !writing.is_finished() || copies == 0 {
            let to = dir.path().join(format!("copy-{copies}"));
            let before = committed.load(Ordering::SeqCst);
            streamflow_tsdb::copy_in_use(&from, &to).unwrap();
            assert_eq!(verify(&to).unwrap().damage, []);
            let copied = count(&Db::open(&to, Options::default()).unwrap()) as i64;
            assert!(copied >= before && copied % 5 == 0, "{copied} of {before}");
            copies += 1;
        }
    });
    let last = dir.path().join("last");
    streamflow_tsdb::copy_in_use(&from, &last).unwrap();
    assert_eq!(count(&Db::open(&last, Options::default()).unwrap()), 800 * 5);
    assert!(matches!(streamflow_tsdb::copy_in_use(&from, &last), Err(Error::Exists { .. })));
    assert_eq!(count(&db), 800 * 5, "opening a copy changes nothing of the store");
}

#[test]
fn threads_commit_while_blocks_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { block_duration_ms: 2000, fsync: Fsync::Always, ..Options::default() };
    let db = Db::open(dir.path(), options).unwrap();
    let progress: [AtomicI64; 3] = Default::default();
    std::thread::scope(|scope| {
        for (thread, progress) in progress.iter().enumerate() {
            let db = db.clone();
            scope.spawn(move || {
                for t in (0..20_000).step_by(100) {
                    let mut batch = db.batch();
                    for n in 0..5 {
                        batch.add(&series(thread as i64 * 10 + n), t, 1.0).unwrap();
                    }
                    assert_eq!(batch.commit().unwrap().samples, 5);
                    progress.store(t, Ordering::Release);
                }
            });
        }
        loop {
            // What every thread has passed may go to blocks.
            let passed = progress.iter().map(|progress| progress.load(Ordering::Acquire)).min().unwrap();
            db.maintain(passed).unwrap();
            db.select(&[], 0, i64::MAX).unwrap();
            if passed == 19_900 {
                break;
            }
        }
    });
    db.maintain(200_000).unwrap();
    assert_eq!(count(&db), 3 * 200 * 5);
    drop(db);
    assert_eq!(count(&Db::open(dir.path(), Options::default()).unwrap()), 3 * 200 * 5);
}
