//! Unit tests of rules, rule files and configurations, and the verdicts that promtool 3.5 gives them;
//! `tools/golden/rule_tests.py` wrote them down.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::Value;
use streamflow_prometheus::checks::{self, Checked, LintCheck};
use streamflow_prometheus::unit_tests;
use tempfile::TempDir;

/// Verdicts that are others here: a part of the text, and why.
const DIFFERS: &[(&str, &str)] = &[(
    "{series: 'x', values: '1'}, {series: 'x', values: '2'}",
    "a series with two values at one time is a mistake; promtool takes the last",
)];

fn golden() -> (Value, TempDir) {
    let golden: Value = serde_json::from_str(include_str!("golden/checks.json")).unwrap();
    let dir = TempDir::new().unwrap();
    for (name, text) in golden["files"].as_object().unwrap() {
        std::fs::write(dir.path().join(name), text.as_str().unwrap()).unwrap();
    }
    (golden, dir)
}

fn compared(unexplained: &[String], used: &[bool]) {
    assert!(unexplained.is_empty(), "{} differ:\n{}", unexplained.len(), unexplained.join("\n"));
    let unused: Vec<_> = DIFFERS.iter().zip(used).filter(|(_, used)| !**used).collect();
    assert!(unused.is_empty(), "these do not differ: {unused:?}");
}

#[test]
fn unit_tests_pass_and_fail_as_promtool_has_them() {
    let (golden, dir) = golden();
    let tests = golden["tests"].as_array().unwrap();
    assert!(tests.len() > 80);
    let (mut unexplained, mut used) = (Vec::new(), vec![false; DIFFERS.len()]);
    for row in tests {
        let text = row["text"].as_str().unwrap();
        let file = dir.path().join("a.test.yml");
        std::fs::write(&file, text).unwrap();
        let report = unit_tests::run(&file, |_| true);
        let passes =
            report.as_ref().is_ok_and(|report| report.tests.iter().all(|test| test.failures.is_empty()));
        if passes == (row["code"] == 0) {
            continue;
        }
        match DIFFERS.iter().position(|(part, _)| text.contains(part)) {
            Some(at) => used[at] = true,
            None => unexplained.push(format!("{text}  promtool: {}\n  here: {report:?}", row["code"])),
        }
    }
    compared(&unexplained, &used);
}

fn code(checked: &[Checked], lint: &[LintCheck], is_fatal: bool) -> u8 {
    if checked.iter().any(|one| !one.problems.is_empty()) {
        return 1;
    }
    let found = checked.iter().flat_map(|one| &one.lint).any(|one| lint.contains(&one.check));
    if found && is_fatal { 3 } else { 0 }
}

#[test]
fn rule_files_and_configurations_get_the_verdicts_of_promtool() {
    use LintCheck::{DuplicateRules, TooLongScrapeInterval};
    let (golden, dir) = golden();
    for row in golden["check_rules"].as_array().unwrap() {
        let arguments: Vec<&str> =
            row["arguments"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
        let checked: Vec<Checked> = arguments
            .iter()
            .filter(|argument| argument.ends_with(".yml") && **argument != "missing.yml")
            .map(|file| {
                checks::rules(Path::new(file), &std::fs::read_to_string(dir.path().join(file)).unwrap())
            })
            .collect();
        // The command reads the files, and says so where one is missing.
        if !arguments.contains(&"missing.yml") {
            let lint = if arguments.contains(&"none") { &[][..] } else { &[DuplicateRules] };
            let found = code(&checked, lint, arguments.contains(&"--lint-fatal"));
            assert_eq!(Value::from(found), row["code"], "{row}\n{checked:?}");
        }
    }
    let file = dir.path().join("prometheus.yml");
    for row in golden["check_config"].as_array().unwrap() {
        std::fs::write(&file, row["text"].as_str().unwrap()).unwrap();
        let found = [
            code(&checks::config(&file, false), &[], false),
            code(&checks::config(&file, true), &[], false),
            code(&checks::config(&file, false), &[DuplicateRules, TooLongScrapeInterval], true),
            code(&checks::config(&file, false), &[DuplicateRules], true),
        ];
        assert_eq!(Value::from(found.to_vec()), row["codes"], "{row}\n{:?}", checks::config(&file, false));
    }
}
