//! `streamflow promql test-rules`: unit tests of rules.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use streamflow_gotext::Regex;
use streamflow_prometheus::unit_tests::{self, Report};

use crate::commands::Context;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of unit tests
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Run tests alone whose name matches this regular expression; may be repeated
    #[arg(long, value_name = "REGEX")]
    run: Vec<String>,
    /// Write the results as JUnit's XML to this file too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What became of one file.
#[derive(Serialize)]
struct FileReport {
    file: String,
    /// Why the file is refused.
    error: Option<String>,
    warnings: Vec<String>,
    tests: Vec<TestReport>,
}

#[derive(Serialize)]
struct TestReport {
    name: String,
    failures: Vec<String>,
}

impl FileReport {
    fn new(file: &Path, result: Result<Report, String>) -> Self {
        let (report, error) = match result {
            Ok(report) => (report, None),
            Err(error) => (Report::default(), Some(error)),
        };
        let tests = report.tests.into_iter();
        let tests = tests.map(|test| TestReport { name: test.name, failures: test.failures });
        Self { file: file.display().to_string(), error, warnings: report.warnings, tests: tests.collect() }
    }

    fn is_good(&self) -> bool {
        self.error.is_none() && self.tests.iter().all(|test| test.failures.is_empty())
    }
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let patterns = args
        .run
        .iter()
        .map(|text| Regex::new(text).with_context(|| format!("--run {text:?} is no regular expression")));
    let patterns = patterns.collect::<anyhow::Result<Vec<_>>>()?;
    let is_wanted = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(name));
    let files = args.files.iter();
    let reports: Vec<FileReport> =
        files.map(|file| FileReport::new(file, unit_tests::run(file, is_wanted))).collect();
    if let Some(file) = &args.junit {
        std::fs::write(file, junit(&reports)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    context.terminal.result(&reports, || text(&reports))?;
    Ok(if reports.iter().all(FileReport::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(reports: &[FileReport]) -> String {
    let mut text = String::new();
    for report in reports {
        let failed = report.tests.iter().filter(|test| !test.failures.is_empty()).count();
        let passed = report.tests.len() - failed;
        match &report.error {
            Some(error) => text.push_str(&format!("{}: refused: {error}\n", report.file)),
            None => text.push_str(&format!("{}: {passed} passed, {failed} failed\n", report.file)),
        }
        for warning in &report.warnings {
            text.push_str(&format!("  warning: {warning}\n"));
        }
        for test in report.tests.iter().filter(|test| !test.failures.is_empty()) {
            text.push_str(&format!("  {}:\n", test.name));
            for failure in &test.failures {
                text.push_str(&format!("    {}\n", failure.replace('\n', "\n    ")));
            }
        }
    }
    text
}

fn junit(reports: &[FileReport]) -> String {
    let mut xml = String::from("<testsuites>");
    for report in reports {
        let failed = report.tests.iter().filter(|test| !test.failures.is_empty()).count();
        xml.push_str(&format!(
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"{}\" skipped=\"0\">",
            escaped(&report.file),
            report.tests.len(),
            u8::from(report.error.is_some())
        ));
        if let Some(error) = &report.error {
            xml.push_str(&format!("<testcase name=\"\"><error>{}</error></testcase>", escaped(error)));
        }
        for test in &report.tests {
            xml.push_str(&format!("<testcase name=\"{}\">", escaped(&test.name)));
            for failure in &test.failures {
                xml.push_str(&format!("<failure>{}</failure>", escaped(failure)));
            }
            xml.push_str("</testcase>");
        }
        xml.push_str("</testsuite>");
    }
    xml + "</testsuites>\n"
}

/// As text and as an attribute; characters that XML has not are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push('\t'),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_as_text_and_as_junit() {
        let test = |name: &str, failures: &[&str]| TestReport {
            name: name.to_owned(),
            failures: failures.iter().map(|failure| (*failure).to_owned()).collect(),
        };
        let reports = [
            FileReport {
                file: "a.yml".to_owned(),
                error: None,
                warnings: vec!["no file matches the pattern x".to_owned()],
                tests: vec![test("good", &[]), test("b<d", &["expr: \"x\"\n  expected: 1"])],
            },
            FileReport::new(Path::new("b.yml"), Err("no YAML".to_owned())),
        ];
        assert_eq!(
            text(&reports),
            "a.yml: 1 passed, 1 failed\n  warning: no file matches the pattern x\n  b<d:\n    expr: \"x\"\n      \
             expected: 1\nb.yml: refused: no YAML\n"
        );
        assert_eq!(
            junit(&reports),
            "<testsuites><testsuite name=\"a.yml\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">\
             <testcase name=\"good\"></testcase><testcase name=\"b&lt;d\"><failure>expr: &quot;x&quot;&#10;  expected: 1\
             </failure></testcase></testsuite><testsuite name=\"b.yml\" tests=\"0\" failures=\"0\" errors=\"1\" \
             skipped=\"0\"><testcase name=\"\"><error>no YAML</error></testcase></testsuite></testsuites>\n"
        );
    }
}
