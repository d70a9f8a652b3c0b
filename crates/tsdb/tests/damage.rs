//! Torn files, flipped bytes, missing files: what is intact is served, what is not is named, nothing panics.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use streamflow_tsdb::{Db, Error, Labels, Options, Samples, verify};

const RANGE: i64 = 1000;

fn options() -> Options {
    Options { block_duration_ms: RANGE, samples_per_chunk: 20, ..Options::default() }
}

fn append(db: &Db, times: impl Iterator<Item = i64>) {
    for t in times {
        let mut batch = db.batch();
        for series in 0..4 {
            batch
                .add(&Labels::new([("__name__", "m"), ("n", &series.to_string())]), t, (t * series) as f64)
                .unwrap();
        }
        batch.commit().unwrap();
    }
}

type Sample = (String, i64, u64);

/// A store and what is in it; copies of it are damaged.
static ORIGINAL: LazyLock<(tempfile::TempDir, BTreeSet<Sample>)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path());
    // Opened from a copy: opening begins a segment.
    let opened = tempfile::tempdir().unwrap();
    copy(dir.path(), opened.path());
    let samples = samples(&Db::open(opened.path(), options()).unwrap());
    (dir, samples)
});

/// Two blocks, a checkpoint, and a log of a few batches.
fn build(dir: &Path) {
    let db = Db::open(dir, options()).unwrap();
    append(&db, (0..2510).step_by(10));
    db.maintain(2500).unwrap();
    append(&db, (2510..2800).step_by(10));
    assert_eq!(db.stats().blocks, 2);
}

fn samples(db: &Db) -> BTreeSet<Sample> {
    let mut out = Samples::default();
    let mut all = BTreeSet::new();
    for series in db.select(&[], i64::MIN, i64::MAX).unwrap() {
        series.read(&mut out).unwrap();
        all.extend(out.iter().map(|(t, v)| (series.labels().to_string(), t, v.to_bits())));
    }
    all
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

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    // What stands behind the checkpoint is not read.
    found.retain(|path| !path.ends_with("lock") && !path.ends_with("segment-00000001"));
    found
}

/// Opens a damaged copy: every sample it serves is one of the originals; if some are missing the damage says so.
fn check(dir: &Path, originals: &BTreeSet<Sample>, at_most: usize) {
    let is_found = !verify(dir).unwrap().damage.is_empty();
    let (lost, is_said) = check_served(dir, originals, at_most);
    assert!(lost == 0 || is_said, "{lost} samples lost and nothing said");
    assert!(lost == 0 || is_found, "{lost} samples lost and verify found nothing");
}

/// Opens a damaged copy, which serves no other samples and goes on; how many are lost, and whether that is said.
fn check_served(dir: &Path, originals: &BTreeSet<Sample>, at_most: usize) -> (usize, bool) {
    let db = Db::open(dir, options()).unwrap();
    let served = samples(&db);
    let is_said = !db.damage().is_empty();
    assert!(served.is_subset(originals), "invented samples");
    let lost = originals.len() - served.len();
    assert!(lost <= at_most, "{lost} samples lost");
    db.maintain(4000).unwrap();
    assert!(samples(&db).is_subset(&served));
    append(&db, [3990].into_iter());
    assert_eq!(samples(&db).iter().filter(|(_, t, _)| *t == 3990).count(), 4);
    (lost, is_said)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn flipped_and_cut(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let (original, originals) = &*ORIGINAL;
        let damaged = tempfile::tempdir().unwrap();
        copy(original.path(), damaged.path());
        let files = files(damaged.path());
        let path = which.get(&files);
        let mut bytes = fs::read(path).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        fs::write(path, bytes).unwrap();
        let is_segment = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("segment-");
        // What ends with a whole record is also what a process leaves that was killed there: nothing can be said.
        if cut && files.iter().rfind(is_segment) == Some(path) {
            check_served(damaged.path(), originals, originals.len() / 2);
        } else {
            check(damaged.path(), originals, originals.len() / 2);
        }
    }
}

#[test]
fn any_file_may_be_missing() {
    let (original, originals) = &*ORIGINAL;
    assert_eq!(originals.len(), 280 * 4);
    for file in files(original.path()) {
        let damaged = tempfile::tempdir().unwrap();
        copy(original.path(), damaged.path());
        fs::remove_file(damaged.path().join(file.strip_prefix(original.path()).unwrap())).unwrap();
        check(damaged.path(), originals, originals.len() / 2);
    }
}

#[test]
fn a_torn_tail_is_named_once_and_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options()).unwrap();
    append(&db, 0..5);
    drop(db);
    let log = dir.path().join("wal/segment-00000001");
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 3]).unwrap();
    let db = Db::open(dir.path(), options()).unwrap();
    assert_eq!(samples(&db).len(), 4 * 4);
    assert!(db.damage()[0].what.contains("after the last whole record"));
    drop(db);
    assert_eq!(Db::open(dir.path(), options()).unwrap().damage(), []);
}

#[test]
fn a_directory_is_opened_once() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options()).unwrap();
    assert!(matches!(Db::open(dir.path(), options()), Err(Error::Locked { .. })));
    db.close().unwrap();
    let mut batch = db.batch();
    batch.add(&Labels::new([("a", "b")]), 1, 1.0).unwrap();
    assert!(matches!(batch.commit(), Err(Error::Closed)));
    Db::open(dir.path(), options()).unwrap();
}
