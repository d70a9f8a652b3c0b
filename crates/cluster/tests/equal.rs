//! DataFusion counts random tables as this machine does: exactly where values are few, and where numbers are many exactly
//! what rounding each of them gives.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int16Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use streamflow_cluster::{Engine, Error, Summary, Target};
use streamflow_dataset::{Counts, CsvOptions, Numbers, Reading, StoredTable, TableFile, ValueCounts};
use streamflow_drift::{Column, MAX_DISTINCT, SQL_BITS};
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(600);

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    );
    let batch = batch.unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A value that no other rounding would give away: any 64 bits, or one of few numbers.
fn float() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        6 => any::<f64>().prop_map(Some),
        6 => (-1e6..1e6).prop_map(Some),
        2 => proptest::sample::select(vec![0.0, -0.0, 1.0, 2.0, 0.1, f64::NAN, f64::INFINITY, -5e-324]).prop_map(Some),
        2 => (-1074_i32..1024).prop_map(|exponent| Some(2_f64.powi(exponent))),
        1 => Just(None),
    ]
}

#[derive(Debug, Clone)]
struct Shape {
    rows: usize,
    distinct: usize,
    missing_one_in: usize,
    parts: usize,
    floats: Vec<Option<f64>>,
    seed: u64,
}

fn shape() -> impl Strategy<Value = Shape> {
    let rows = prop_oneof![Just(0_usize), 1..50_usize, 2_000..30_000_usize];
    let distinct = prop_oneof![1..20_usize, 9_900..10_100_usize, Just(usize::MAX)];
    let missing = prop_oneof![Just(0_usize), Just(1), 2..10_usize];
    (rows, distinct, missing, 1..4_usize, proptest::collection::vec(float(), 1..200), any::<u64>()).prop_map(
        |(rows, distinct, missing_one_in, parts, floats, seed)| Shape {
            rows,
            distinct,
            missing_one_in,
            parts,
            floats,
            seed,
        },
    )
}

impl Shape {
    /// A scattered number of a row; none where it is missing.
    fn number(&self, row: usize, column: u64) -> Option<u64> {
        let mut mixed = (row as u64 % self.distinct as u64) ^ self.seed.rotate_left(column as u32 * 7);
        let is_missing =
            self.missing_one_in > 0 && row.wrapping_mul(7919).is_multiple_of(self.missing_one_in);
        for _ in 0..3 {
            mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        (!is_missing).then_some(mixed >> 11)
    }

    fn part(&self, rows: std::ops::Range<usize>) -> Vec<(&'static str, ArrayRef)> {
        let numbers = |column| rows.clone().map(move |row| self.number(row, column));
        let texts: Vec<Option<String>> = numbers(4).map(|n| Some(format!("v'{}", n? % 20_000))).collect();
        let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let kinds: DictionaryArray<Int32Type> =
            texts.iter().map(|text| text.map(|text| &text[..3.min(text.len())])).collect();
        let drawn = rows.clone().map(|row| self.floats[row % self.floats.len()]);
        vec![
            ("drawn", Arc::new(drawn.collect::<Float64Array>())),
            ("spread", Arc::new(numbers(1).map(|n| Some(n? as f64 / 1e9 - 3e6)).collect::<Float64Array>())),
            ("single", Arc::new(numbers(2).map(|n| Some(n? as f32 * 0.1)).collect::<Float32Array>())),
            (
                "whole",
                Arc::new(numbers(3).map(|n| Some(n?.cast_signed() - (1 << 52))).collect::<Int64Array>()),
            ),
            ("short", Arc::new(numbers(3).map(|n| Some((n? % 700) as i16 - 300)).collect::<Int16Array>())),
            ("unsigned", Arc::new(numbers(5).map(|n| Some(n? as u32)).collect::<UInt32Array>())),
            ("truth", Arc::new(numbers(6).map(|n| Some(n? % 3 == 0)).collect::<BooleanArray>())),
            ("text \"quoted\"", Arc::new(StringArray::from(texts))),
            ("kind", Arc::new(kinds)),
            ("day", Arc::new(numbers(7).map(|n| Some((n? % 5_000) as i32)).collect::<Date32Array>())),
            (
                "moment",
                Arc::new(
                    numbers(8)
                        .map(|n| Some((n? % (1 << 50)).cast_signed() - (1 << 49)))
                        .collect::<TimestampMicrosecondArray>(),
                ),
            ),
            (
                "price",
                Arc::new(
                    numbers(9)
                        .map(|n| Some(i128::from(n? % 100_000)))
                        .collect::<Decimal128Array>()
                        .with_precision_and_scale(12, 2)
                        .unwrap(),
                ),
            ),
        ]
    }

    fn write(&self, folder: &Path) -> Vec<(String, PathBuf)> {
        let each = self.rows.div_ceil(self.parts).max(1);
        let part = |i: usize| {
            let path = folder.join(format!("part {i} 100%.parquet"));
            write(&path, self.part((i * each).min(self.rows)..((i + 1) * each).min(self.rows)));
            (path.display().to_string(), path)
        };
        (0..self.parts).map(part).collect()
    }
}

/// Values by their text, in order, with the rows of each.
fn by_value(values: &Counts) -> BTreeMap<String, u64> {
    fn numbers<T: Copy + std::fmt::Debug>(numbers: &Numbers<T>) -> Vec<(String, u64)> {
        let rows = numbers.rows.iter().map(|value| (*value, 1));
        numbers.counts.iter().copied().chain(rows).map(|(value, n)| (format!("{value:?}"), n)).collect()
    }
    let all = match values {
        Counts::Float(floats) => numbers(floats),
        Counts::Integer(integers) => numbers(integers),
        Counts::Boolean([no, yes]) => vec![("false".into(), *no), ("true".into(), *yes)],
        Counts::Text(counts) => counts.clone(),
        Counts::Date(counts) => counts.iter().map(|(day, n)| (day.to_string(), *n)).collect(),
    };
    let mut found = BTreeMap::new();
    all.into_iter().for_each(|(value, n)| *found.entry(value).or_insert(0) += n);
    found
}

/// What an engine makes of a column that it cannot count whole.
fn bounded(local: &ValueCounts) -> Column {
    let (name, missing) = (local.name.as_str(), local.missing);
    let each = |numbers: &Numbers<f64>| {
        let rows = numbers.rows.iter().map(|value| (*value, 1));
        numbers.counts.iter().copied().chain(rows).collect::<Vec<(f64, u64)>>()
    };
    match &local.values {
        Counts::Float(numbers) => {
            Column::rounded_numbers(name, missing, false, SQL_BITS, each(numbers)).unwrap()
        }
        Counts::Integer(numbers) => {
            let decimal = Numbers {
                counts: numbers.counts.iter().map(|(value, n)| (*value as f64, *n)).collect(),
                rows: numbers.rows.iter().map(|value| *value as f64).collect(),
            };
            Column::rounded_numbers(name, missing, true, SQL_BITS, each(&decimal)).unwrap()
        }
        Counts::Date(_) => Column::counted_dates(name, missing, local.rows() - missing),
        _ => Column::uncounted_text(name, missing, local.rows() - missing),
    }
}

fn check(runtime: &Runtime, engine: &Engine, files: Vec<(String, PathBuf)>) -> usize {
    let mut table = TableFile::open_parts("random", files, CsvOptions::default()).unwrap();
    let stored = table.stored().unwrap();
    let names: Vec<String> = table.names().to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let summaries = runtime.block_on(engine.summarise(&stored, &names, &|| {})).unwrap();
    let reading = Reading { memory_bytes: 1 << 30, threads: 1, whole_rows: false, progress: &|_| {} };
    let local = table.count(&names, &reading).unwrap().columns;
    assert_eq!(summaries.len(), local.len());
    let mut rounded = 0;
    for (local, summary) in local.iter().zip(summaries) {
        match summary {
            Summary::Counted(found) => {
                let of = |column: &ValueCounts| (column.missing, by_value(&column.values));
                assert_eq!(of(&found), of(local), "{}", local.name);
                assert_eq!(
                    std::mem::discriminant(&found.values),
                    std::mem::discriminant(&local.values),
                    "{}",
                    local.name
                );
            }
            Summary::Bounded(found) => {
                assert!(by_value(&local.values).len() > MAX_DISTINCT, "{} has few values", local.name);
                assert_eq!(found, bounded(local), "{}", local.name);
                rounded += 1;
            }
        }
    }
    rounded
}

#[test]
fn random_tables_are_counted_as_this_machine_counts_them() {
    let runtime = Runtime::new().unwrap();
    let engine = runtime.block_on(Engine::start(&Target::DataFusion, LIMIT)).unwrap();
    let rounded = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(shape in shape())| {
        let folder = tempfile::tempdir().unwrap();
        rounded.set(rounded.get() + check(&runtime, &engine, shape.write(folder.path())));
    });
    // Once for certain, whatever was drawn.
    let many = Shape {
        rows: 25_000,
        distinct: usize::MAX,
        missing_one_in: 9,
        parts: 2,
        floats: vec![None, Some(0.1)],
        seed: 7,
    };
    let folder = tempfile::tempdir().unwrap();
    assert!(check(&runtime, &engine, many.write(folder.path())) >= 3);
}

