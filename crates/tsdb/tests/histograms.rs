//! Native histograms among the samples of a store.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use streamflow_histogram::{Buckets, Histogram, ResetHint};
use streamflow_tsdb::{
    AppendError, Db, Labels, MatchOp, Matcher, Options, Position, STALE_NAN, Samples, Value, verify,
};

fn labels() -> Labels {
    Labels::new([("__name__", "latency_seconds")])
}

/// A counter that has seen `n` observations in each of `buckets` buckets.
fn histogram(n: u32, buckets: i32) -> Arc<Histogram> {
    let n = f64::from(n);
    let positive = Buckets { indices: (0..buckets).collect(), counts: vec![n; buckets as usize] };
    let count = n * f64::from(buckets);
    Arc::new(Histogram { schema: 3, count, sum: count / 8.0, positive, ..Histogram::default() })
}

fn read(db: &Db) -> Samples {
    let mut samples = Samples::default();
    for series in db.select(&[], i64::MIN, i64::MAX).unwrap() {
        series.read(&mut samples).unwrap();
    }
    samples
}

fn counts(samples: &Samples) -> Vec<(i64, f64)> {
    let count = |value| match value {
        Value::Float(value) => value,
        Value::Histogram(histogram) => histogram.count,
    };
    samples.values().map(|(t, value)| (t, count(value))).collect()
}

fn resets(samples: &Samples) -> Vec<ResetHint> {
    samples.histograms.iter().map(|histogram| histogram.reset).collect()
}

#[test]
fn the_rules_are_those_of_numbers() {
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    let series = batch.add_histogram(&labels(), 1000, histogram(1, 3)).unwrap();
    assert_eq!(batch.add_histogram_ref(series, 1000, histogram(1, 3)), Ok(()));
    let duplicate = batch.add_histogram_ref(series, 1000, histogram(2, 3)).unwrap_err();
    assert_eq!(
        duplicate.to_string(),
        "sample at 1000 has the value a histogram of 6 observations with the sum 0.75, the series has a histogram of \
         3 observations with the sum 0.375 there"
    );
    assert!(matches!(batch.add_ref(series, 1000, 1.0), Err(AppendError::DuplicateTimestamp { .. })));
    assert_eq!(
        batch.add_histogram_ref(series, 999, histogram(1, 3)),
        Err(AppendError::OutOfOrder { timestamp: 999, newest: 1000 })
    );
    let unknown = Histogram { schema: 9, ..Histogram::default() };
    let refused = batch.add_histogram(&labels(), 2000, Arc::new(unknown)).unwrap_err();
    assert_eq!(refused.to_string(), "histogram with schema 9, expected -4 to 8, or -53 for custom bounds");
    assert_eq!(batch.add_histogram(&Labels::default(), 1, histogram(1, 1)), Err(AppendError::NoLabels));
    assert_eq!(batch.commit().unwrap().samples, 2);
    assert_eq!(counts(&read(&db)), [(1000, 3.0)]);
    let refused = db.stats().refused;
    assert_eq!((refused.duplicate_timestamp, refused.out_of_order, refused.invalid_histogram), (2, 1, 1));
}

#[test]
fn a_number_that_looks_like_a_place_is_an_ordinary_nan() {
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    batch.add(&labels(), 1, streamflow_histogram::boxed(0)).unwrap();
    batch.add_histogram(&labels(), 2, histogram(1, 1)).unwrap();
    batch.commit().unwrap();
    let samples = read(&db);
    assert!(samples.values[0].is_nan() && samples.histogram(samples.values[0]).is_none());
    assert_eq!(samples.histogram(samples.values[1]), Some(&histogram(1, 1)));
}

