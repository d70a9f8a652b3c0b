//! The files of aggregates: a process that is killed, bytes that are flipped, files of an earlier release.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use streamflow_tsdb::{Db, Labels, Older, Options, Resolution, Samples, verify};

use crate::{FINE, HOUR, HOURS, MINUTE, append, counts, histogram, labels, options, walk};

/// Set for the child to the directory of its store.
const DIR: &str = "STREAMFLOW_AGGREGATES_DIR";
const STEP: i64 = 10_000;

fn small() -> Options {
    Options {
        block_duration_ms: 10 * MINUTE,
        retention_ms: Some(30 * MINUTE),
        samples_per_chunk: 20,
        ..options(0)
    }
}

/// Appends, writes blocks and makes aggregates of them until it is killed.
fn append_for_ever(dir: &Path) {
    let db = Db::open(dir, small()).unwrap();
    let newest = db.series(&[], i64::MIN, i64::MAX).unwrap().is_empty();
    let mut t = if newest { STEP } else { db.stats().max_ms.unwrap() + STEP };
    let mut out = std::io::stdout().lock();
    loop {
        let mut batch = db.batch();
        for n in 0..20 {
            batch.add(&labels(&format!("s{n}")), t, (t / STEP) as f64).unwrap();
        }
        batch.commit().unwrap();
        if writeln!(out, "acknowledged {t}").and_then(|()| out.flush()).is_err() {
            return;
        }
        db.maintain(t).unwrap();
        t += STEP;
    }
}

#[test]
fn a_process_that_is_killed_leaves_aggregates_whole_or_not_there() {
    if let Some(dir) = std::env::var_os(DIR) {
        return append_for_ever(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut newest = 0;
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "files::a_process_that_is_killed_leaves_aggregates_whole_or_not_there",
                "--nocapture",
            ])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some(t) = line.rsplit_once("acknowledged ").and_then(|(_, t)| t.parse::<i64>().ok()) else {
                continue;
            };
            newest = t;
            seen += 1;
            if seen == 300 + round * 67 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let db = Db::open(dir.path(), small()).unwrap();
        for n in 0..20 {
            for resolutions in [HOURS, FINE] {
                let (samples, older, _) = counts(&db, &format!("s{n}"), resolutions);
                let there = samples + older;
                // One more may have been committed and not told.
                let told = (newest / STEP) as u64;
                assert!(there == told || there == told + 1, "{samples} and {older} of {told}");
            }
        }
        assert!(db.stats().aggregates[0].windows > 0);
        let torn = |what: &str| what.contains("after the last whole record");
        assert!(db.damage().iter().all(|damage| torn(&damage.what)), "{:?}", db.damage());
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
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

static ORIGINAL: std::sync::LazyLock<(tempfile::TempDir, (u64, u64, f64))> = std::sync::LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), options(10)).unwrap();
    append(&db, 0..40, &["a"]);
    let whole = counts(&db, "a", HOURS);
    drop(db);
    (dir, whole)
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_flipped_bit_is_named_and_nothing_is_made_up(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let (original, whole) = &*ORIGINAL;
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        let files = walk(&dir.path().join("aggregates/1h"));
        let file = &files[which.index(files.len())];
        let mut bytes = fs::read(file).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        fs::write(file, &bytes).unwrap();
        let db = Db::open(dir.path(), options(10)).unwrap();
        let found = counts(&db, "a", HOURS);
        prop_assert!(found == *whole || (found.1 < whole.1 && !db.damage().is_empty()), "{found:?} of {whole:?}");
        if found == *whole {
            // A bit that no answer hangs on, as of the checksum of the whole index, is found by a verification at most.
            drop(db);
            verify(dir.path()).unwrap();
        }
    }
}

/// Five hours of a counter with resets and an end, a gauge, and native histograms; aggregates are left of the first.
fn golden_store(dir: &Path) -> Db {
    let options = Options { block_duration_ms: 30 * MINUTE, retention_ms: Some(HOUR), ..options(0) };
    let db = Db::open(dir, options).unwrap();
    for minute in 1..=5 * 60 {
        let (t, step) = (minute * MINUTE, minute as f64);
        let mut batch = db.batch();
        let counter = if minute == 100 { streamflow_tsdb::STALE_NAN } else { (minute % 70) as f64 };
        batch.add(&labels("counter_total"), t, counter).unwrap();
        batch.add(&labels("gauge"), t + 7, step.sqrt()).unwrap();
        batch.add_histogram(&labels("h"), t, histogram((minute % 130) as f64)).unwrap();
        batch.commit().unwrap();
        db.maintain(t).unwrap();
    }
    db
}

/// What aggregates know, as text: places of histograms are NaNs, which are not equal to themselves.
fn everything(db: &Db) -> Vec<(Labels, String)> {
    let mut samples = Samples::default();
    let mut found = Vec::new();
    for resolution in Resolution::ALL {
        for series in db.select_with_older(&[], (i64::MIN, i64::MAX), &[resolution]).unwrap() {
            let mut older = Older::default();
            series.read_with_older(&mut samples, &mut older).unwrap();
            if !older.is_empty() {
                found.push((series.labels().clone(), format!("{older:?}")));
            }
        }
    }
    found
}

/// `STREAMFLOW_WRITE_GOLDEN=1` writes the files anew, which a change of the format must not need.
#[test]
fn aggregates_of_an_earlier_release_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_aggregates");
    let (now, then) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let fresh = golden_store(now.path());
    if std::env::var_os("STREAMFLOW_WRITE_GOLDEN").is_some() {
        fs::remove_dir_all(&golden).unwrap_or_default();
        copy(&now.path().join("aggregates"), &golden.join("aggregates"));
    }
    copy(&golden, then.path());
    let old = Db::open(then.path(), options(1)).unwrap();
    let expected = everything(&fresh);
    assert_eq!(expected.len(), 6);
    assert_eq!(everything(&old), expected);
    assert_eq!((old.damage(), verify(then.path()).unwrap().damage), (Vec::new(), Vec::new()));
}

#[test]
fn a_block_in_the_wrong_folder_is_named_and_not_served() {
    for (from, to) in
        [("aggregates/1h", "aggregates/5m"), ("aggregates/1h", "blocks"), ("blocks", "aggregates/1h")]
    {
        let dir = tempfile::tempdir().unwrap();
        drop(golden_store(dir.path()));
        let block = fs::read_dir(dir.path().join(from)).unwrap().next().unwrap().unwrap().path();
        fs::rename(&block, dir.path().join(to).join(block.file_name().unwrap())).unwrap();
        let db = Db::open(dir.path(), options(1)).unwrap();
        let damage = db.damage();
        assert!(damage.len() == 1 && damage[0].what.contains("its folder is for those of"), "{damage:?}");
    }
}
