//! What is left of samples that are deleted for their age: nothing is counted twice, nothing is missing, and what was deleted
//! on purpose is in no aggregate.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "aggregates/files.rs"]
mod files;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamflow_histogram::{Buckets, Histogram};
use streamflow_tsdb::{
    Db, Downsampling, Labels, MatchOp, Matcher, Older, Options, Resolution, RetentionRule, Samples,
    copy_in_use, verify,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const HOURS: &[Resolution] = &[Resolution::OneHour];
const PREFERRED: &[Resolution] = &[Resolution::OneHour, Resolution::FiveMinutes];
const FINE: &[Resolution] = &[Resolution::FiveMinutes, Resolution::OneHour];

fn options(retention_hours: i64) -> Options {
    Options {
        retention_ms: Some(retention_hours * HOUR),
        downsampling: Downsampling { five_minutes_ms: Some(1000 * HOUR), one_hour_ms: Some(2000 * HOUR) },
        ..Options::default()
    }
}

fn labels(name: &str) -> Labels {
    Labels::new([("__name__", name), ("job", "api")])
}

fn named(name: &str) -> Vec<Matcher> {
    vec![Matcher::new("__name__", MatchOp::Equal, name).unwrap()]
}

/// A sample a minute, with upkeep as it goes.
fn append(db: &Db, hours: std::ops::Range<i64>, names: &[&str]) {
    for t in (hours.start * HOUR..hours.end * HOUR).step_by(MINUTE as usize) {
        let mut batch = db.batch();
        for name in names {
            batch.add(&labels(name), t, (t / MINUTE) as f64).unwrap();
        }
        batch.commit().unwrap();
        if t % HOUR == 0 {
            db.maintain(t).unwrap();
        }
    }
    db.maintain(hours.end * HOUR).unwrap();
}

/// Samples of a series, those that aggregates stand for, and the sum of all.
fn counts(db: &Db, name: &str, resolutions: &[Resolution]) -> (u64, u64, f64) {
    let (mut samples, mut older) = (Samples::default(), Older::default());
    let mut found = (0, 0, 0.0);
    for series in db.select_with_older(&named(name), (i64::MIN, i64::MAX), resolutions).unwrap() {
        series.read_with_older(&mut samples, &mut older).unwrap();
        found.0 += samples.len() as u64;
        found.1 += older.rows.iter().map(|row| row.count).sum::<u64>();
        found.2 += samples.values.iter().sum::<f64>() + older.rows.iter().map(|row| row.sum).sum::<f64>();
        let apart = older.rows.windows(2).all(|pair| pair[0].extent().1 < pair[1].first_ms);
        assert!(apart, "aggregates are in order and apart");
    }
    found
}

/// Every sample of `hours` hours is counted once.
fn check_whole(db: &Db, name: &str, hours: u64) {
    for resolutions in [HOURS, FINE] {
        let (samples, older, sum) = counts(db, name, resolutions);
        assert_eq!(samples + older, hours * 60, "{samples} and {older} by {resolutions:?}");
        let last = (hours * 60 - 1) as f64;
        assert_eq!(sum, last * (last + 1.0) / 2.0);
    }
}

#[test]
fn every_sample_is_there_or_in_one_aggregate() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options(24)).unwrap();
    for hours in [0..30, 30..60, 60..100] {
        append(&db, hours.clone(), &["a"]);
        check_whole(&db, "a", hours.end as u64);
    }
    let (samples, older, _) = counts(&db, "a", HOURS);
    assert!(samples < 32 * 60 && older > 68 * 60, "{samples} {older}");
    assert_eq!(counts(&db, "a", &[]), (samples, 0, counts(&db, "a", &[]).2), "not asked for, not answered");
    let stats = db.stats();
    assert_eq!(stats.damage, []);
    assert!(stats.aggregates[0].windows > 10 * stats.aggregates[1].windows);
    // Merged as they come: not a block for each that went.
    assert!(stats.aggregates.iter().all(|tier| tier.blocks < 9), "{:?}", stats.aggregates);
    drop(db);
    let db = Db::open(dir.path(), options(24)).unwrap();
    check_whole(&db, "a", 100);
    let report = verify(dir.path()).unwrap();
    assert!(report.windows > 0 && report.damage.is_empty(), "{report:?}");
    // Each resolution goes by its own age; in the end nothing is left.
    db.maintain(1000 * HOUR + 100 * HOUR).unwrap();
    assert_eq!(counts(&db, "a", &[Resolution::FiveMinutes]).1, 0);
    let (samples, older, _) = counts(&db, "a", HOURS);
    assert_eq!((samples + older, samples), (6000, db.stats().head_samples));
    db.maintain(2000 * HOUR + 101 * HOUR).unwrap();
    assert_eq!(counts(&db, "a", FINE), counts(&db, "a", &[]));
    assert!(db.stats().aggregates.iter().all(|tier| tier.bytes == 0));
}

