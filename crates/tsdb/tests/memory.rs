//! Appending and selecting without files.
#![allow(clippy::unwrap_used, missing_docs)]

use streamflow_tsdb::{
    AppendError, Db, Labels, MatchOp, Matcher, Options, STALE_NAN, Samples, Value, is_stale,
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied())
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).unwrap()
}

fn read(db: &Db, matchers: &[Matcher], min: i64, max: i64) -> Vec<(String, Vec<(i64, f64)>)> {
    let mut samples = Samples::default();
    let mut rows = Vec::new();
    for series in db.select(matchers, min, max).unwrap() {
        series.read(&mut samples).unwrap();
        rows.push((series.labels().to_string(), samples.iter().collect()));
    }
    rows
}

#[test]
fn refusals() {
    let db = Db::in_memory(Options::default());
    let up = labels(&[("__name__", "up")]);
    let mut batch = db.batch();
    let series = batch.add(&up, 1000, 1.0).unwrap();
    assert_eq!(batch.add_ref(series, 1000, 1.0), Ok(()));
    assert!(matches!(
        batch.add_ref(series, 1000, 2.0),
        Err(AppendError::DuplicateTimestamp { existing: Value::Float(1.0), .. })
    ));
    assert_eq!(
        batch.add_ref(series, 999, 1.0),
        Err(AppendError::OutOfOrder { timestamp: 999, newest: 1000 })
    );
    assert_eq!(batch.add(&Labels::default(), 1, 1.0), Err(AppendError::NoLabels));
    assert!(db.select(&[], i64::MIN, i64::MAX).unwrap().is_empty(), "seen before the commit");
    assert_eq!(batch.commit().unwrap().samples, 2);
    let mut batch = db.batch();
    assert!(matches!(batch.add_ref(series, 1000, 2.0), Err(AppendError::DuplicateTimestamp { .. })));
    assert_eq!(batch.add_ref(series, 0, 1.0), Err(AppendError::OutOfOrder { timestamp: 0, newest: 1000 }));
    batch.add_ref(series, 5000, 5.0).unwrap();
    drop(batch);
    let mut batch = db.batch();
    batch.add_ref(series, 2000, STALE_NAN).unwrap();
    batch.commit().unwrap();
    let rows = read(&db, &[], i64::MIN, i64::MAX);
    assert_eq!(rows[0].1[0], (1000, 1.0));
    assert!(is_stale(rows[0].1[1].1) && rows[0].1.len() == 2);
    let refused = db.stats().refused;
    assert_eq!((refused.out_of_order, refused.duplicate_timestamp, refused.too_old), (2, 2, 0));
}

#[test]
fn samples_behind_newer_ones_within_the_window() {
    let db = Db::in_memory(Options { out_of_order_window_ms: 10_000, ..Options::default() });
    let up = labels(&[("__name__", "up")]);
    let mut batch = db.batch();
    for t in [0, 20_000, 40_000] {
        batch.add(&up, t, t as f64).unwrap();
    }
    batch.commit().unwrap();
    let mut batch = db.batch();
    batch.add(&up, 35_000, 35_000.0).unwrap();
    batch.add(&up, 31_000, 31_000.0).unwrap();
    assert_eq!(batch.add(&up, 20_000, 1.0), Err(AppendError::TooOld { timestamp: 20_000, oldest: 30_000 }));
    batch.commit().unwrap();
    let mut batch = db.batch();
    batch.add(&up, 35_000, 35_000.0).unwrap();
    assert!(matches!(batch.add(&up, 35_000, 1.0), Err(AppendError::DuplicateTimestamp { .. })));
    let times: Vec<i64> = read(&db, &[], 0, 40_000)[0].1.iter().map(|(t, _)| *t).collect();
    assert_eq!(times, [0, 20_000, 31_000, 35_000, 40_000]);
}

#[test]
fn matchers_and_label_queries() {
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    for (job, code) in [("api", "200"), ("api", "500"), ("web", "200"), ("web", "")] {
        batch.add(&labels(&[("__name__", "requests"), ("job", job), ("code", code)]), 1000, 1.0).unwrap();
    }
    batch.add(&labels(&[("__name__", "up"), ("job", "api")]), 9000, 1.0).unwrap();
    batch.commit().unwrap();
    let count = |matchers: &[Matcher]| db.select(matchers, 0, 10_000).unwrap().len();
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    assert_eq!(count(&[]), 5);
    assert_eq!(count(&[matcher("job", Equal, "api")]), 3);
    assert_eq!(count(&[matcher("code", Equal, "")]), 2);
    assert_eq!(count(&[matcher("code", NotEqual, "")]), 3);
    assert_eq!(count(&[matcher("code", Regex, "200|500"), matcher("job", NotEqual, "api")]), 1);
    assert_eq!(count(&[matcher("code", Regex, "2.*|")]), 4);
    assert_eq!(count(&[matcher("job", Regex, "a.+"), matcher("code", NotRegex, "5..")]), 2);
    assert_eq!(count(&[matcher("nothing", Equal, "x")]), 0);
    assert_eq!(db.select(&[], 2000, 8000).unwrap().len(), 0);
    assert_eq!(db.label_names(&[], 0, 10_000).unwrap(), ["__name__", "code", "job"]);
    assert_eq!(
        db.label_values("job", &[vec![matcher("__name__", Equal, "up")]], 0, 10_000).unwrap(),
        ["api"]
    );
    assert_eq!(db.label_values("code", &[], 0, 10_000).unwrap(), ["200", "500"]);
    assert_eq!(
        db.series(&[vec![matcher("job", Equal, "web")], vec![matcher("job", Equal, "web")]], 0, 5000)
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn many_chunks_are_read_in_order() {
    let db = Db::in_memory(Options::default());
    let up = labels(&[("__name__", "up")]);
    let mut batch = db.batch();
    for i in 0..5000 {
        batch.add(&up, i * 15_000, (i * 3) as f64).unwrap();
    }
    batch.commit().unwrap();
    let rows = read(&db, &[], 15_000 * 100, 15_000 * 4000);
    assert_eq!(rows[0].1.len(), 3901);
    assert!(rows[0].1.windows(2).all(|pair| pair[0].0 + 15_000 == pair[1].0 && pair[0].1 + 3.0 == pair[1].1));
    let stats = db.stats();
    assert_eq!((stats.head_series, stats.head_samples), (1, 5000));
    assert_eq!((stats.head_min_ms, stats.head_max_ms), (Some(0), Some(15_000 * 4999)));
}
