//! Measures the point-in-time table of many users: wall time, and memory against the size of the result.
//!
//! `cargo run --release -p streamflow-dataset --example point_in_time -- DATA_DIR [USERS]` ingests two months of
//! six tables with 14 features there, unless it holds them already, and reads the newest month three times.
//! Reading in a second run keeps the memory of the ingest out of the figures.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use streamflow_dataset::{DatasetSpec, Frame, PointInTime, Snapshots, Values};

const SPEC: &str = r#"
entity = "user_id"
entity_table = "users"
features = ["age", "country", "plan", "months", "paperless", "hours", "sessions", "share_mobile",
            "paid", "failed", "method", "tickets", "waited", "escalated"]
label = { table = "labels", column = "churned" }
tables.users.columns = { user_id = "string", age = "integer", country = "string" }
tables.subscriptions.columns = { user_id = "string", plan = "string", months = "integer", paperless = "boolean" }
tables.usage.columns = { user_id = "string", hours = "float", sessions = "integer", share_mobile = "float" }
tables.payments.columns = { user_id = "string", paid = "float", failed = "integer", method = "string" }
tables.support.columns = { user_id = "string", tickets = "integer", waited = "float", escalated = "boolean" }
tables.labels.columns = { user_id = "string", churned = "boolean" }
"#;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().expect("usage: point_in_time DATA_DIR [USERS]"));
    let users: u64 = arguments.next().map_or(1_000_000, |text| text.parse().unwrap());
    let spec: DatasetSpec = toml::from_str(SPEC).unwrap();
    let snapshots = Snapshots::open(&data, spec).unwrap();
    if snapshots.newest().unwrap().is_none() {
        for (month, as_of) in ["2024-01-31", "2024-02-29"].into_iter().enumerate() {
            let drop = tempfile::tempdir().unwrap();
            write_drop(drop.path(), users, month as u64);
            let begun = Instant::now();
            snapshots.ingest(drop.path(), as_of.parse().unwrap(), false, &mut |_| {}).unwrap();
            println!("ingested {as_of} in {:.2} s", begun.elapsed().as_secs_f64());
        }
        return;
    }
    let as_of = snapshots.newest().unwrap().unwrap();
    let before_kib = peak_kib();
    for _ in 0..3 {
        let begun = Instant::now();
        let frame = snapshots.point_in_time(as_of, PointInTime { labels: true, exact: true }).unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{} rows, {} columns in {seconds:.2} s; result {} MiB, peak of the process {} MiB ({} MiB before)",
            frame.rows,
            frame.columns.len(),
            size_bytes(&frame) >> 20,
            peak_kib() >> 10,
            before_kib >> 10
        );
    }
}

/// Six tables in six orders, of which usage leaves every tenth user out in the second month.
fn write_drop(directory: &Path, users: u64, month: u64) {
    let headers = [
        ("users", "age,country"),
        ("subscriptions", "plan,months,paperless"),
        ("usage", "hours,sessions,share_mobile"),
        ("payments", "paid,failed,method"),
        ("support", "tickets,waited,escalated"),
        ("labels", "churned"),
    ];
    for (number, (table, header)) in headers.into_iter().enumerate() {
        let mut file = BufWriter::new(File::create(directory.join(format!("{table}.csv"))).unwrap());
        writeln!(file, "user_id,{header}").unwrap();
        // A prime that does not divide the number of users visits each of them once.
        let step = [1, 1, 7_919, 104_729, 611_953, 1][number];
        for row in 0..users {
            let user = row * step % users;
            if table == "usage" && month == 1 && user.is_multiple_of(10) {
                continue;
            }
            let mixed = (user + month).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
            let (a, b, c) = (mixed % 97, mixed / 97 % 89, mixed / 8_633 % 83);
            write!(file, "{user:07}-USER,").unwrap();
            match table {
                "users" => writeln!(file, "{},{}", 18 + a % 70, ["DE", "FR", "US", ""][b as usize % 4]),
                "subscriptions" => writeln!(file, "plan {},{b},{}", a % 5, c % 2),
                "usage" => writeln!(file, "{},{b},0.{c}", mixed as f64 / 1e6),
                "payments" => {
                    writeln!(file, "{a}.{b},{},{}", c % 4, ["card", "debit", "transfer"][b as usize % 3])
                }
                "support" => writeln!(
                    file,
                    "{},{},{}",
                    a % 9,
                    if b % 7 == 0 { String::new() } else { c.to_string() },
                    a % 2
                ),
                _ => writeln!(file, "{}", a % 2),
            }
            .unwrap();
        }
        file.flush().unwrap();
    }
}

/// Memory that the result takes. A text takes what glibc hands out for it: at least 32 bytes, in steps of 16.
fn size_bytes(frame: &Frame) -> usize {
    let handed_out = |capacity: usize| (capacity + 8).next_multiple_of(16).max(32);
    let size = |values: &Values| match values {
        Values::Float(values) => size_of_val(values.as_slice()),
        Values::Integer(values) => size_of_val(values.as_slice()),
        Values::Boolean(values) => size_of_val(values.as_slice()),
        Values::Date(values) => size_of_val(values.as_slice()),
        Values::Text { codes, levels } => {
            let texts: usize =
                levels.iter().map(|text| size_of::<String>() + handed_out(text.capacity())).sum();
            size_of_val(codes.as_slice()) + texts
        }
    };
    frame.columns.iter().map(|column| size(&column.values)).sum()
}

/// The most memory that the process has held; 0 where the system does not tell.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
