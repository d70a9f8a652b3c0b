//! A store with one of its files changed: it opens, says what is damaged and serves the rest, or says why not.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use streamflow_fuzz::Damage;
use streamflow_tsdb::{Db, MatchOp, Matcher, Options, Samples, verify};

/// Of the store that `crates/tsdb/tests/golden.rs` has written.
const FILES: [(&str, &[u8]); 8] = [
    ("blocks/block-00000001/chunks", include_bytes!("../../crates/tsdb/tests/golden/v1/blocks/block-00000001/chunks")),
    ("blocks/block-00000001/index", include_bytes!("../../crates/tsdb/tests/golden/v1/blocks/block-00000001/index")),
    ("blocks/block-00000001/meta", include_bytes!("../../crates/tsdb/tests/golden/v1/blocks/block-00000001/meta")),
    ("blocks/block-00000002/chunks", include_bytes!("../../crates/tsdb/tests/golden/v1/blocks/block-00000002/chunks")),
    ("blocks/block-00000002/index", include_bytes!("../../crates/tsdb/tests/golden/v1/blocks/block-00000002/index")),
    ("blocks/block-00000002/meta", include_bytes!("../../crates/tsdb/tests/golden/v1/blocks/block-00000002/meta")),
    ("wal/checkpoint-00000002", include_bytes!("../../crates/tsdb/tests/golden/v1/wal/checkpoint-00000002")),
    ("wal/segment-00000002", include_bytes!("../../crates/tsdb/tests/golden/v1/wal/segment-00000002")),
];
const SAMPLES: usize = 1500;

fuzz_target!(|input: (u8, Damage)| {
    let (which, damage) = input;
    let folder = tempfile::tempdir().expect("a folder for files");
    for (place, (name, bytes)) in FILES.iter().enumerate() {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("every file has a folder")).expect("a folder");
        let is_damaged = place == usize::from(which) % FILES.len();
        let bytes = if is_damaged { damage.of(bytes) } else { bytes.to_vec() };
        fs::write(path, bytes).expect("a file");
    }
    let found = verify(folder.path());
    let options = Options { block_duration_ms: 1000, ..Options::default() };
    let Ok(db) = Db::open(folder.path(), options) else { return };
    let all = Matcher::new("series", MatchOp::Regex, ".+").expect("a pattern");
    let (mut samples, mut read) = (Samples::default(), 0);
    for series in db.select(&[all], i64::MIN, i64::MAX).iter().flatten() {
        if series.read(&mut samples).is_ok() {
            assert_eq!(samples.timestamps.len(), samples.values.len());
            read += samples.values.len();
        }
    }
    if damage.is_none() {
        assert!(read == SAMPLES && found.is_ok_and(|report| report.damage.is_empty()), "a sound store is whole");
    }
});
