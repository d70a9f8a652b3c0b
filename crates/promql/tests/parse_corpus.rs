//! Every query of Prometheus's own test scripts is read, and printed so that it is read as the same again.
//!
//! The scripts are not part of this project: `STREAMFLOW_SHARED` names the directory that has them in `promqltest`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::PathBuf;

use streamflow_promql::{ParseOptions, format, parse_with};

/// The directory of the scripts, or `None` (loudly) where it is missing. Fails instead when `CI=true`.
fn scripts() -> Option<PathBuf> {
    let shared = std::env::var_os("STREAMFLOW_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let scripts = shared.join("promqltest");
    if scripts.is_dir() {
        return Some(scripts);
    }
    let reason = format!("{} is missing", scripts.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    eprintln!("SKIPPED: {reason}, no query of Prometheus's scripts was parsed");
    None
}

/// The query of an `eval … instant at T QUERY` or `eval … range from A to B step S QUERY` line.
fn query(line: &str) -> Option<&str> {
    let mut rest = line.trim().strip_prefix("eval")?;
    let words = if rest.contains(" instant at ") { 4 } else { 8 };
    for _ in 0..words {
        rest = rest.split_once(' ')?.1.trim_start();
    }
    Some(rest)
}

#[test]
fn the_queries_of_the_scripts_are_read() {
    let Some(scripts) = scripts() else { return };
    let options = ParseOptions { experimental: true, ..ParseOptions::default() };
    let mut count = 0;
    for entry in fs::read_dir(scripts).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let script = fs::read_to_string(&path).unwrap();
        for (number, line) in script.lines().enumerate() {
            let Some(query) = query(line) else { continue };
            let place = format!("{}:{}: {query}", path.display(), number + 1);
            // This one fails in evaluation upstream; here its label cannot even be kept.
            if query.contains(r"\xc5") {
                let error = parse_with(query, &options).unwrap_err();
                assert_eq!(error.to_string(), r#"invalid label name "a\xc5z""#, "{place}");
                continue;
            }
            let expr = parse_with(query, &options).unwrap_or_else(|error| panic!("{place}: {error}"));
            let text = expr.to_string();
            for again in [text.clone(), format(&expr)] {
                let reread =
                    parse_with(&again, &options).unwrap_or_else(|error| panic!("{place}: {again}: {error}"));
                assert_eq!(reread.to_string(), text, "{place}");
            }
            count += 1;
        }
    }
    assert!(count > 1000, "only {count} queries were found");
}
