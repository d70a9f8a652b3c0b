//! Batches in memory are read under the rules of Arrow files.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int8Array,
    LargeStringArray, NullArray, RecordBatch, StringViewArray, StructArray, TimestampSecondArray,
    UInt64Array,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{Field, Schema, SchemaRef};
use streamflow_dataset::{TableFile, ValueCounts};

use crate::{all_columns, counts_of};

/// More rows than are looked at in one go.
const ROWS: usize = (1 << 16) + 1000;

fn some<T>(of: impl Fn(usize) -> T) -> impl Iterator<Item = Option<T>> {
    (0..ROWS).map(move |row| (!row.is_multiple_of(11)).then(|| of(row)))
}

/// A column of each kind that is counted where it is, copied, or left out.
fn batch() -> RecordBatch {
    let text = |row: usize| format!("text {}", row % 90);
    let inner: ArrayRef = Arc::new(Int8Array::from_iter(some(|row| (row % 100) as i8)));
    let words: Vec<Option<String>> = some(text).collect();
    let dictionary: DictionaryArray<Int32Type> = words.iter().map(Option::as_deref).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("float", Arc::new(Float64Array::from_iter(some(|row| row as f64 / 8.0)))),
        ("small", Arc::clone(&inner)),
        ("unsigned", Arc::new(UInt64Array::from_iter(some(|row| u64::MAX - (row as u64 % 5))))),
        ("flag", Arc::new(BooleanArray::from_iter(some(|row| row % 3 == 0)))),
        ("large text", Arc::new(LargeStringArray::from_iter(some(text)))),
        ("view", Arc::new(StringViewArray::from_iter(some(text)))),
        ("dictionary", Arc::new(dictionary)),
        ("day", Arc::new(Date32Array::from_iter(some(|row| row as i32 % 400)))),
        ("time", Arc::new(TimestampSecondArray::from_iter(some(|row| row as i64 * 977 - 1_000_000)))),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from_iter(some(|row| row as i128 % 977))
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        ("nothing", Arc::new(NullArray::new(ROWS))),
        ("nested", Arc::new(StructArray::try_from(vec![("a", inner)]).unwrap())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

/// What is read of a table: each column with its missing rows and its values in order, what is left out, and why.
fn read(table: TableFile) -> Vec<String> {
    let left_out = table.left_out().iter().map(|column| format!("{}: {}", column.name, column.reason));
    let unusual = table.unusual_numbers().into_iter().map(|(name, found)| format!("{name}: {found}"));
    let mut said: Vec<String> = left_out.chain(unusual).collect();
    let columns = all_columns(table).unwrap();
    let column = |column: &ValueCounts| {
        let kind = std::mem::discriminant(&column.values);
        format!("{} {kind:?} {} {:?}", column.name, column.missing, counts_of(&columns, &column.name))
    };
    said.extend(columns.iter().map(column));
    said
}

#[test]
fn batches_in_memory_are_counted_as_an_arrow_file_of_them_is() {
    let batch = batch();
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let of_file = read(TableFile::from_bytes("t.arrow", bytes).unwrap());
    assert_eq!(of_file[0], "nested: the type struct is not compared");
    assert_eq!(of_file.len(), 1 + 2 + 11);
    for parts in [vec![ROWS], vec![1, 70, ROWS - 71], vec![0, ROWS]] {
        let mut start = 0;
        let mut slice = |rows| {
            start += rows;
            batch.slice(start - rows, rows)
        };
        let batches = parts.iter().map(|rows| slice(*rows)).collect();
        let in_memory = read(TableFile::from_batches("t", batch.schema(), batches).unwrap());
        for (in_memory, of_file) in in_memory.iter().zip(&of_file) {
            assert!(
                in_memory == of_file,
                "in parts of {parts:?} rows: {in_memory:.200} instead of {of_file:.200}"
            );
        }
        assert_eq!(in_memory.len(), of_file.len());
    }
}

#[test]
fn batches_that_are_no_table_are_refused_by_name() {
    let message = |schema: SchemaRef, batches| {
        TableFile::from_batches("the current table", schema, batches).unwrap_err().to_string()
    };
    let flag = || Arc::new(BooleanArray::from(vec![true])) as ArrayRef;
    let schema = |names: &[&str]| -> SchemaRef {
        let field = |name: &&str| Field::new(*name, flag().data_type().clone(), true);
        Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
    };
    let twice = message(schema(&["a", "b", "a"]), Vec::new());
    assert!(
        twice.starts_with("the current table, column a: the header names this column more than once"),
        "{twice}"
    );
    let other = RecordBatch::try_new(schema(&["b"]), vec![flag()]).unwrap();
    let odd = message(schema(&["a"]), vec![other]);
    assert!(odd.contains("the current table") && odd.contains("columns"), "{odd}");
}
