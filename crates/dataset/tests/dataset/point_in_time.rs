//! Months made by hand: which row of which month each entity sees.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use streamflow_dataset::{Frame, PointInTime, Snapshots, Values};

use crate::{SPEC, date, drop_of, ingest, spec, store_of};

fn read(store: &Snapshots, as_of: &str, labels: bool) -> Frame {
    store.point_in_time(date(as_of), PointInTime { labels, exact: false }).unwrap()
}

/// The rows as text, `-` where missing.
pub fn rows(frame: &Frame) -> Vec<String> {
    let row = |row| {
        let values =
            frame.columns.iter().map(|column| column.values.text(row).unwrap_or_else(|| "-".to_string()));
        values.collect::<Vec<_>>().join(" ")
    };
    (0..frame.rows).map(row).collect()
}

/// A month of the three that the tests here are about.
pub fn month(as_of: &str) -> tempfile::TempDir {
    let [users, usage, labels]: [&[u8]; 3] = match as_of {
        "2024-01-31" => [
            b"user_id,age,joined\nu2,20,2023-01-01\nu1,10,2023-01-01\nu9,90,2023-01-01\n",
            b"user_id,hours,premium,plan\nu1,1.5,true,basic\nu2,2.5,,\nu9,9,true,gold\n",
            b"user_id,churned\nu1,0\nu2,1\nu9,1\n",
        ],
        // u9 has left, u3 is new and has no usage yet, and u2's usage was not delivered.
        "2024-02-29" => [
            b"user_id,age,joined\nu3,30,2024-02-01\nu1,11,2023-01-01\nu2,21,2023-01-01\n",
            b"plan,user_id,hours,premium\n,u1,1.25,false\n",
            b"user_id,churned\nu1,1\n",
        ],
        _ => {
            [b"user_id,age,joined\nu1,12,2023-01-01\n", b"user_id,hours,premium,plan\n", b"user_id,churned\n"]
        }
    };
    drop_of(&[("users.csv", Some(users)), ("usage.csv", Some(usage)), ("labels.csv", Some(labels))])
}

fn months() -> (tempfile::TempDir, Snapshots) {
    let (data, store) = store_of(SPEC);
    // March is ingested before February: the order of ingests does not matter.
    for as_of in ["2024-01-31", "2024-03-31", "2024-02-29"] {
        ingest(&store, month(as_of).path(), as_of).unwrap();
    }
    (data, store)
}

#[test]
fn each_date_sees_its_own_past() {
    let (_data, store) = months();
    let check =
        |as_of: &str, expected: &[&str]| assert_eq!(rows(&read(&store, as_of, true)), expected, "{as_of}");
    check("2024-01-31", &["u1 1.5 true basic 10 false", "u2 2.5 - - 20 true", "u9 9 true gold 90 true"]);
    // Between two months the features are the earlier one's, and no label is of that day.
    check("2024-02-15", &["u1 1.5 true basic 10 -", "u2 2.5 - - 20 -", "u9 9 true gold 90 -"]);
    // A missing value of the last row stays missing; an older row does not fill it in.
    check("2024-02-29", &["u1 1.25 false - 11 true", "u2 2.5 - - 21 -", "u3 - - - 30 -"]);
    check("2024-03-31", &["u1 1.25 false - 12 -"]);
    check("2030-01-01", &["u1 1.25 false - 12 -"]);
}

#[test]
fn columns_are_the_entity_the_features_and_the_label() {
    let (_data, store) = months();
    let names = |frame: &Frame| frame.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        names(&read(&store, "2024-01-31", true)),
        ["user_id", "hours", "premium", "plan", "age", "churned"]
    );
    assert_eq!(
        names(&read(&store, "2024-02-15", true)),
        ["user_id", "hours", "premium", "plan", "age", "churned"]
    );
    assert_eq!(names(&read(&store, "2024-01-31", false)), ["user_id", "hours", "premium", "plan", "age"]);
    // A column without a single value keeps its type.
    let frame = read(&store, "2024-03-31", true);
    assert_eq!(frame.column("churned").unwrap().values, Values::Boolean(vec![None]));
    let (as_of, online) = store.online_features().unwrap().unwrap();
    assert_eq!((as_of, rows(&online)), (date("2024-03-31"), vec!["u1 1.25 false - 12".to_string()]));
}

#[test]
fn dates_without_a_snapshot() {
    let (_data, store) = months();
    let message = |as_of: &str, exact| {
        store.point_in_time(date(as_of), PointInTime { labels: true, exact }).unwrap_err().to_string()
    };
    let dates = "there are 2024-01-31, 2024-02-29, 2024-03-31";
    assert_eq!(message("2024-02-15", true), format!("no snapshot of 2024-02-15; {dates}"));
    assert_eq!(message("2023-12-31", false), format!("no snapshot at or before 2023-12-31; {dates}"));
    let (_data, empty) = store_of(SPEC);
    let error =
        empty.point_in_time(date("2024-01-31"), PointInTime { labels: false, exact: true }).unwrap_err();
    assert_eq!(error.to_string(), "no snapshot of 2024-01-31; none was ingested yet");
    assert_eq!(empty.online_features().unwrap(), None);
}

