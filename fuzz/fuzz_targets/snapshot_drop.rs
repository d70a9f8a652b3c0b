//! Any bytes as a file of a drop: an error and nothing ingested, or a snapshot that is intact and can be read.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{DatasetSpec, PointInTime, Snapshots};

/// Every type of column and every expectation.
static SPEC: LazyLock<DatasetSpec> = LazyLock::new(|| toml::from_str(include_str!("snapshot_drop.toml")).expect("a spec"));

const FILES: [(&str, &str); 3] = [
    ("users", "user_id,age,joined\nu1,31,2023-01-05\nu2,,2023-02-01\n"),
    ("usage", "user_id,hours,premium,plan\nu1,1.5,True,basic\nu2,,,\n"),
    ("labels", "user_id,churned\nu1,1\nu2,0\n"),
];

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    if streamflow_fuzz::has_many_rows(bytes) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for files");
    let (drop, data) = (folder.path().join("drop"), folder.path().join("data"));
    fs::create_dir(&drop).expect("a folder");
    for (place, (table, text)) in FILES.iter().enumerate() {
        let bytes = if place == usize::from(*which) % FILES.len() { bytes } else { text.as_bytes() };
        let extension = if bytes.starts_with(b"PAR1") { "parquet" } else { "csv" };
        fs::write(drop.join(format!("{table}.{extension}")), bytes).expect("a file");
    }
    let snapshots = Snapshots::open(&data, SPEC.clone()).expect("an empty folder");
    let january = "2024-01-31".parse().expect("a date");
    let ingested = snapshots.ingest(&drop, january, false, &mut |_| {});
    let listed = snapshots.snapshots().expect("a ledger of our own");
    if let Err(error) = ingested {
        assert!(!error.to_string().is_empty() && listed.is_empty());
        return;
    }
    assert_eq!(listed.len(), 1);
    assert!(snapshots.verify().expect("files of our own").files.iter().all(|file| !file.state.is_damaged()));
    let table = snapshots.point_in_time(january, PointInTime { labels: true, exact: true }).expect("a snapshot");
    assert_eq!(table.rows as u64, listed[0].tables["users"].rows);
});
