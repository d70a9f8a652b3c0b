//! Months made by hand: which row of which month each entity sees.

use streamflow_dataset::{Frame, PointInTime, Store, Values};

use crate::{SPEC, date, drop_of, ingest, spec, store_of};

fn read(store: &Store, as_of: &str, labels: bool) -> Frame {
    store.point_in_time(date(as_of), PointInTime { labels, exact: false }).unwrap()
}

/// The rows as text, `-` where missing.
fn rows(frame: &Frame) -> Vec<String> {
    let row = |row| {
        let values =
            frame.columns.iter().map(|column| column.values.text(row).unwrap_or_else(|| "-".to_string()));
        values.collect::<Vec<_>>().join(" ")
    };
    (0..frame.rows).map(row).collect()
}

fn months() -> (tempfile::TempDir, Store) {
    let (data, store) = store_of(SPEC);
    let january = drop_of(&[
        ("users.csv", Some(b"user_id,age,joined\nu2,20,2023-01-01\nu1,10,2023-01-01\nu9,90,2023-01-01\n")),
        ("usage.csv", Some(b"user_id,hours,premium,plan\nu1,1.5,true,basic\nu2,2.5,,\nu9,9,true,gold\n")),
        ("labels.csv", Some(b"user_id,churned\nu1,0\nu2,1\nu9,1\n")),
    ]);
    // u9 has left, u3 is new and has no usage yet, and u2's usage was not delivered.
    let february = drop_of(&[
        ("users.csv", Some(b"user_id,age,joined\nu3,30,2024-02-01\nu1,11,2023-01-01\nu2,21,2023-01-01\n")),
        ("usage.csv", Some(b"plan,user_id,hours,premium\n,u1,1.25,false\n")),
        ("labels.csv", Some(b"user_id,churned\nu1,1\n")),
    ]);
    // March is ingested before February: the order of ingests does not matter.
    let march = drop_of(&[
        ("users.csv", Some(b"user_id,age,joined\nu1,12,2023-01-01\n")),
        ("usage.csv", Some(b"user_id,hours,premium,plan\n")),
        ("labels.csv", Some(b"user_id,churned\n")),
    ]);
    ingest(&store, january.path(), "2024-01-31").unwrap();
    ingest(&store, march.path(), "2024-03-31").unwrap();
    ingest(&store, february.path(), "2024-02-29").unwrap();
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
    let store = Store::open(data.path(), spec(&changed)).unwrap();
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
    let store = Store::open(&data, spec(&text)).unwrap();
    let usage = b"user_id,\"\"\"Hours.per [month]*\"\"\",premium,plan\nu1,1.5,True,basic\n";
    ingest(&store, drop_of(&[("usage.csv", Some(usage))]).path(), "2024-01-31").unwrap();
    assert_eq!(rows(&read(&store, "2024-01-31", true))[0], "u1 1.5 true basic 31 true");
}

#[test]
fn a_damaged_snapshot_is_an_error_at_worst() {
    let (data, store) = months();
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
