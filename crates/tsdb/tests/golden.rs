//! Files that an earlier version wrote are read by this one.
//!
//! `v1` has numbers alone, `v2` native histograms as well, `v4` also start timestamps. `STREAMFLOW_WRITE_GOLDEN=v7` writes the
//! directory of a new format beside the old ones, which stay.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use streamflow_histogram::{Buckets, CUSTOM_BOUNDS, Histogram, ResetHint};
use streamflow_tsdb::{Db, Labels, NO_START, Options, STALE_NAN, Sample, Samples, Value, is_stale, verify};

const TIMES: i64 = 300;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn options() -> Options {
    Options { block_duration_ms: 1000, ..Options::default() }
}

/// Constant, integers, decimals, floats, and one that stops.
fn value(series: i64, t: i64) -> f64 {
    match series {
        0 => 1.0,
        1 => (t * t / 7) as f64,
        2 => (t % 977) as f64 / 100.0,
        3 => (t as f64).sqrt(),
        _ if t % 500 == 490 => STALE_NAN,
        _ => -0.0,
    }
}

/// What the sixth series has: a counter that loses its buckets once, a gauge of fractions, custom bounds, and a number.
fn held(t: i64) -> Value {
    let step = t / 10;
    let counts =
        |of: &[i32]| of.iter().map(|index| (step % 200 * i64::from(*index)) as f64).collect::<Vec<_>>();
    let buckets = |of: &[i32]| Buckets { indices: of.to_vec(), counts: counts(of) };
    let histogram = match step {
        0 => return Value::Float(0.5),
        1..100 => Histogram {
            schema: 2,
            zero_threshold: 2_f64.powi(-128),
            zero_count: 1.0,
            positive: buckets(&[1, 2, 9]),
            negative: buckets(&[3]),
            ..Histogram::default()
        },
        100..150 => Histogram {
            schema: CUSTOM_BOUNDS,
            positive: buckets(&[1, 2]),
            custom_bounds: vec![-0.5, 0.25],
            ..Histogram::default()
        },
        150..200 => Histogram {
            reset: ResetHint::Gauge,
            schema: -1,
            zero_threshold: 0.125,
            zero_count: 0.5,
            positive: buckets(&[5]),
            ..Histogram::default()
        },
        _ => Histogram { schema: 2, positive: buckets(&[1, 2, 9]), ..Histogram::default() },
    };
    let (count, sum) = ((step % 200 * 15) as f64 + histogram.zero_count, (step as f64).sqrt());
    Value::Histogram(Arc::new(Histogram { count, sum, ..histogram }.compacted()))
}

/// What the seventh series has: a counter that begins anew now and then, a difference, and a sample without a start.
fn started(t: i64) -> Sample {
    let start = match t / 10 {
        step if step % 90 == 7 => NO_START,
        0..200 => t - t % 500 - 3,
        _ => t - 10,
    };
    Sample { timestamp: t, start, value: Value::Float((t % 500) as f64) }
}

fn labels(series: i64) -> Labels {
    Labels::new([("__name__", "golden"), ("series", &series.to_string()), ("text", "ä\n\"")])
}

/// Two blocks, a checkpoint, and a segment behind it; the second is rolled for histograms where none was before.
fn write(dir: &Path) {
    let db = Db::open(dir, options()).unwrap();
    for step in 0..TIMES {
        let t = step * 10;
        let mut batch = db.batch();
        for series in 0..5 {
            batch.add(&labels(series), t, value(series, t)).unwrap();
        }
        match held(t) {
            Value::Float(value) => batch.add(&labels(5), t, value).unwrap(),
            Value::Histogram(histogram) => batch.add_histogram(&labels(5), t, histogram).unwrap(),
        };
        batch.add_sample(&labels(6), started(t)).unwrap();
        batch.commit().unwrap();
        if step == 250 {
            db.maintain(2500).unwrap();
        }
    }
    db.close().unwrap();
    fs::remove_file(dir.join("lock")).unwrap();
    fs::remove_file(dir.join("wal/segment-00000001")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn old_files_are_read() {
    if let Some(name) = std::env::var_os("STREAMFLOW_WRITE_GOLDEN") {
        write(&golden().join(name));
    }
    let mut versions = 0;
    for entry in fs::read_dir(golden()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let expected = if name == "v1" {
            5
        } else if name == "v2" {
            6
        } else {
            7
        };
        let dir = tempfile::tempdir().unwrap();
        copy(&entry.path(), dir.path());
        assert_eq!(verify(dir.path()).unwrap().damage, []);
        let db = Db::open(dir.path(), options()).unwrap();
        assert_eq!((db.damage(), db.stats().blocks), (Vec::new(), 2));
        let selected = db.select(&[], i64::MIN, i64::MAX).unwrap();
        assert_eq!(selected.len(), expected);
        let mut samples = Samples::default();
        for (number, series) in selected.iter().enumerate() {
            series.read(&mut samples).unwrap();
            if number == 5 {
                check_histograms(&samples);
                continue;
            }
            if number == 6 {
                assert!(samples.samples().eq((0..TIMES).map(|step| started(step * 10))));
                continue;
            }
            assert!(samples.starts.is_empty());
            assert_eq!(series.labels(), &labels(number as i64));
            assert_eq!(samples.timestamps, (0..TIMES).map(|step| step * 10).collect::<Vec<_>>());
            for (t, v) in samples.iter() {
                assert_eq!(v.to_bits(), value(number as i64, t).to_bits());
            }
            assert_eq!(samples.iter().any(|(_, v)| is_stale(v)), number == 4);
        }
        versions += 1;
    }
    assert_eq!(versions, 3, "a golden directory is missing");
}

fn check_histograms(samples: &Samples) {
    assert_eq!(samples.timestamps, (0..TIMES).map(|step| step * 10).collect::<Vec<_>>());
    for (t, value) in samples.values() {
        match (value, held(t)) {
            (Value::Histogram(found), Value::Histogram(expected)) => {
                assert_eq!(found.reset == ResetHint::Gauge, expected.reset == ResetHint::Gauge);
                assert_eq!(Histogram { reset: expected.reset, ..(*found).clone() }, *expected, "{t}");
            }
            (found, expected) => assert_eq!(found, expected, "{t}"),
        }
    }
}