/// The last of the finer windows that are left lies in an hour of which all others are gone.
#[test]
fn where_finer_ones_are_too_old_coarser_ones_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        max_block_duration_ms: 6 * HOUR,
        downsampling: Downsampling { five_minutes_ms: Some(50 * HOUR), one_hour_ms: Some(2000 * HOUR) },
        ..options(10)
    };
    let db = Db::open(dir.path(), options).unwrap();
    append(&db, 0..100, &["a"]);
    let [fine, coarse] = [0, 1].map(|tier| db.stats().aggregates[tier].min_ms.unwrap());
    assert!(fine > 40 * HOUR && coarse == 0, "{fine} {coarse}");
    check_whole(&db, "a", 100);
}

/// Whatever chunks lie beside a range, the resolution is said of which its answer is.
#[test]
fn the_resolutions_said_are_those_of_the_range() {
    let dir = tempfile::tempdir().unwrap();
    let coarse = dir.path().join("aggregates/1h");
    let db = Db::open(dir.path(), options(10)).unwrap();
    append(&db, 0..20, &["a"]);
    drop(db);
    // As between two merges: blocks of five minutes are large, those of an hour are not yet.
    let before = dir.path().join("before");
    files::copy(&coarse, &before);
    append(&Db::open(dir.path(), options(10)).unwrap(), 20..40, &["a"]);
    fs::remove_dir_all(&coarse).unwrap();
    fs::rename(&before, &coarse).unwrap();
    let db = Db::open(dir.path(), options(10)).unwrap();
    assert!(db.stats().aggregates[1].blocks > db.stats().aggregates[0].blocks);
    let (mut samples, mut older) = (Samples::default(), Older::default());
    for hour in 0..8 {
        let range = (hour * HOUR + 1, (hour + 1) * HOUR);
        let series = db.select_with_older(&named("a"), range, PREFERRED).unwrap();
        series[0].read_with_older(&mut samples, &mut older).unwrap();
        assert_eq!(older.resolutions(), HOURS, "{hour}");
    }
}

fn check_listed(db: &Db, names: &[&str]) {
    let series = db.series(&[], i64::MIN, i64::MAX).unwrap();
    assert_eq!(series, names.iter().map(|name| labels(name)).collect::<Vec<_>>());
}

