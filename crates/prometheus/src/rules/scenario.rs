//! Runs the unit tests of `promtool test rules` on our rules: one file of series, rules, times and expected alerts
//! is the judge of both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use streamflow_gotext::parse_duration_ms;
use streamflow_oracles::{promtool, run};
use streamflow_promql::{Engine, EngineOptions, ExprKind, Query, Value};
use streamflow_tsdb::{Db, Labels, Options, STALE_NAN};

use super::group::{Context, Defaults, Group};
use super::status::{AlertState, RuleStatus, label_map};

#[derive(Deserialize)]
struct UnitTests {
    rule_files: Vec<String>,
    evaluation_interval: String,
    tests: Vec<UnitTest>,
}

#[derive(Deserialize)]
struct UnitTest {
    #[serde(default)]
    name: String,
    interval: String,
    #[serde(default)]
    input_series: Vec<InputSeries>,
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    promql_expr_test: Vec<ExprTest>,
    #[serde(default)]
    external_labels: BTreeMap<String, String>,
    #[serde(default)]
    external_url: String,
}

#[derive(Deserialize)]
struct InputSeries {
    series: String,
    values: String,
}

#[derive(Deserialize)]
struct AlertTest {
    eval_time: String,
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ExpectedAlert {
    #[serde(default)]
    exp_labels: BTreeMap<String, String>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ExprTest {
    expr: String,
    eval_time: String,
    #[serde(default)]
    exp_samples: Vec<ExpectedSample>,
}

#[derive(Deserialize)]
struct ExpectedSample {
    labels: String,
    value: f64,
}

/// What is not as the file expects, empty where all is.
pub fn failures(file: &Path) -> Vec<String> {
    let tests: UnitTests = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let step_ms = parse_duration_ms(&tests.evaluation_interval).unwrap();
    let mut failures = Vec::new();
    for test in &tests.tests {
        let name = format!("{} {}", file.file_name().unwrap().display(), test.name);
        failures.extend(
            one(test, &groups(file, &tests.rule_files, step_ms), step_ms)
                .into_iter()
                .map(|failure| format!("{name}: {failure}")),
        );
    }
    failures
}

fn groups(file: &Path, rule_files: &[String], step_ms: i64) -> Vec<Group> {
    let mut groups = Vec::new();
    for name in rule_files {
        let path: PathBuf = file.with_file_name(name);
        let rules =
            streamflow_prometheus_yml::parse_rules(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
        let defaults = Defaults { interval_ms: step_ms, query_offset_ms: 0 };
        let made = rules.groups.into_iter().map(|group| Group::new(name.clone(), group, defaults, true));
        groups.extend(made);
    }
    groups
}

fn one(test: &UnitTest, groups: &[Group], step_ms: i64) -> Vec<String> {
    let mut groups = groups.to_vec();
    let context = Context {
        db: Db::in_memory(Options::default()),
        engine: Arc::new(Engine::new(EngineOptions::default())),
        external_labels: Arc::new(test.external_labels.clone()),
        external_url: test.external_url.clone(),
    };
    let mut input = Input::new(test);
    let time = |text: &str| parse_duration_ms(text).unwrap();
    let end_ms = test.alert_rule_test.iter().map(|test| time(&test.eval_time));
    let end_ms =
        end_ms.chain(test.promql_expr_test.iter().map(|test| time(&test.eval_time))).max().unwrap_or(0);
    let mut failures = Vec::new();
    let mut at_ms = 0;
    while at_ms <= end_ms {
        input.write_until(at_ms, &context.db);
        for group in &mut groups {
            group.evaluate(at_ms, &context, &|| None);
            for rule in group.status().rules {
                let (RuleStatus::Alerting { name, last_error, .. }
                | RuleStatus::Recording { name, last_error, .. }) = rule;
                if !last_error.is_empty() {
                    failures.push(format!("{name} at {at_ms} ms: {last_error}"));
                }
            }
        }
        let due = |text: &str| (at_ms..at_ms + step_ms).contains(&time(text));
        for expected in test.alert_rule_test.iter().filter(|test| due(&test.eval_time)) {
            failures.extend(check_alerts(expected, &groups));
        }
        at_ms += step_ms;
    }
    input.write_until(i64::MAX, &context.db);
    for expected in &test.promql_expr_test {
        failures.extend(check_expr(expected, &context, time(&expected.eval_time)));
    }
    failures
}

fn check_alerts(test: &AlertTest, groups: &[Group]) -> Option<String> {
    let mut found = Vec::new();
    for rule in groups.iter().flat_map(|group| group.status().rules) {
        let RuleStatus::Alerting { name, alerts, .. } = rule else { continue };
        let firing =
            alerts.into_iter().filter(|alert| name == test.alertname && alert.state == AlertState::Firing);
        found.extend(
            firing
                .map(|alert| ExpectedAlert { exp_labels: alert.labels, exp_annotations: alert.annotations }),
        );
    }
    let mut expected = test.exp_alerts.clone();
    for alert in &mut expected {
        alert.exp_labels.insert("alertname".to_owned(), test.alertname.clone());
        alert.exp_labels.retain(|_, value| !value.is_empty());
    }
    expected.sort();
    found.sort();
    (found != expected).then(|| {
        format!("{} at {}: expected {expected:#?}, found {found:#?}", test.alertname, test.eval_time)
    })
}

fn check_expr(test: &ExprTest, context: &Context, time_ms: i64) -> Option<String> {
    let query = Query::parse(&context.engine, &test.expr).unwrap();
    let answer = query.instant(&context.engine, &context.db, time_ms, &|| None).unwrap();
    let mut found: Vec<(BTreeMap<String, String>, String)> = match answer.value {
        Value::Vector(samples) => {
            samples.iter().map(|sample| (label_map(&sample.labels), sample.value.to_string())).collect()
        }
        Value::Scalar(value) => vec![(BTreeMap::new(), value.to_string())],
        other => panic!("{}: {other:?}", test.expr),
    };
    let expected = test.exp_samples.iter();
    let mut expected: Vec<_> = expected
        .map(|sample| (label_map(&series_labels(&sample.labels)), sample.value.to_string()))
        .collect();
    expected.sort();
    found.sort();
    (found != expected)
        .then(|| format!("{} at {}: expected {expected:?}, found {found:?}", test.expr, test.eval_time))
}

/// The labels of a series as a selector writes them; `{}` has none.
fn series_labels(text: &str) -> Labels {
    if text == "{}" {
        return Labels::default();
    }
    match streamflow_promql::parse(text).unwrap().kind {
        ExprKind::Vector(selector) => {
            Labels::new(selector.matchers.iter().map(|matcher| (matcher.name(), matcher.value())))
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// The samples of all series, in the order of time.
struct Input {
    samples: Vec<(i64, Labels, f64)>,
    next: usize,
}

impl Input {
    fn new(test: &UnitTest) -> Self {
        let interval_ms = parse_duration_ms(&test.interval).unwrap();
        let mut samples = Vec::new();
        for series in &test.input_series {
            let labels = series_labels(&series.series);
            let mut at_ms = 0;
            for value in values(&series.values) {
                if let Some(value) = value {
                    samples.push((at_ms, labels.clone(), value));
                }
                at_ms += interval_ms;
            }
        }
        samples.sort_by_key(|(at_ms, ..)| *at_ms);
        Self { samples, next: 0 }
    }

    fn write_until(&mut self, end_ms: i64, db: &Db) {
        let mut batch = db.batch();
        while let Some((at_ms, labels, value)) =
            self.samples.get(self.next).filter(|(at_ms, ..)| *at_ms <= end_ms)
        {
            batch.add(labels, *at_ms, *value).unwrap();
            self.next += 1;
        }
        batch.commit().unwrap();
    }
}

/// `1 2+1x3 _ 5x2 stale`: `a+bxn` is `a` and `n` steps of `b`; `_` no sample.
fn values(text: &str) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    for word in text.split_whitespace() {
        let (word, times) = match word.rsplit_once('x') {
            Some((word, times)) => (word, Some(times.parse::<u32>().unwrap())),
            None => (word, None),
        };
        match word {
            "_" => values.extend((0..times.unwrap_or(1)).map(|_| None)),
            "stale" => values.push(Some(STALE_NAN)),
            _ => {
                let split = word.char_indices().skip(1).find(|(at, c)| {
                    matches!(c, '+' | '-') && !matches!(word.as_bytes()[at - 1], b'e' | b'E')
                });
                let (start, step) = split.map_or((word, "0"), |(at, _)| word.split_at(at));
                let (start, step): (f64, f64) = (start.parse().unwrap(), step.parse().unwrap());
                values.extend((0..=times.unwrap_or(0)).map(|at| Some(start + step * f64::from(at))));
            }
        }
    }
    values
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
