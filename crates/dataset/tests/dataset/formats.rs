//! Data directories of every format that was ever written, and of one that is not known yet.
//!
//! `fixtures/format_1` is what the last release before format 2 wrote for the January and February of
//! [`month`]; it is never written again.

use std::fs;
use std::path::Path;

use streamflow_dataset::{ColumnType, Error, Outcome, PointInTime, Snapshots};
use tempfile::TempDir;

use crate::point_in_time::{month, rows};
use crate::{SPEC, date, spec};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn format_1() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format_1")), data.path());
    data
}

#[test]
fn format_1_gives_the_tables_that_it_gave() {
    let data = format_1();
    let snapshots = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    let check = |as_of: &str, expected: &[&str]| {
        let options = PointInTime { labels: true, exact: true };
        assert_eq!(rows(&snapshots.point_in_time(date(as_of), options).unwrap()), expected, "{as_of}");
    };
    check("2024-01-31", &["u1 1.5 true basic 10 false", "u2 2.5 - - 20 true", "u9 9 true gold 90 true"]);
    check("2024-02-29", &["u1 1.25 false - 11 true", "u2 2.5 - - 21 -", "u3 - - - 30 -"]);
    for manifest in snapshots.snapshots().unwrap() {
        assert_eq!((manifest.format, manifest.revision, manifest.entity.as_ref()), (1, 1, None));
        assert!(manifest.tables.values().all(|table| table.sha256.is_none()));
        assert_eq!(manifest.tables["users"].columns["joined"], ColumnType::Date);
    }
}

#[test]
fn a_month_of_format_1_is_known_again_and_replaced_by_one_of_format_2() {
    let data = format_1();
    let snapshots = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    let as_of = date("2024-01-31");
    let again = snapshots.ingest(month("2024-01-31").path(), as_of, false, &mut |_| {}).unwrap();
    assert_eq!((again.outcome, again.snapshot.format), (Outcome::Unchanged, 1));

    let replaced = snapshots.ingest(month("2024-02-29").path(), as_of, true, &mut |_| {}).unwrap();
    let manifest = replaced.snapshot;
    assert_eq!((replaced.outcome, manifest.format, manifest.revision), (Outcome::Replaced, 2, 2));
    assert_eq!(manifest.entity.unwrap().single(), Some("user_id"));
    for table in manifest.tables.values() {
        let bytes = fs::read(data.path().join("snapshots").join(&table.path)).unwrap();
        assert_eq!((table.size_bytes, table.sha256.as_deref()), (bytes.len() as u64, Some(&*sha256(&bytes))));
    }
    assert_eq!(snapshots.snapshots().unwrap().iter().map(|other| other.format).collect::<Vec<_>>(), [2, 1]);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_later_format_is_refused_by_its_number() {
    let data = format_1();
    let path = data.path().join("snapshots/_ledger/as_of=2024-02-29.json");
    // All else may look otherwise in it.
    fs::write(&path, "{\"format\": 3, \"period\": {\"year\": 2024, \"month\": 2}}").unwrap();
    let snapshots = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    let error = snapshots.newest().unwrap_err();
    assert!(matches!(error, Error::NewerLedger { format: 3, newest: 2, .. }));
    let expected = format!(
        "the ledger entry {} has the format 3 of a later release; this one reads formats 1 to 2: use that \
         release, or restore the data directory from before its first ingest",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}