#[test]
fn what_is_deleted_is_in_no_aggregate() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options(10)).unwrap();
    append(&db, 0..40, &["a", "b"]);
    db.delete(&[named("a")], i64::MIN, i64::MAX).unwrap();
    let check = |db: &Db| {
        assert_eq!(counts(db, "a", FINE), (0, 0, 0.0));
        check_listed(db, &["b"]);
        check_whole(db, "b", 40);
    };
    check(&db);
    drop(db);
    let db = Db::open(dir.path(), options(10)).unwrap();
    check(&db);
    db.clean_tombstones().unwrap();
    check(&db);
    assert_eq!(db.label_values("__name__", &[], i64::MIN, i64::MAX).unwrap(), ["b"]);
    for entry in walk(&dir.path().join("aggregates")) {
        let bytes = fs::read(&entry).unwrap();
        assert!(!entry.ends_with("tombstones"), "{}", entry.display());
        assert!(
            !entry.ends_with("index") || !bytes.windows(3).any(|three| three == b"\x01a\x03"),
            "the name is gone"
        );
    }
    // Of a window that a deletion touches nothing is left, and all of the others.
    db.delete(&[named("b")], 3 * HOUR + 7 * MINUTE, 3 * HOUR + 8 * MINUTE).unwrap();
    let fine = counts(&db, "b", &[Resolution::FiveMinutes]);
    assert_eq!(fine.0 + fine.1, 40 * 60 - 5);
    let coarse = counts(&db, "b", HOURS);
    assert_eq!(coarse.0 + coarse.1, 40 * 60 - 60);
    // The finer windows around it are read where the coarse one is gone.
    let both = counts(&db, "b", &[Resolution::OneHour, Resolution::FiveMinutes]);
    assert_eq!(both, fine);
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn copies_have_them() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("db"), options(10)).unwrap();
    append(&db, 0..40, &["a"]);
    let (snapshot, copy) = (dir.path().join("snapshot"), dir.path().join("copy"));
    db.snapshot(&snapshot).unwrap();
    copy_in_use(&dir.path().join("db"), &copy).unwrap();
    db.delete(&[named("a")], i64::MIN, i64::MAX).unwrap();
    for copy in [snapshot, copy] {
        check_whole(&Db::open(&copy, options(10)).unwrap(), "a", 40);
    }
}

#[test]
fn samples_that_come_back_are_not_counted_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("db");
    let late = Options { out_of_order_window_ms: i64::MAX / 4, ..options(10) };
    let db = Db::open(&store, late.clone()).unwrap();
    append(&db, 0..12, &["a"]);
    copy_in_use(&store, &dir.path().join("before")).unwrap();
    append(&db, 12..40, &["a"]);
    check_whole(&db, "a", 40);
    drop(db);
    // As behind a process that was killed between the aggregates and the deletion of what they are of.
    let old = fs::read_dir(dir.path().join("before/blocks")).unwrap().next().unwrap().unwrap().path();
    fs::rename(&old, store.join("blocks").join(old.file_name().unwrap())).unwrap();
    let db = Db::open(&store, late).unwrap();
    check_whole(&db, "a", 40);
    assert!(db.maintain(40 * HOUR).unwrap().blocks_deleted > 0);
    check_whole(&db, "a", 40);
    // As an import of what was exported before.
    let mut batch = db.batch();
    for minute in 0..300 {
        batch.add(&labels("a"), minute * MINUTE, minute as f64).unwrap();
    }
    batch.commit().unwrap();
    check_whole(&db, "a", 40);
    db.maintain(40 * HOUR).unwrap();
    check_whole(&db, "a", 40);
}

#[test]
fn a_rule_says_for_how_long_a_series_is_kept_in_every_form() {
    let rule = |name: &str, hours: i64| RetentionRule { matchers: named(name), keep_ms: hours * HOUR };
    let dir = tempfile::tempdir().unwrap();
    let options = Options { retention_rules: vec![rule("short", 5), rule("long", 200)], ..options(20) };
    let db = Db::open(dir.path(), options.clone()).unwrap();
    append(&db, 0..100, &["short", "long", "rest"]);
    let check = |db: &Db| {
        let (samples, older, _) = counts(db, "short", FINE);
        assert_eq!(older, 0);
        assert!((5 * 60 - 1..=5 * 60).contains(&samples), "{samples}");
        assert_eq!(counts(db, "long", FINE).0, 6000, "all of it is there");
        check_whole(db, "rest", 100);
        let (samples, older, _) = counts(db, "rest", FINE);
        assert!(samples < 30 * 60 && older > 70 * 60, "{samples} {older}");
    };
    check(&db);
    drop(db);
    check(&Db::open(dir.path(), options).unwrap());
    // A rule that comes later holds for aggregates too.
    let rest = Options { retention_rules: vec![rule("rest", 50)], ..self::options(20) };
    let db = Db::open(dir.path(), rest).unwrap();
    db.maintain(100 * HOUR).unwrap();
    let (samples, older, _) = counts(&db, "rest", HOURS);
    assert!((49 * 60..=50 * 60).contains(&(samples + older)), "{samples} {older}");
}