#[test]
fn a_snapshot_of_another_configuration_says_so() {
    let (data, _store) = months();
    let changed = SPEC.replace("age = \"integer\"", "age = \"float\"");
    let store = Snapshots::open(data.path(), spec(&changed)).unwrap();
    let error =
        store.point_in_time(date("2024-01-31"), PointInTime { labels: false, exact: true }).unwrap_err();
    assert!(
        error.to_string().starts_with("the snapshot of users as of 2024-01-31 has no column age"),
        "{error}"
    );
}

#[test]
fn names_that_mean_something_to_an_engine_are_just_names() {
    let text = SPEC
        .replace("hours", "\\\"Hours.per [month]*\\\"")
        .replace("\\\"Hours.per [month]*\\\" =", "\"\\\"Hours.per [month]*\\\"\" =");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("a [dir]* with %20 and ä");
    let store = Snapshots::open(&data, spec(&text)).unwrap();
    let usage = b"user_id,\"\"\"Hours.per [month]*\"\"\",premium,plan\nu1,1.5,True,basic\n";
    ingest(&store, drop_of(&[("usage.csv", Some(usage))]).path(), "2024-01-31").unwrap();
    assert_eq!(rows(&read(&store, "2024-01-31", true))[0], "u1 1.5 true basic 31 true");
}

/// Leaves the decoder alone with what it reads, as in a ledger of format 1.
fn forget_checksums(data: &std::path::Path) {
    for entry in std::fs::read_dir(data.join("snapshots/_ledger")).unwrap() {
        let path = entry.unwrap().path();
        let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for table in manifest["tables"].as_object_mut().into_iter().flatten() {
            table.1.as_object_mut().unwrap().remove("sha256");
        }
        std::fs::write(&path, manifest.to_string()).unwrap();
    }
}

#[test]
fn a_damaged_snapshot_is_an_error_at_worst() {
    let (data, store) = months();
    forget_checksums(data.path());
    let path = data.path().join("snapshots/usage/as_of=2024-01-31/part-0.parquet");
    let good = std::fs::read(&path).unwrap();
    let options = PointInTime { labels: true, exact: true };
    let mut errors = 0;
    for place in (0..good.len()).step_by(11) {
        let mut damaged = good.clone();
        damaged[place] ^= 0xff;
        std::fs::write(&path, &damaged).unwrap();
        errors += usize::from(store.point_in_time(date("2024-01-31"), options).is_err());
    }
    assert!(errors > 0);
    std::fs::remove_file(&path).unwrap();
    let error = store.point_in_time(date("2024-01-31"), options).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("part-0.parquet"), "{error}");
}

#[test]
fn integer_entities_are_in_the_order_of_numbers() {
    let (_data, store) = store_of(&SPEC.replace("user_id = \"string\"", "user_id = \"integer\""));
    let drop = drop_of(&[
        ("users.csv", Some(b"user_id,age,joined\n10,1,2023-01-01\n-3,2,2023-01-01\n9,3,2023-01-01\n")),
        ("usage.csv", Some(b"user_id,hours,premium,plan\n9,9.5,,a\n10,10.5,,b\n7,7.5,,c\n")),
        ("labels.csv", Some(b"user_id,churned\n-3,1\n")),
    ]);
    ingest(&store, drop.path(), "2024-01-31").unwrap();
    let frame = read(&store, "2024-01-31", true);
    assert_eq!(rows(&frame), ["-3 - - - 2 true", "9 9.5 - a 3 -", "10 10.5 - b 1 -"]);
    assert_eq!(frame.columns[0].values, Values::Integer(vec![Some(-3), Some(9), Some(10)]));
}

#[test]
fn tables_of_many_batches_in_any_order() {
    const USERS: u64 = 20_000;
    let (mut users, mut usage) =
        ("user_id,age,joined\n".to_string(), "user_id,hours,premium,plan\n".to_string());
    for row in 0..USERS {
        // Steps that share no divisor with the number of users visit each of them.
        let (user, other) = (row * 7_919 % USERS, row * 6_997 % USERS);
        users.push_str(&format!("u{user:05},{user},2023-01-01\n"));
        if other % 3 > 0 {
            usage.push_str(&format!("u{other:05},{other}.5,,plan{}\n", other % 5));
        }
    }
    let (_data, store) = store_of(SPEC);
    let drop = drop_of(&[("users.csv", Some(users.as_bytes())), ("usage.csv", Some(usage.as_bytes()))]);
    ingest(&store, drop.path(), "2024-01-31").unwrap();
    let found = rows(&read(&store, "2024-01-31", false));
    for (user, row) in found.iter().enumerate() {
        let expected = match user % 3 {
            0 => format!("u{user:05} - - - {user}"),
            _ => format!("u{user:05} {user}.5 - plan{} {user}", user % 5),
        };
        assert_eq!(*row, expected);
    }
    assert_eq!(found.len(), USERS as usize);
}

