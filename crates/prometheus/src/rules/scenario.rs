//! Runs the unit tests of `promtool test rules` on our rules: one file of series, rules, times and expected alerts
//! is the judge of both.

use std::path::{Path, PathBuf};

use streamflow_oracles::{promtool, run};

use super::unit_tests;

/// What is not as the file expects, empty where all is.
pub fn failures(file: &Path) -> Vec<String> {
    let report = unit_tests::run(file, |_| true).unwrap();
    assert!(report.warnings.is_empty() && !report.tests.is_empty(), "{report:?}");
    let failed = report.tests.into_iter().flat_map(|test| {
        let name = format!("{} {}", file.file_name().unwrap().display(), test.name);
        test.failures.into_iter().map(move |failure| format!("{name}: {failure}"))
    });
    failed.collect()
}

fn scenarios() -> Vec<PathBuf> {
    let dir = Path::new(file!()).with_file_name("scenarios");
    // `file!` is relative to the workspace, and absolute where the module is built elsewhere.
    let dir = [dir.clone(), Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules/scenarios")]
        .into_iter()
        .find(|dir| dir.is_dir())
        .unwrap();
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.to_string_lossy().ends_with(".test.yml")).collect();
    files.sort();
    files
}

#[test]
fn scenarios_hold_with_our_rules() {
    let files = scenarios();
    assert!(files.len() >= 2, "{files:?}");
    let failures: Vec<String> = files.iter().flat_map(|file| failures(file)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn scenarios_hold_with_prometheus() {
    let Some(program) = promtool() else { return };
    for file in scenarios() {
        let (content, said) =
            run(&program, file.parent().unwrap(), &["test", "rules", file.to_str().unwrap()]);
        assert!(content, "{said}");
    }
}

/// The runner sees what is wrong: every expectation turned around fails.
#[test]
fn wrong_expectations_fail() {
    let dir = tempfile::tempdir().unwrap();
    let rules = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: x > 1, annotations: {v: '{{ $value }}'}}\n  - {record: r, expr: x}\n";
    std::fs::write(dir.path().join("rules.yml"), rules).unwrap();
    let expected = |alerts: &str, value: u8| {
        let test = format!(
            "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series: [{{series: x, values: '1 2'}}]\n  alert_rule_test: [{{eval_time: 1m, alertname: A, exp_alerts: {alerts}}}]\n  promql_expr_test: [{{expr: r, eval_time: 1m, exp_samples: [{{labels: r, value: {value}}}]}}]\n"
        );
        std::fs::write(dir.path().join("a.test.yml"), test).unwrap();
        failures(&dir.path().join("a.test.yml")).len()
    };
    assert_eq!(expected("[{exp_annotations: {v: '2'}}]", 2), 0);
    assert_eq!(expected("[]", 2), 1);
    assert_eq!(expected("[{exp_annotations: {v: '3'}}]", 2), 1);
    assert_eq!(expected("[{exp_annotations: {v: '2'}}]", 3), 1);
}
