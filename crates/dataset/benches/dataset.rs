//! The two hot paths: a drop into a snapshot, and snapshots into a point-in-time table.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::civil::Date;
use streamflow_dataset::{DatasetSpec, PointInTime, Snapshots};

const SPEC: &str = r#"
entity = "user_id"
entity_table = "users"
features = ["hours", "sessions", "premium", "plan"]
label = { table = "labels", column = "churned" }
[tables.users.columns]
user_id = "string"
joined = "date"
[tables.usage.columns]
user_id = "string"
hours = "float"
sessions = "integer"
premium = "boolean"
plan = "string"
[[tables.usage.expectations]]
expect = "expect_column_values_to_be_between"
column = "hours"
min_value = 0
[[tables.usage.expectations]]
expect = "expect_column_values_to_exist_in_table"
column = "user_id"
table = "users"
[tables.labels.columns]
user_id = "string"
churned = "boolean"
"#;

const JANUARY: Date = Date::constant(2024, 1, 31);
const FEBRUARY: Date = Date::constant(2024, 2, 29);

/// A drop whose usage leaves every tenth user out. The values are a fixed function of the row.
fn write_drop(directory: &Path, rows: u64, every: u64) {
    let mut users = "user_id,joined\n".to_string();
    let mut usage = "user_id,hours,sessions,premium,plan\n".to_string();
    let mut labels = "user_id,churned\n".to_string();
    for row in 0..rows {
        let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        writeln!(users, "user-{row:08},2023-{:02}-{:02}", mixed % 12 + 1, mixed % 28 + 1).unwrap();
        if every == 0 || row % every != 0 {
            let plan = ["basic", "gold", ""][mixed as usize % 3];
            writeln!(usage, "user-{row:08},{},{},{},{plan}", mixed as f64 / 977.0, mixed % 50, mixed % 2)
                .unwrap();
        }
        writeln!(labels, "user-{row:08},{}", mixed % 4 == 0).unwrap();
    }
    fs::write(directory.join("users.csv"), users).unwrap();
    fs::write(directory.join("usage.csv"), usage).unwrap();
    fs::write(directory.join("labels.csv"), labels).unwrap();
}

fn benches(criterion: &mut Criterion) {
    let spec: DatasetSpec = toml::from_str(SPEC).unwrap();
    let mut group = criterion.benchmark_group("dataset");
    group.sample_size(10);

    let drop = tempfile::tempdir().unwrap();
    write_drop(drop.path(), 100_000, 0);
    group.throughput(Throughput::Elements(300_000));
    group.bench_function("ingest 3 tables of 100 000 rows", |bencher| {
        bencher.iter_batched(
            || {
                let data = tempfile::tempdir().unwrap();
                let store = Snapshots::open(data.path(), spec.clone()).unwrap();
                (data, store)
            },
            |(data, store)| {
                store.ingest(drop.path(), JANUARY.into(), false, &mut |_| {}).unwrap();
                data
            },
            BatchSize::PerIteration,
        );
    });

    for rows in [7_000, 100_000] {
        let data = tempfile::tempdir().unwrap();
        let store = Snapshots::open(data.path(), spec.clone()).unwrap();
        for (as_of, every) in [(JANUARY, 0), (FEBRUARY, 10)] {
            write_drop(drop.path(), rows, every);
            store.ingest(drop.path(), as_of.into(), false, &mut |_| {}).unwrap();
        }
        group.throughput(Throughput::Elements(rows));
        let options = PointInTime { labels: true, exact: true };
        group.bench_function(format!("point in time, {rows} entities, one month"), |bencher| {
            bencher.iter(|| store.point_in_time(JANUARY.into(), options).unwrap());
        });
        group.bench_function(format!("point in time, {rows} entities, older rows for a tenth"), |bencher| {
            bencher.iter(|| store.point_in_time(FEBRUARY.into(), options).unwrap());
        });
    }
    group.finish();
}

criterion_group!(dataset, benches);
criterion_main!(dataset);