#[test]
fn what_keeps_an_engine_from_its_answer_is_named() {
    let runtime = Runtime::new().unwrap();
    let engine = runtime.block_on(Engine::start(&Target::DataFusion, LIMIT)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write(&path, vec![("x", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef)]);
    let stored = TableFile::open(&path).unwrap().stored().unwrap();
    let summarise = |table: &StoredTable, name: &str| {
        runtime
            .block_on(engine.summarise(table, &[name], &|| {}))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(summarise(&stored, "x"), Ok(()));

    let error = summarise(&stored, "y").unwrap_err();
    assert_eq!(error, format!("{} has no column \"y\" that can be compared", path.display()));
    let error = summarise(&StoredTable { rows: 4, ..stored.clone() }, "x").unwrap_err();
    assert!(
        error.contains("DataFusion sees 3 rows in")
            && error.contains("sees 4; the executors read other files"),
        "{error}"
    );
    std::fs::write(&path, "PAR1 and no more").unwrap();
    let error = summarise(&stored, "x").unwrap_err();
    assert!(
        error.starts_with("DataFusion cannot answer the query for") && error.contains("a.parquet"),
        "{error}"
    );

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = runtime.block_on(Engine::start(&Target::Ballista(nobody.to_string()), LIMIT)).err().unwrap();
    assert!(matches!(error, Error::Unreachable { .. }));
    assert!(
        error.to_string().starts_with(&format!("the Ballista scheduler at {nobody} does not answer: ")),
        "{error}"
    );
}

/// Footers leave out NaN, so the least number of such a column is its greatest.
#[test]
fn a_number_beside_nan_is_no_constant() {
    let runtime = Runtime::new().unwrap();
    let engine = runtime.block_on(Engine::start(&Target::DataFusion, LIMIT)).unwrap();
    let floats = vec![Some(1.5), Some(f64::NAN), Some(1.5)];
    let shape = Shape { rows: 3, distinct: 1, missing_one_in: 0, parts: 1, floats, seed: 1 };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(check(&runtime, &engine, shape.write(folder.path())), 0);
}
