//! Random tables: what goes in as CSV or Parquet comes out of the snapshot, and nothing else.

use std::fs;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use streamflow_dataset::{Counts, Outcome, PointInTime, Snapshots, Values};

use crate::{SPEC, counts_of, date, drop_of, spec};

/// One row of `usage` and `users`, by entity `uN`.
#[derive(Debug, Clone)]
struct Row {
    age: Option<i64>,
    hours: Option<f64>,
    premium: Option<bool>,
    plan: Option<String>,
}

fn row() -> impl Strategy<Value = Row> {
    let float =
        prop_oneof![any::<f64>().prop_filter("not missing", |value| !value.is_nan()), Just(f64::INFINITY)];
    let text = "[ -~\r\n\u{e9}\u{1F600}\"]{1,12}";
    (any::<Option<i64>>(), proptest::option::of(float), any::<Option<bool>>(), proptest::option::of(text))
        .prop_map(|(age, hours, premium, plan)| Row { age, hours, premium, plan })
}

fn csv_files(rows: &[Row]) -> (Vec<u8>, Vec<u8>) {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut users = csv::Writer::from_writer(Vec::new());
    let mut usage = csv::Writer::from_writer(Vec::new());
    users.write_record(["age", "user_id", "joined"]).unwrap();
    usage.write_record(["user_id", "plan", "hours", "premium"]).unwrap();
    for (index, row) in rows.iter().enumerate() {
        let user = format!("u{index:03}");
        let age = text(&row.age.map(|age| age.to_string()));
        users.write_record([age.as_str(), &user, "2024-01-01"]).unwrap();
        let hours = text(&row.hours.map(|hours| hours.to_string()));
        let premium = text(&row.premium.map(|premium| premium.to_string()));
        usage.write_record([user.as_str(), &text(&row.plan), &hours, &premium]).unwrap();
    }
    (users.into_inner().unwrap(), usage.into_inner().unwrap())
}

fn usage_parquet(rows: &[Row]) -> Vec<u8> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "user_id",
            Arc::new(StringArray::from_iter_values((0..rows.len()).map(|index| format!("u{index:03}")))),
        ),
        ("hours", Arc::new(rows.iter().map(|row| row.hours).collect::<Float64Array>())),
        ("premium", Arc::new(rows.iter().map(|row| row.premium).collect::<BooleanArray>())),
        ("plan", Arc::new(rows.iter().map(|row| row.plan.as_deref()).collect::<StringArray>())),
    ];
    write_parquet(
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap(),
    )
}

pub fn write_parquet(batch: RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// A small Parquet file with every type.
pub fn parquet_bytes() -> Vec<u8> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)]))),
        ("f", Arc::new(Float64Array::from(vec![1.5, 2.5, f64::NAN, 0.0]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None]))),
        ("t", Arc::new(StringArray::from(vec![Some("one"), Some("two"), None, Some("one")]))),
        ("d", Arc::new(Date32Array::from(vec![19753, 19754, 0, -1]))),
    ];
    write_parquet(
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap(),
    )
}

fn check(rows: &[Row], usage_name: &str, usage: &[u8], users: &[u8]) {
    let mut files: Vec<(&str, Option<&[u8]>)> = vec![("users.csv", Some(users)), (usage_name, Some(usage))];
    if usage_name != "usage.csv" {
        files.push(("usage.csv", None));
    }
    let drop = drop_of(&files);
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), spec(SPEC)).unwrap();
    let first = store.ingest(drop.path(), date("2024-01-31"), false, &mut |_| {}).unwrap();
    assert_eq!(first.outcome, Outcome::Created);
    let part = data.path().join("snapshots/usage/as_of=2024-01-31/part-0.parquet");
    let bytes = fs::read(&part).unwrap();
    let again = store.ingest(drop.path(), date("2024-01-31"), false, &mut |_| {}).unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged);
    assert_eq!(fs::read(&part).unwrap(), bytes);

    let frame = store.point_in_time(date("2024-01-31"), PointInTime { labels: false, exact: true }).unwrap();
    assert_eq!(frame.rows, rows.len());
    for (index, row) in rows.iter().enumerate() {
        let Values::Integer(ages) = &frame.column("age").unwrap().values else { panic!("not integer") };
        assert_eq!(ages[index], row.age);
        let Values::Float(hours) = &frame.column("hours").unwrap().values else { panic!("not float") };
        assert_eq!((!hours[index].is_nan()).then_some(hours[index]), row.hours);
        let Values::Boolean(premium) = &frame.column("premium").unwrap().values else {
            panic!("not boolean")
        };
        assert_eq!(premium[index], row.premium);
        assert_eq!(frame.column("plan").unwrap().values.text(index), row.plan);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn csv_and_parquet_to_snapshot_to_frame(rows in proptest::collection::vec(row(), 1..40)) {
        let (users, usage) = csv_files(&rows);
        check(&rows, "usage.csv", &usage, &users);
        check(&rows, "usage.csv.gz", &crate::codings::gzip(&usage), &users);
        check(&rows, "usage.csv.zst", &zstd::encode_all(&usage[..], 1).unwrap(), &users);
        check(&rows, "usage.parquet", &usage_parquet(&rows), &users);
    }
}

#[test]
fn parquet_types_of_other_writers() {
    let columns = crate::all_columns_of(&parquet_bytes()).unwrap();
    let pair = |value: &str, rows: u64| (value.to_string(), rows);
    let missing = |name: &str| columns.iter().find(|column| column.name == name).unwrap().missing;
    // Whole numbers with a missing one are floats.
    assert!(matches!(columns.iter().find(|column| column.name == "i").unwrap().values, Counts::Float(_)));
    assert_eq!((counts_of(&columns, "i")[0].clone(), missing("i") > 0), (pair("1", 1), true));
    assert_eq!((counts_of(&columns, "t"), missing("t")), (vec![pair("one", 2), pair("two", 1)], 1));
    let days: Vec<String> = counts_of(&columns, "d").into_iter().map(|(day, _)| day).collect();
    // 1969-12-31 and 2024-01-31.
    assert!(days.contains(&"-1".to_string()) && days.contains(&"19753".to_string()), "{days:?}");
}

/// Texts of different lengths in every way that Parquet writes them, from none to several blocks of lengths.
#[test]
fn every_encoding_of_texts_is_read() {
    use parquet::basic::Encoding::{DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY, PLAIN};
    use parquet::file::properties::{WriterProperties, WriterVersion};
    let text = |row: usize| (!row.is_multiple_of(7)).then(|| "x".repeat(row * row % 90) + &row.to_string());
    for rows in [0, 1, 2, 8, 129, 300, 5000] {
        let texts: ArrayRef = Arc::new((0..rows).map(text).collect::<StringArray>());
        let batch = RecordBatch::try_from_iter_with_nullable([("t", texts, true)]).unwrap();
        let mut expected: Vec<_> = (0..rows).filter_map(text).map(|text| (text, 1)).collect();
        expected.sort();
        for encoding in [PLAIN, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY] {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let properties = WriterProperties::builder().set_writer_version(version);
                let properties = properties.set_dictionary_enabled(false).set_encoding(encoding).build();
                let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
                writer.write(&batch).unwrap();
                let columns = crate::all_columns_of(&writer.into_inner().unwrap()).unwrap();
                assert_eq!(counts_of(&columns, "t"), expected, "{rows} {encoding} {version:?}");
            }
        }
    }
}
