//! Files that an earlier version wrote are read by this one.
//!
//! `STREAMFLOW_WRITE_GOLDEN=v2` writes the directory of a new format beside the old ones, which stay.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use streamflow_tsdb::{Db, Labels, Options, STALE_NAN, Samples, is_stale, verify};

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

fn labels(series: i64) -> Labels {
    Labels::new([("__name__", "golden"), ("series", &series.to_string()), ("text", "ä\n\"")])
}

/// Two blocks, a checkpoint, and a segment behind it.
fn write(dir: &Path) {
    let db = Db::open(dir, options()).unwrap();
    for step in 0..TIMES {
        let t = step * 10;
        let mut batch = db.batch();
        for series in 0..5 {
            batch.add(&labels(series), t, value(series, t)).unwrap();
        }
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
        let dir = tempfile::tempdir().unwrap();
        copy(&entry.unwrap().path(), dir.path());
        assert_eq!(verify(dir.path()).unwrap().damage, []);
        let db = Db::open(dir.path(), options()).unwrap();
        assert_eq!((db.damage(), db.stats().blocks), (Vec::new(), 2));
        let selected = db.select(&[], i64::MIN, i64::MAX).unwrap();
        assert_eq!(selected.len(), 5);
        let mut samples = Samples::default();
        for (number, series) in selected.iter().enumerate() {
            series.read(&mut samples).unwrap();
            assert_eq!(series.labels(), &labels(number as i64));
            assert_eq!(samples.timestamps, (0..TIMES).map(|step| step * 10).collect::<Vec<_>>());
            for (t, v) in samples.iter() {
                assert_eq!(v.to_bits(), value(number as i64, t).to_bits());
            }
            assert_eq!(samples.iter().any(|(_, v)| is_stale(v)), number == 4);
        }
        versions += 1;
    }
    assert!(versions > 0, "no golden directory");
}