#[test]
fn a_store_that_is_too_large_loses_samples_before_aggregates() {
    let dir = tempfile::tempdir().unwrap();
    let unbounded = Options { retention_ms: None, ..options(1) };
    let db = Db::open(dir.path(), unbounded.clone()).unwrap();
    append(&db, 0..300, &["a", "b", "c"]);
    let bytes = db.stats().wal_bytes + db.stats().block_bytes;
    drop(db);
    let db = Db::open(dir.path(), Options { retention_bytes: Some(bytes / 2), ..unbounded }).unwrap();
    assert!(db.maintain(300 * HOUR).unwrap().blocks_deleted > 0);
    check_whole(&db, "a", 300);
    assert!(counts(&db, "a", FINE).1 > 0);
    drop(db);
    let small = Options { retention_bytes: Some(3000), retention_ms: None, ..self::options(1) };
    let db = Db::open(dir.path(), small).unwrap();
    let done = db.maintain(300 * HOUR).unwrap();
    assert!(done.aggregate_blocks_deleted > 0);
    let bytes: u64 = db.stats().aggregates.iter().map(|tier| tier.bytes).sum();
    assert!(bytes <= 1500, "{bytes}");
}

fn histogram(count: f64) -> Arc<Histogram> {
    let positive = Buckets { indices: vec![0, 1], counts: vec![count / 2.0, count / 2.0] };
    Arc::new(Histogram { schema: 1, count, sum: count * 3.0, positive, ..Histogram::default() })
}

#[test]
fn of_native_histograms_the_ends_of_windows_stay_and_both_sides_of_resets() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options(10)).unwrap();
    let mut count = 0.0;
    for minute in 1..=40 * 60 {
        // Reset once, in the middle of an hour.
        count = if minute == 90 { 6.0 } else { count + 2.0 };
        let mut batch = db.batch();
        batch.add_histogram(&labels("h"), minute * MINUTE, histogram(count)).unwrap();
        batch.commit().unwrap();
    }
    db.maintain(40 * HOUR).unwrap();
    let (mut samples, mut older) = (Samples::default(), Older::default());
    let selected = db.select_with_older(&named("h"), (0, 4 * HOUR), HOURS).unwrap();
    selected[0].read_with_older(&mut samples, &mut older).unwrap();
    assert!(samples.is_empty() && older.rows.is_empty());
    let kept: Vec<(i64, f64)> = older
        .histograms
        .values()
        .filter(|(t, _)| *t <= 2 * HOUR)
        .map(|(t, value)| match value {
            streamflow_tsdb::Value::Histogram(histogram) => (t / MINUTE, histogram.count),
            other => panic!("{other}"),
        })
        .collect();
    // Of a window that two blocks share, each block keeps its own ends.
    assert_eq!(kept, [(1, 2.0), (60, 120.0), (61, 122.0), (89, 178.0), (90, 6.0), (119, 64.0), (120, 66.0)]);
}

#[test]
fn switched_off_nothing_is_made_and_what_is_there_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options(10)).unwrap();
    append(&db, 0..40, &["a"]);
    let before = counts(&db, "a", FINE).1;
    drop(db);
    let off = Options { downsampling: Downsampling::default(), ..options(10) };
    let db = Db::open(dir.path(), off).unwrap();
    assert_eq!(counts(&db, "a", FINE).1, before);
    db.maintain(100_000 * HOUR).unwrap();
    append(&db, 40..80, &["a"]);
    assert_eq!(counts(&db, "a", FINE).1, before);
}
