//! However a table is given, its report is the same.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use streamflow_compare::{Error, Given, Input, Names, Options, Progress, compare, profile};
use streamflow_dataset::{
    Column, CsvOptions, Frame, MISSING, NamedTable, OutputColumn, OutputFormat, PlainColumn, TableFile,
    TableWriter, Values,
};
use streamflow_drift::{DriftSettings, Report, TableProfile};
use tempfile::TempDir;

const PLANS: [&str; 3] = ["basic", "plus", "family"];

/// A table of 400 rows, of which every 20th lacks its hours and every 30th its plan.
fn frame(shift: f64) -> Frame {
    let hours = (0..400).map(|row| if row % 20 == 0 { f64::NAN } else { f64::from(row % 97) / 4.0 + shift });
    let logins = (0..400).map(|row| Some(i64::from(row * row % 31)));
    let codes = (0..400_u32).map(|row| if row % 30 == 0 { MISSING } else { row % 3 }).collect();
    let levels = PLANS.map(str::to_owned).to_vec();
    let column = |name: &str, values| Column { name: name.into(), values };
    let columns = vec![
        column("hours", Values::Float(hours.collect())),
        column("logins", Values::Integer(logins.collect())),
        column("plan", Values::Text { codes, levels }),
    ];
    Frame { rows: 400, columns }
}

fn csv(folder: &TempDir, name: &str, frame: &Frame) -> PathBuf {
    let mut text = "hours,logins,plan\n".to_owned();
    for row in 0..frame.rows {
        let cells = frame.columns.iter().map(|column| column.values.text(row).unwrap_or_default());
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(","));
    }
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn report(given: [Given<'_>; 2]) -> Report {
    let options = Options { whole_rows: true, ..Options::default() };
    compare::<Error>(given, DriftSettings::default(), options, |_, _| Ok(())).unwrap()
}

fn files(table: &NamedTable) -> Given<'_> {
    Given::Files(Input { table, csv: CsvOptions::default() })
}

#[test]
fn a_file_and_a_table_in_memory_give_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [csv(&folder, "then.csv", &frame(0.0)), csv(&folder, "now.csv", &frame(3.0))];
    let tables = paths.map(|path| NamedTable::find(&path).unwrap());
    let of_files = report([files(&tables[0]), files(&tables[1])]);
    assert!(of_files.column("hours").unwrap().drifted && !of_files.column("plan").unwrap().drifted);
    let of_frames = report([Given::Frame(frame(0.0)), Given::Frame(frame(3.0))]);
    assert_eq!(of_frames.to_json(), of_files.to_json());
    assert_eq!(report([files(&tables[0]), Given::Frame(frame(3.0))]).to_json(), of_files.to_json());
    let profiles = tables.each_ref().map(|table| profile(files(table), Options::default()).unwrap().0);
    let in_memory = profile(Given::Frame(frame(3.0)), Options::default()).unwrap().0;
    assert_eq!(in_memory.to_json(), profiles[1].to_json());
    let share = report(profiles.map(Given::Profile)).drift_share;
    assert_eq!(share, of_files.drift_share);
}

/// The frame as batches in memory, of which a missing number is no NaN.
fn table(frame: &Frame) -> TableFile {
    let array = |column: &Column| -> ArrayRef {
        let texts = (0..frame.rows).map(|row| column.values.text(row));
        match &column.values {
            Values::Float(values) => Arc::new(Float64Array::from_iter(
                values.iter().map(|value| Some(*value).filter(|v| !v.is_nan())),
            )),
            Values::Integer(values) => Arc::new(Int64Array::from_iter(values.iter().copied())),
            _ => Arc::new(StringArray::from_iter(texts)),
        }
    };
    let columns = frame.columns.iter().map(|column| (column.name.as_str(), array(column)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let halves = vec![batch.slice(0, 150), batch.slice(150, 250)];
    TableFile::from_batches("memory", batch.schema(), halves).unwrap()
}

/// The frame in a file of columns.
fn columnar(folder: &TempDir, name: &str, frame: &Frame) -> PathBuf {
    let path = folder.path().join(name);
    let columns: Vec<_> =
        frame.columns.iter().map(|column| OutputColumn::Plain(PlainColumn::of(&column.values))).collect();
    let types: Vec<_> = frame
        .columns
        .iter()
        .zip(&columns)
        .map(|(column, values)| (column.name.clone(), values.output_type()))
        .collect();
    let format = OutputFormat::of(&path).unwrap();
    let mut writer = TableWriter::create(&path, format, &types).unwrap();
    writer.write(columns).unwrap();
    writer.finish().unwrap();
    path
}

#[test]
fn batches_in_memory_give_the_report_of_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let frames = || [frame(0.0), frame(3.0)];
    let of_batches = report(frames().map(|frame| Given::Table(table(&frame)))).to_json();
    for ending in ["parquet", "arrow"] {
        let paths = [0, 1].map(|side| columnar(&folder, &format!("{side}.{ending}"), &frames()[side]));
        let tables = paths.map(|path| NamedTable::find(&path).unwrap());
        assert_eq!(report(tables.each_ref().map(files)).to_json(), of_batches, "{ending}");
    }
    assert_eq!(report(frames().map(Given::Frame)).to_json(), of_batches);
    let profiles = [Given::Table(table(&frame(3.0))), Given::Frame(frame(3.0))]
        .map(|given| profile(given, Options::default()).unwrap().0.to_json());
    assert_eq!(profiles[0], profiles[1]);
}

#[test]
fn a_column_of_neither_table_is_refused_with_the_one_that_was_meant() {
    let target = Some("huors".to_owned());
    let settings = DriftSettings { target, ..DriftSettings::default() };
    let check = |settings: &mut DriftSettings, names: &Names<'_>| names.check(settings);
    let given = [Given::Frame(frame(0.0)), Given::Frame(frame(0.0))];
    let error = compare(given, settings, Options::default(), check).unwrap_err().to_string();
    assert_eq!(error, "neither table has a column \"huors\"; did you mean hours?");
}

#[test]
fn a_file_that_begins_as_a_profile_and_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.json");
    let whole = TableProfile::default().to_json();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let table = NamedTable::find(&path).unwrap();
    let error = profile(files(&table), Options::default()).unwrap_err().to_string();
    assert!(error.contains("usage.json: "), "{error}");
    let nothing = folder.path().join("nothing.csv");
    let error = profile(files(&NamedTable::find(&nothing).unwrap()), Options::default()).unwrap_err();
    assert!(error.to_string().contains("nothing.csv"), "{error}");
}

#[test]
fn all_bytes_are_told() {
    #[derive(Debug, Default)]
    struct Told([AtomicU64; 2]);
    impl Progress for Told {
        fn expect(&self, bytes: u64) {
            self.0[0].fetch_add(bytes, Ordering::Relaxed);
        }
        fn done(&self, bytes: u64) {
            self.0[1].fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = csv(&folder, "then.csv", &frame(0.0));
    let table = NamedTable::find(&path).unwrap();
    let told = Told::default();
    let options = Options { progress: Some(&told), ..Options::default() };
    profile(files(&table), options).unwrap();
    let size = path.metadata().unwrap().len();
    assert_eq!(told.0.map(AtomicU64::into_inner), [size, size]);
}