/// Numbers and histograms in turn, over several chunks, with a reset, a new bucket, the end of the series, and samples
/// that come late.
#[test]
fn what_is_committed_is_read_after_everything() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        block_duration_ms: 1000,
        samples_per_chunk: 40,
        out_of_order_window_ms: 1_000_000,
        ..Options::default()
    };
    let db = Db::open(dir.path(), options.clone()).unwrap();
    let mut expected = Vec::new();
    let value = |step: u32| match step {
        77 => Value::Float(77.0),
        150 => Value::Float(STALE_NAN),
        // What was counted is lost once.
        180.. => Value::Histogram(histogram(step - 170, 5)),
        _ => Value::Histogram(histogram(step + 1, 5 + i32::from(step > 120))),
    };
    let late = |step: u32| step % 10 == 3;
    let add = |step: u32| {
        let mut batch = db.batch();
        let t = i64::from(step) * 10;
        match value(step) {
            Value::Float(value) => batch.add(&labels(), t, value).map(drop),
            Value::Histogram(histogram) => batch.add_histogram(&labels(), t, histogram).map(drop),
        }
        .unwrap();
        assert_eq!(batch.commit().unwrap().samples, 1);
    };
    for step in 0..300 {
        if !late(step) {
            add(step);
        }
        if step == 150 {
            db.maintain(1_000_000).unwrap();
        }
    }
    (0..300).filter(|step| late(*step)).for_each(add);
    for step in 0..300 {
        expected.push((i64::from(step) * 10, value(step)));
    }
    let check = |db: &Db| {
        let samples = read(db);
        assert_eq!(samples.len(), expected.len());
        for ((t, value), (expected_t, expected)) in samples.values().zip(&expected) {
            assert_eq!(t, *expected_t);
            match (value, expected) {
                (Value::Float(value), Value::Float(expected)) => {
                    assert_eq!(value.to_bits(), expected.to_bits())
                }
                (Value::Histogram(value), Value::Histogram(expected)) => {
                    let reset = ResetHint::Unknown;
                    assert_eq!(Histogram { reset, ..(*value).clone() }, **expected, "{t}");
                }
                (value, expected) => panic!("{value} instead of {expected} at {t}"),
            }
        }
        assert_eq!(db.damage(), []);
    };
    check(&db);
    let (mut tail, mut all, mut piece) = (db.tail(Position::default()), Vec::new(), Vec::new());
    while tail.next(&mut piece).is_ok() && !piece.is_empty() {
        all.append(&mut piece);
    }
    assert!(
        all.iter().any(
            |(_, sample)| sample.timestamp == 2990 && sample.value == Value::Histogram(histogram(129, 5))
        )
    );
    db.snapshot(&dir.path().join("copy")).unwrap();
    check(&Db::open(&dir.path().join("copy"), options.clone()).unwrap());
    drop(tail);
    drop(db);
    let db = Db::open(dir.path(), options.clone()).unwrap();
    check(&db);
    db.maintain(2990).unwrap();
    check(&db);
    assert!(db.stats().blocks > 0);
    drop(db);
    check(&Db::open(dir.path(), options).unwrap());
    assert_eq!(verify(dir.path()).unwrap().damage, []);
}

#[test]
fn resets_are_those_that_prometheus_says() {
    let db = Db::in_memory(Options { samples_per_chunk: 4, ..Options::default() });
    let mut batch = db.batch();
    let steps = [1, 2, 3, 1, 2, 4];
    for (at, n) in steps.into_iter().enumerate() {
        batch.add_histogram(&labels(), at as i64, histogram(n, 2)).unwrap();
    }
    batch.add(&labels(), 10, STALE_NAN).unwrap();
    batch.add_histogram(&labels(), 11, histogram(5, 2)).unwrap();
    let gauge = Histogram { reset: ResetHint::Gauge, ..(*histogram(1, 2)).clone() };
    batch.add_histogram(&labels(), 12, Arc::new(gauge)).unwrap();
    batch.commit().unwrap();
    let samples = read(&db);
    use ResetHint::{Gauge, NoReset, Reset, Unknown};
    // The fifth begins a chunk, and the one behind the end of the series follows nothing.
    assert_eq!(resets(&samples), [Unknown, NoReset, NoReset, Reset, Unknown, NoReset, Unknown, Gauge]);
}

/// What is read of a store if only the histograms at multiples of 50 are wanted, beside all of it: how many are outlines.
fn outlines(db: &Db) -> usize {
    let all = read(db);
    let mut some = Samples::default();
    let mut outlines = 0;
    for series in db.select(&[], i64::MIN, i64::MAX).unwrap() {
        series
            .read_wanted(&mut some, |[before, time, next]| {
                assert!(before < time && time < next);
                time % 50 == 0
            })
            .unwrap();
    }
    assert_eq!(some.len(), all.len());
    for (place, ((t, value), (_, whole))) in some.values().zip(all.values()).enumerate() {
        match (value, whole) {
            (Value::Histogram(value), Value::Histogram(whole)) if value != whole => {
                outlines += 1;
                assert!(place > 0 && t % 50 != 0, "{t}");
                assert_eq!((value.count, value.reset), (0.0, ResetHint::NoReset), "{t}");
                assert_eq!((value.schema, whole.reset), (whole.schema, ResetHint::NoReset), "{t}");
            }
            (value, whole) => assert_eq!(value, whole, "{t}"),
        }
    }
    outlines
}

#[test]
fn histograms_that_nobody_wants_are_outlines() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { samples_per_chunk: 40, out_of_order_window_ms: 10_000, ..Options::default() };
    let db = Db::open(dir.path(), options).unwrap();
    let add = |times: &mut dyn Iterator<Item = u32>| {
        let mut batch = db.batch();
        for time in times {
            // A reset at 700.
            let seen = if time < 700 { time } else { time - 699 };
            batch.add_histogram(&labels(), i64::from(time), histogram(seen, 4)).unwrap();
        }
        batch.commit().unwrap();
    };
    add(&mut (10..1000).step_by(10));
    let of_head = outlines(&db);
    assert!(of_head > 60, "{of_head}");
    db.maintain(1_000_000_000).unwrap();
    let of_blocks = outlines(&db);
    assert!(of_blocks > 60, "{of_blocks}");
    let first = Matcher::new("__name__", MatchOp::Equal, "latency_seconds").unwrap();
    db.delete(&[vec![first]], 200, 300).unwrap();
    outlines(&db);
    add(&mut [995].into_iter());
    add(&mut [994].into_iter());
    outlines(&db);
}
