//! The crate from outside: files in, snapshots and frames out.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bad_drops;
mod bad_tables;
mod course;
mod expectations;
mod point_in_time;
mod round_trip;
mod specs;

use std::fs;
use std::path::Path;

use streamflow_dataset::{DatasetSpec, Error, IngestReport, Store};
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

fn date(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

fn ingest(store: &Store, drop: &Path, as_of: &str) -> Result<IngestReport, Error> {
    store.ingest(drop, date(as_of), false, &mut |_| {})
}

/// A store of its own for a spec.
fn store_of(text: &str) -> (TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), spec(text)).unwrap();
    (data, store)
}