#[test]
fn a_file_with_an_entity_twice_is_damaged() {
    let (data, store) = months();
    forget_checksums(data.path());
    let damage = |table: &str, as_of: &str, ids: &[&str]| {
        let columns: Vec<(&str, ArrayRef)> = match table {
            "users" => vec![("age", Arc::new(Int64Array::from(vec![1; ids.len()])))],
            _ => vec![
                ("hours", Arc::new(Float64Array::from(vec![1.0; ids.len()]))),
                ("premium", Arc::new(BooleanArray::from(vec![true; ids.len()]))),
                ("plan", Arc::new(StringArray::from(vec!["x"; ids.len()]))),
            ],
        };
        let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
        let batch = RecordBatch::try_from_iter(std::iter::once(("user_id", ids)).chain(columns)).unwrap();
        let path = data.path().join(format!("snapshots/{table}/as_of={as_of}/part-0.parquet"));
        let good = std::fs::read(&path).unwrap();
        std::fs::write(&path, crate::round_trip::write_parquet(batch)).unwrap();
        (path, good)
    };
    let check = |table: &str, ids: &[&str], expected: Result<&[&str], &str>| {
        let (path, good) = damage(table, "2024-01-31", ids);
        let options = PointInTime { labels: false, exact: true };
        let found = store.point_in_time(date("2024-01-31"), options);
        match expected {
            Ok(expected) => assert_eq!(rows(&found.unwrap()), expected),
            Err(expected) => assert_eq!(found.unwrap_err().to_string(), expected),
        }
        std::fs::write(path, good).unwrap();
    };
    let twice = |table: &str| {
        format!(
            "the snapshot of {table} as of 2024-01-31 is damaged: an entity is in it twice; ingest that month again with --replace"
        )
    };
    check("users", &["u1", "u2", "u1"], Err(&twice("users")));
    check("usage", &["u1", "u2", "u1"], Err(&twice("usage")));
    // Nobody asks for the row of an entity that is not in the entity table.
    check("usage", &["u1", "u7", "u7"], Ok(&["u1 1 true x 10", "u2 - - - 20", "u9 - - - 90"]));
    // A row of a newer month stands before both.
    damage("usage", "2024-01-31", &["u1", "u1", "u2"]);
    let february = rows(&read(&store, "2024-02-29", false));
    assert_eq!(february, ["u1 1.25 false - 11", "u2 1 true x 21", "u3 - - - 30"]);
}

#[test]
fn months_under_another_entity_are_not_older_rows() {
    let (data, _store) = months();
    let renamed = SPEC.replace("user_id", "customer");
    let store = Snapshots::open(data.path(), spec(&renamed)).unwrap();
    let drop = drop_of(&[
        ("users.csv", Some(b"customer,age,joined\nu1,12,2023-01-01\n")),
        ("usage.csv", Some(b"customer,hours,premium,plan\n")),
        ("labels.csv", Some(b"customer,churned\n")),
    ]);
    ingest(&store, drop.path(), "2024-04-30").unwrap();
    assert_eq!(rows(&read(&store, "2024-04-30", false)), ["u1 - - - 12"]);
}

#[test]
fn snapshots_of_hours_are_in_the_order_of_time() {
    let (data, store) = store_of(SPEC);
    let usage = |hours: &str| format!("user_id,hours,premium,plan\nu1,{hours},,\n");
    for (as_of, hours) in [("2026-01-05", "24"), ("2026-01-05T13:00", "13"), ("2026-01-06T00:30", "0.5")] {
        let drop = drop_of(&[("usage.csv", Some(usage(hours).as_bytes()))]);
        ingest(&store, drop.path(), as_of).unwrap();
    }
    let dates: Vec<String> = store.snapshots().unwrap().iter().map(|found| found.as_of.to_string()).collect();
    assert_eq!(dates, ["2026-01-05T13:00", "2026-01-05", "2026-01-06T00:30"]);
    let hours = |as_of: &str| read(&store, as_of, false).column("hours").unwrap().values.text(0).unwrap();
    for (as_of, expected) in [
        ("2026-01-05T13:00", "13"),
        // The date is its end: nothing of it is known at an hour of its day.
        ("2026-01-05T23:59", "13"),
        ("2026-01-05", "24"),
        ("2026-01-06T00:29", "24"),
        ("2026-01-06", "0.5"),
    ] {
        assert_eq!(hours(as_of), expected, "{as_of}");
    }
    assert_eq!(store.newest().unwrap(), Some(date("2026-01-06T00:30")));
    // No name has a colon, and a Hive reader turns %3A into one.
    let folder = data.path().join("snapshots/usage/as_of=2026-01-05T13%3A00");
    assert!(folder.join("part-0.parquet").is_file());
    assert!(data.path().join("snapshots/_ledger/as_of=2026-01-05T13%3A00.json").is_file());
    assert!(store.verify().unwrap().is_intact());
    let again = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    assert!(again.remove(date("2026-01-05T13:00")).unwrap());
    assert!(!folder.exists() && again.verify().unwrap().is_intact());
    assert_eq!(again.snapshots().unwrap().len(), 2);
}
