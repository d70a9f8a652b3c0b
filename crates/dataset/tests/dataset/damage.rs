//! Snapshots on a bad disk: no flipped bit is answered from, and the same drop mends what is damaged.

use std::fs;

use streamflow_dataset::{Error, FileState, Outcome, PointInTime};

use crate::formats::format_1;
use crate::point_in_time::{month, rows};
use crate::{SPEC, all_columns_of, counts_of, date, drop_of, ingest, spec, store_of};

const READ: PointInTime = PointInTime { labels: true, exact: true };

#[test]
fn no_flipped_bit_is_answered_from() {
    let (data, store) = store_of(SPEC);
    let drop = drop_of(&[]);
    ingest(&store, drop.path(), "2024-01-31").unwrap();
    let expected = rows(&store.point_in_time(date("2024-01-31"), READ).unwrap());
    let (mut faults, mut lost) = (0, 0);
    for table in ["users", "usage", "labels"] {
        let path = data.path().join(format!("snapshots/{table}/as_of=2024-01-31/part-0.parquet"));
        let intact = fs::read(&path).unwrap();
        for bit in (0..intact.len() * 8).step_by(37) {
            let mut damaged = intact.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, damaged).unwrap();
            faults += 1;
            // A process that has read the file before trusts it; this one has not.
            let store = streamflow_dataset::Snapshots::open(data.path(), spec(SPEC)).unwrap();
            match store.point_in_time(date("2024-01-31"), READ) {
                Err(Error::Damaged { table: named, reason, .. }) => {
                    assert_eq!((named.as_str(), reason.contains("SHA-256")), (table, true), "{reason}");
                }
                Err(other) => panic!("{other}"),
                Ok(_) => lost += 1,
            }
        }
        fs::write(&path, intact).unwrap();
    }
    println!("{faults} faults, {lost} answered from");
    assert!(faults > 300 && lost == 0, "{faults} faults, {lost} answered from");
    let store = streamflow_dataset::Snapshots::open(data.path(), spec(SPEC)).unwrap();
    assert_eq!(rows(&store.point_in_time(date("2024-01-31"), READ).unwrap()), expected);
}

#[test]
fn the_same_drop_writes_what_is_damaged_or_missing() {
    let (data, store) = store_of(SPEC);
    let drop = drop_of(&[]);
    ingest(&store, drop.path(), "2024-01-31").unwrap();
    let expected = rows(&store.point_in_time(date("2024-01-31"), READ).unwrap());
    let file = |table: &str| data.path().join(format!("snapshots/{table}/as_of=2024-01-31/part-0.parquet"));
    let states =
        || -> Vec<FileState> { store.verify().unwrap().files.iter().map(|file| file.state).collect() };
    assert_eq!(states(), [FileState::Intact; 3]);
    assert_eq!(ingest(&store, drop.path(), "2024-01-31").unwrap().outcome, Outcome::Unchanged);

    // What no ingest has written is not read here, and would be elsewhere.
    let foreign = file("labels").with_file_name("part-1.parquet");
    fs::write(&foreign, b"PAR1").unwrap();
    assert_eq!(states(), [FileState::Intact, FileState::Intact, FileState::Intact, FileState::Foreign]);
    fs::remove_file(foreign).unwrap();
    let validation = data.path().join("snapshots/_ledger/as_of=2024-01-31.validation.json");
    fs::remove_file(&validation).unwrap();
    assert_eq!(states().last(), Some(&FileState::Missing));
    assert_eq!(ingest(&store, drop.path(), "2024-01-31").unwrap().outcome, Outcome::Mended);
    assert_eq!(states(), [FileState::Intact; 3]);

    fs::write(file("usage"), b"PAR1").unwrap();
    fs::remove_file(file("users")).unwrap();
    assert_eq!(states(), [FileState::Intact, FileState::Changed, FileState::Missing]);
    let report = ingest(&store, drop.path(), "2024-01-31").unwrap();
    assert_eq!((report.outcome, report.snapshot.revision), (Outcome::Mended, 3));
    assert_eq!(states(), [FileState::Intact; 3]);
    assert_eq!(rows(&store.point_in_time(date("2024-01-31"), READ).unwrap()), expected);
}

