//! Columns that a file has and a comparison has no use for.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, FixedSizeBinaryBuilder, Int8Builder, ListBuilder, MapBuilder, StringBuilder,
};
use arrow_array::{
    Array, ArrayRef, Int64Array, IntervalDayTimeArray, RecordBatch, StructArray, Time32SecondArray,
    TimestampSecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use streamflow_dataset::TableFile;

use crate::round_trip::write_parquet;
use crate::{all_columns, counts_of};

/// The columns left out of a Parquet file of this column and a column `v`.
fn left_out(column: ArrayRef) -> Vec<String> {
    let v: ArrayRef = Arc::new(Int64Array::from(vec![7; column.len()]));
    let batch = RecordBatch::try_from_iter([("odd", column), ("v", v)]).unwrap();
    let table = TableFile::from_bytes("t.parquet", write_parquet(batch)).unwrap();
    let listed =
        table.left_out().iter().map(|column| format!("{}: {}", column.name, column.reason)).collect();
    let columns = all_columns(table).unwrap();
    assert_eq!(columns.len(), 1, "only v is read");
    assert_eq!(counts_of(&columns, "v"), [("7".to_string(), 2)]);
    listed
}

#[test]
fn columns_without_a_place_in_a_flat_table_leave_the_rest_alone() {
    let mut binary = BinaryBuilder::new();
    let mut uuid = FixedSizeBinaryBuilder::new(16);
    let mut list = ListBuilder::new(Int8Builder::new());
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int8Builder::new());
    for _ in 0..2 {
        binary.append_value([0, 1]);
        uuid.append_value([3; 16]).unwrap();
        list.append_value([Some(1), None]);
        map.keys().append_value("k");
        map.values().append_value(1);
        map.append(true).unwrap();
    }
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let berlin = TimestampSecondArray::from(vec![0, 1]).with_timezone("Europe/Berlin");
    let days = |days| arrow_array::types::IntervalDayTimeType::make_value(days, 0);
    let cases: [(&str, ArrayRef); 8] = [
        ("binary", Arc::new(binary.finish())),
        ("fixed-size binary", Arc::new(uuid.finish())),
        ("list", Arc::new(list.finish())),
        ("map", Arc::new(map.finish())),
        ("struct", Arc::new(StructArray::try_from(vec![("a", inner)]).unwrap())),
        ("time", Arc::new(Time32SecondArray::from(vec![1, 2]))),
        ("interval", Arc::new(IntervalDayTimeArray::from(vec![days(1), days(2)]))),
        ("timestamp of the zone Europe/Berlin", Arc::new(berlin)),
    ];
    for (name, column) in cases {
        assert_eq!(left_out(column), [format!("odd: the type {name} is not compared")]);
    }
}

#[test]
fn a_column_left_out_is_refused_by_its_type_when_asked_for() {
    let odd: ArrayRef = Arc::new(Time32SecondArray::from(vec![1]));
    let bytes = write_parquet(RecordBatch::try_from_iter([("odd", odd)]).unwrap());
    let mut table = TableFile::from_bytes("t.parquet", bytes).unwrap();
    let reading = streamflow_dataset::Reading {
        memory_bytes: 1 << 20,
        threads: 1,
        whole_rows: false,
        progress: &|_| {},
    };
    let error = table.count(&["odd"], &reading).unwrap_err().to_string();
    let expected = "t.parquet, column odd: has the Parquet type time; expected numbers, booleans, text or dates \
                    (leave the column out)";
    assert_eq!(error, expected);
}

#[test]
fn the_index_of_a_pandas_frame_is_told_by_its_own_metadata() {
    let cases = [
        (Some(r#"{"index_columns": ["__index_level_0__"]}"#), vec!["__index_level_0__"]),
        // An index that counts rows is not stored.
        (Some(r#"{"index_columns": [{"kind": "range", "start": 0}]}"#), vec![]),
        (Some(r#"{"index_columns": ["v", "__index_level_0__"]}"#), vec!["__index_level_0__", "v"]),
        (Some(r#"{"columns": []}"#), vec![]),
        (Some("not JSON"), vec![]),
        (None, vec![]),
    ];
    for (metadata, expected) in cases {
        let column = || -> ArrayRef { Arc::new(Int64Array::from(vec![5, 6])) };
        let batch = RecordBatch::try_from_iter([("__index_level_0__", column()), ("v", column())]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        if let Some(json) = metadata {
            writer.append_key_value_metadata(KeyValue::new("pandas".to_string(), json.to_string()));
        }
        writer.close().unwrap();
        let table = TableFile::from_bytes("t.parquet", bytes).unwrap();
        let listed: Vec<&str> = table.left_out().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(listed, expected, "{metadata:?}");
        assert_eq!(table.names().len() + listed.len(), 2);
    }
}

#[test]
fn an_unnamed_first_column_that_counts_rows_is_an_index() {
    for (csv, expected) in [
        (",v\n0,5\n1,6\n", vec!["Unnamed: 0"]),
        // A part of a frame goes on where the part before ended.
        (",v\n100,5\n101,6\n", vec!["Unnamed: 0"]),
        ("Unnamed: 0,v\n0,5\n1,6\n", vec!["Unnamed: 0"]),
        (",v\n0,5\n2,6\n", vec![]),
        (",v\nx,5\n", vec![]),
        (",v\n", vec![]),
        ("\"\"\n0\n1\n", vec![]),
        ("id,v\n0,5\n1,6\n", vec![]),
        ("v,\n5,0\n6,1\n", vec![]),
    ] {
        let table = TableFile::from_bytes("t.csv", csv.as_bytes().to_vec()).unwrap();
        let listed: Vec<&str> = table.left_out().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(listed, expected, "{csv:?}");
    }
}
