//! Prometheus's own test scripts. They are read from `STREAMFLOW_SHARED`, else from a directory beside the checkout.
//!
//! `known_failures.txt` names each case that does not pass, as `FILE:LINE reason`. It may only shrink: a listed case
//! that passes fails this test, as does a case that fails and is not listed.
// A test that skips says so, and counts are worth reading.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use streamflow_promql::script;

/// Every case of these passes.
const CORE: [&str; 16] = [
    "aggregators.test",
    "at_modifier.test",
    "duration_expression.test",
    "extended_vectors.test",
    "fill-modifier.test",
    "functions.test",
    "histograms.test",
    "info.test",
    "limit.test",
    "literals.test",
    "native_histograms.test",
    "operators.test",
    "selectors.test",
    "staleness.test",
    "start_timestamps.test",
    "type_and_unit.test",
];

fn scripts() -> Option<PathBuf> {
    let shared = std::env::var("STREAMFLOW_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned());
    let directory = PathBuf::from(shared).join("promqltest");
    if directory.is_dir() {
        return Some(directory);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no test scripts in {}", directory.display());
    eprintln!("SKIPPED: no test scripts in {}; set STREAMFLOW_SHARED", directory.display());
    None
}

fn known_failures() -> BTreeMap<String, String> {
    include_str!("../known_failures.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (case, reason) = line.split_once(' ').expect("a known failure is FILE:LINE and a reason");
            (case.to_owned(), reason.to_owned())
        })
        .collect()
}

#[test]
fn scripts_of_prometheus() {
    let Some(directory) = scripts() else { return };
    let mut known = known_failures();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    files.sort();
    let mut surprises = String::new();
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let report = script::run(&std::fs::read_to_string(&path).unwrap());
        let (passed, failed) = (report.passed, report.failed.len());
        eprintln!("{file}: {passed} passed, {failed} failed");
        assert!(passed > 0, "{file}: nothing passed");
        for failure in report.failed {
            let case = format!("{file}:{}", failure.line);
            let excused = known.remove(&case).is_some() && !CORE.contains(&file.as_str());
            if !excused {
                let (query, expected, actual) = (failure.query, failure.expected, failure.actual);
                writeln!(surprises, "{case}: {query}\n  expected {expected}\n  got      {actual}").unwrap();
            }
        }
    }
    for (case, reason) in known {
        writeln!(surprises, "{case} is listed as a known failure but passes ({reason})").unwrap();
    }
    assert!(surprises.is_empty(), "\n{surprises}");
}
