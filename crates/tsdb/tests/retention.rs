//! Samples that are kept for another time than the rest.
#![allow(clippy::unwrap_used, missing_docs)]

use streamflow_tsdb::{Db, Labels, MatchOp, Matcher, Options, RetentionRule, Samples, verify};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn labels(name: &str) -> Labels {
    Labels::new([("__name__", name), ("job", "api")])
}

fn rule(pattern: &str, hours: i64) -> RetentionRule {
    let matchers = vec![Matcher::new("__name__", MatchOp::Regex, pattern).unwrap()];
    RetentionRule { matchers, keep_ms: hours * HOUR }
}

fn options(retention_hours: i64, rules: &[RetentionRule]) -> Options {
    Options {
        retention_ms: Some(retention_hours * HOUR),
        retention_rules: rules.to_vec(),
        ..Options::default()
    }
}

fn append(db: &Db, from: i64, to: i64, names: &[&str]) {
    for t in (from * HOUR..to * HOUR).step_by(MINUTE as usize) {
        let mut batch = db.batch();
        for name in names {
            batch.add(&labels(name), t, t as f64).unwrap();
        }
        batch.commit().unwrap();
        if t % HOUR == 0 {
            db.maintain(t).unwrap();
        }
    }
}

/// First and last hour of what is answered of a series.
fn hours(db: &Db, name: &str) -> Option<(f64, f64)> {
    let one = [Matcher::new("__name__", MatchOp::Equal, name).unwrap()];
    let mut samples = Samples::default();
    let selected = db.select(&one, i64::MIN, i64::MAX).unwrap();
    selected.iter().for_each(|series| series.read(&mut samples).unwrap());
    let hour = |t: &i64| *t as f64 / HOUR as f64;
    let listed = db.series(&[one.to_vec()], i64::MIN, i64::MAX).unwrap().len();
    assert_eq!(listed, usize::from(!samples.is_empty()), "{name} is listed if it has samples");
    samples.timestamps.first().map(hour).zip(samples.timestamps.last().map(hour))
}

#[test]
fn the_first_rule_that_a_series_meets_says_how_long_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rules = [rule("debug_slow", 30), rule("debug_.*", 10), rule("slo_.*", 200)];
    let names = ["debug_slow", "debug_fast", "slo_errors", "up"];
    let db = Db::open(dir.path(), options(50, &rules)).unwrap();
    append(&db, 0, 100, &names);
    db.maintain(100 * HOUR).unwrap();
    let newest = 100.0 - 1.0 / 60.0;
    let check = |db: &Db| {
        assert_eq!(hours(db, "debug_slow"), Some((70.0, newest)));
        assert_eq!(hours(db, "debug_fast"), Some((90.0, newest)));
        assert_eq!(hours(db, "slo_errors"), Some((0.0, newest)), "longer than the rest");
        assert_eq!(hours(db, "up"), Some((50.0, newest)));
        assert_eq!(db.damage(), []);
    };
    check(&db);
    // On the disk are at most the quarter of a block's range more, and what is not in blocks yet.
    let stored = db.stats().block_samples + db.stats().head_samples;
    let exact = (30 + 10 + 100 + 50) * 60;
    assert!(stored >= exact && stored < exact + exact / 4, "{stored} of {exact}");
    drop(db);
    let db = Db::open(dir.path(), options(50, &rules)).unwrap();
    db.maintain(100 * HOUR).unwrap();
    check(&db);
    // A series that ended is gone in full once all of it is too old, and the store is empty in the end.
    db.maintain(130 * HOUR + 1).unwrap();
    assert_eq!((hours(&db, "debug_fast"), hours(&db, "debug_slow")), (None, None));
    assert_eq!(hours(&db, "up"), Some((80.0 + 1.0 / 60.0, newest)));
    db.maintain(301 * HOUR).unwrap();
    assert!(names.iter().all(|name| hours(&db, name).is_none()));
    assert_eq!(verify(dir.path()).unwrap().damage, []);
}

#[test]
fn upkeep_with_nothing_to_drop_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options(1000, &[rule("debug_.*", 500)])).unwrap();
    append(&db, 0, 30, &["debug_a", "up"]);
    db.maintain(30 * HOUR).unwrap();
    assert_eq!(db.maintain(30 * HOUR).unwrap().blocks_rewritten, 0);
    // All of one rule's series in a block is too old; a second call has nothing left to do.
    assert!(db.maintain(528 * HOUR).unwrap().blocks_rewritten > 0);
    assert_eq!(db.maintain(528 * HOUR).unwrap().blocks_rewritten, 0);
    assert_eq!(hours(&db, "debug_a"), Some((28.0, 30.0 - 1.0 / 60.0)));
    assert_eq!(hours(&db, "up").unwrap().0, 0.0);
}

#[test]
fn rules_hold_without_files_too() {
    let db = Db::in_memory(options(1000, &[rule("debug_.*", 2)]));
    append(&db, 0, 5, &["debug_a", "up"]);
    db.maintain(5 * HOUR).unwrap();
    assert_eq!((hours(&db, "debug_a").unwrap().0, hours(&db, "up").unwrap().0), (3.0, 0.0));
}
