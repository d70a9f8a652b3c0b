//! Any bytes as the ledger's entry of a date: an error that names the file, or an entry that says what it says.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{DatasetSpec, PointInTime, Snapshots};

static SPEC: LazyLock<DatasetSpec> = LazyLock::new(|| toml::from_str(include_str!("snapshot_drop.toml")).expect("a spec"));

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |bytes: &[u8]| {
    let folder = tempfile::tempdir().expect("a folder for files");
    let ledger = folder.path().join("snapshots/_ledger");
    fs::create_dir_all(&ledger).expect("a folder");
    fs::write(ledger.join("as_of=2024-01-31.json"), bytes).expect("a file");
    // What an ingest that was stopped has left behind is settled or removed by the ledger.
    let stopped = folder.path().join("snapshots/.ingest-2024-01-31-r1");
    fs::create_dir(&stopped).expect("a folder");
    fs::write(stopped.join("users.parquet"), "PAR1").expect("a file");

    let snapshots = match Snapshots::open(folder.path(), SPEC.clone()) {
        Ok(snapshots) => snapshots,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // A ledger with an entry that cannot be read opens, so that an ingest can write the entry anew.
    let verified = snapshots.verify().expect("the folder can be read");
    match snapshots.snapshots() {
        Ok(listed) => {
            assert!(verified.ledger_faults.is_empty());
            for snapshot in &listed {
                assert_eq!(snapshot.as_of.to_string(), "2024-01-31");
                let _ = snapshot.rows();
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !verified.ledger_faults.is_empty(), "{error}"),
    }
    let january = "2024-01-31".parse().expect("a date");
    let _ = snapshots.point_in_time(january, PointInTime { labels: true, exact: true });
});
