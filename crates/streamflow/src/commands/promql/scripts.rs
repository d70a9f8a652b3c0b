//! `streamflow promql test`: runs scripts in the language of Prometheus's own tests.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use streamflow_promql::script;

use crate::commands::Context;

/// What became of one script.
#[derive(Serialize)]
struct FileReport {
    file: String,
    passed: usize,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
struct Failure {
    line: usize,
    query: String,
    expected: String,
    actual: String,
}

pub fn run(files: &[PathBuf], context: &Context) -> anyhow::Result<ExitCode> {
    let reports = files.iter().map(test).collect::<anyhow::Result<Vec<_>>>()?;
    context.terminal.result(&reports, || text(&reports))?;
    let all_passed = reports.iter().all(|report| report.failures.is_empty());
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn test(file: &PathBuf) -> anyhow::Result<FileReport> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}; expected a promqltest script", file.display()))?;
    let report = script::run(&text);
    let failures = report.failed.into_iter().map(|failure| Failure {
        line: failure.line,
        query: failure.query,
        expected: failure.expected,
        actual: failure.actual,
    });
    Ok(FileReport { file: file.display().to_string(), passed: report.passed, failures: failures.collect() })
}

fn text(reports: &[FileReport]) -> String {
    let mut text = String::new();
    for FileReport { file, passed, failures } in reports {
        let failed = failures.len();
        text.push_str(&format!("{file}: {passed} passed, {failed} failed\n"));
        for Failure { line, query, expected, actual } in failures {
            text.push_str(&format!(
                "  line {line}: {query}\n    expected: {}\n    actual:   {}\n",
                indented(expected),
                indented(actual)
            ));
        }
    }
    text
}

/// Further lines under the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n              ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_with_their_line() {
        let failure = Failure {
            line: 3,
            query: "up".to_owned(),
            expected: "{} 1".to_owned(),
            actual: "{} 2\n{} 3".to_owned(),
        };
        let report = FileReport { file: "a.test".to_owned(), passed: 1, failures: vec![failure] };
        assert_eq!(
            text(&[report]),
            "a.test: 1 passed, 1 failed\n  line 3: up\n    \
             expected: {} 1\n    actual:   {} 2\n              {} 3\n"
        );
    }
}