#[test]
fn a_damaged_ledger_entry_hides_no_other_month() {
    let (data, store) = store_of(SPEC);
    let drop = drop_of(&[]);
    for month in ["2024-01-31", "2024-02-29"] {
        ingest(&store, drop.path(), month).unwrap();
    }
    fs::write(data.path().join("snapshots/_ledger/as_of=2024-01-31.json"), "{").unwrap();
    fs::write(data.path().join("snapshots/users/as_of=2024-02-29/part-0.parquet"), "PAR1").unwrap();
    // What a crash has left of an ingest of the date stands in nobody's way either.
    fs::create_dir(data.path().join("snapshots/.ingest-2024-01-31-r1")).unwrap();
    let store = streamflow_dataset::Snapshots::open(data.path(), spec(SPEC)).unwrap();
    let found = store.verify().unwrap();
    let states: Vec<FileState> = found.files.iter().map(|file| file.state).collect();
    assert_eq!(states, [FileState::Intact, FileState::Intact, FileState::Changed]);
    assert!(!found.is_intact() && matches!(found.ledger_faults.as_slice(), [Error::Ledger { .. }]));
    assert_eq!(store.adopt().unwrap(), 0);

    let error = ingest(&store, drop.path(), "2024-01-31").unwrap_err().to_string();
    assert!(error.contains("ingest that month again with --replace"), "{error}");
    store.ingest(drop.path(), date("2024-01-31"), true, &mut |_| {}).unwrap();
    ingest(&store, drop.path(), "2024-02-29").unwrap();
    assert!(store.verify().unwrap().is_intact());
}

#[test]
fn checksums_of_before_are_recorded_when_asked() {
    let data = format_1();
    let store = streamflow_dataset::Snapshots::open(data.path(), spec(SPEC)).unwrap();
    let states =
        || -> Vec<FileState> { store.verify().unwrap().files.iter().map(|file| file.state).collect() };
    assert_eq!(states(), [FileState::Unrecorded; 6]);
    let before = rows(&store.point_in_time(date("2024-02-29"), READ).unwrap());
    // Damage of these is not seen by an ingest, so it takes a replacement.
    let again = month("2024-01-31");
    let same =
        |replace| store.ingest(again.path(), date("2024-01-31"), replace, &mut |_| {}).unwrap().outcome;
    assert_eq!(
        (same(false), same(true), same(true)),
        (Outcome::Unchanged, Outcome::Mended, Outcome::Unchanged)
    );
    assert_eq!(store.adopt().unwrap(), 3);
    assert_eq!(states(), [FileState::Intact; 6]);
    assert_eq!(store.adopt().unwrap(), 0);
    assert_eq!(rows(&store.point_in_time(date("2024-02-29"), READ).unwrap()), before);
}

#[test]
fn a_page_is_held_against_its_checksum() {
    let intact = include_bytes!("../golden/page_crc.parquet");
    assert_eq!(counts_of(&all_columns_of(intact).unwrap(), "n").len(), 40);
    let numbers: Vec<u8> = (0..40_i64).flat_map(i64::to_le_bytes).collect();
    let page = intact.windows(numbers.len()).position(|bytes| bytes == numbers).unwrap();
    for place in page..page + numbers.len() {
        let mut damaged = intact.to_vec();
        damaged[place] ^= 1;
        let error = all_columns_of(&damaged).unwrap_err().to_string();
        let expected =
            "t: is a damaged or incomplete Parquet file (Page CRC checksum mismatch); copy it again";
        assert_eq!(error, expected, "byte {place}");
    }
}
