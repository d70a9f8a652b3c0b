//! The crate from outside: files in, snapshots and frames out.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bad_drops;
mod bad_tables;
mod changes;
mod codings;
mod course;
mod damage;
mod everyday_files;
mod expectations;
mod formats;
mod in_memory;
mod keys;
mod labels;
mod left_out;
mod point_in_time;
mod point_in_time_model;
mod round_trip;
mod rows;
mod shapes;
mod specs;

use std::fs;
use std::path::{Path, PathBuf};

use streamflow_dataset::{
    DatasetSpec, Error, IngestReport, Period, Reading, Snapshots, TableFile, ValueCounts,
};
use tempfile::TempDir;

/// A dataset with every type, small enough to read.
const SPEC: &str = r#"
entity = "user_id"
entity_table = "users"
features = ["hours", "premium", "plan", "age"]
label = { table = "labels", column = "churned" }

[tables.users.columns]
user_id = "string"
age = "integer"
joined = { type = "date", nullable = false }

[tables.usage.columns]
user_id = "string"
hours = "float"
premium = "boolean"
plan = "string"

[tables.labels.columns]
user_id = "string"
churned = "boolean"
"#;

fn spec(text: &str) -> DatasetSpec {
    toml::from_str(text).unwrap()
}

/// A drop of [`SPEC`] in which some files are replaced; one of no bytes at all is left out with `None`.
fn drop_of(files: &[(&str, Option<&[u8]>)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let good: [(&str, &[u8]); 3] = [
        ("users.csv", b"user_id,age,joined\nu1,31,2023-01-05\nu2,,2023-02-01\n"),
        ("usage.csv", b"user_id,hours,premium,plan\nu1,1.5,True,basic\nu2,,,\n"),
        ("labels.csv", b"user_id,churned\nu1,1\nu2,0\n"),
    ];
    for (name, bytes) in good {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    for (name, bytes) in files {
        let path = directory.path().join(name);
        match bytes {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }
    directory
}

/// A folder of the shared data; `None`, loudly, where it is not there.
fn shared(folder: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMFLOW_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let folder = shared.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no shared data at {}", folder.display());
    eprintln!("SKIPPED: no shared data at {}", folder.display());
    None
}

fn date(text: &str) -> Period {
    text.parse().unwrap()
}

fn ingest(store: &Snapshots, drop: &Path, as_of: &str) -> Result<IngestReport, Error> {
    store.ingest(drop, date(as_of), false, &mut |_| {})
}

/// Snapshots of their own for a spec.
fn store_of(text: &str) -> (TempDir, Snapshots) {
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), spec(text)).unwrap();
    (data, store)
}

/// Every column of a file without a configuration, in any order.
fn all_columns(mut table: TableFile) -> Result<Vec<ValueCounts>, Error> {
    let reading = Reading { memory_bytes: 1 << 30, threads: 2, whole_rows: false, progress: &|_| {} };
    let (mut columns, mut names) = (Vec::new(), table.names().to_vec());
    while !names.is_empty() {
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let counted = table.count(&asked, &reading)?;
        columns.extend(counted.columns);
        names = counted.deferred;
    }
    Ok(columns)
}

fn all_columns_of(bytes: &[u8]) -> Result<Vec<ValueCounts>, Error> {
    all_columns(TableFile::from_bytes("t", bytes.to_vec())?)
}

/// The values of a column with their rows, as text and in that order.
fn counts_of(columns: &[ValueCounts], name: &str) -> Vec<(String, u64)> {
    use streamflow_dataset::Counts;
    let column = columns.iter().find(|column| column.name == name).unwrap();
    let mut counts: Vec<(String, u64)> = match &column.values {
        Counts::Float(numbers) => numbers.counts.iter().map(|(value, n)| (value.to_string(), *n)).collect(),
        Counts::Integer(numbers) => numbers.counts.iter().map(|(value, n)| (value.to_string(), *n)).collect(),
        Counts::Boolean([no, yes]) => vec![("false".into(), *no), ("true".into(), *yes)],
        Counts::Text(counts) => counts.clone(),
        Counts::Date(counts) => counts.iter().map(|(day, n)| (day.to_string(), *n)).collect(),
    };
    match &column.values {
        Counts::Float(numbers) => counts.extend(numbers.rows.iter().map(|value| (value.to_string(), 1))),
        Counts::Integer(numbers) => counts.extend(numbers.rows.iter().map(|value| (value.to_string(), 1))),
        _ => {}
    }
    counts.sort();
    counts
}
