//! Unit tests of rules, in the files of `promtool test rules`: series, rules, times, and what is expected of them.
//!
//! [`run`] gives what `promtool` gives: a file is refused, or each of its tests passes or fails with reasons. Rules see
//! samples up to the time of their evaluation alone; expressions are evaluated after all rules.

mod compare;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use streamflow_gotext::format_duration_ms;
use streamflow_promql::{Engine, EngineOptions, script};
use streamflow_tsdb::{Db, Labels, Options, Value};

use super::group::{Context, Defaults, Group};
use super::status::RuleStatus;
use crate::matching::matching;
use compare::{alerts, expression};
use file::{UnitTest, UnitTests};

/// Most evaluations of one test.
const STEPS_MAX: i64 = 1_000_000;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Patterns of rule files that match nothing.
    pub warnings: Vec<String>,
    /// The tests that were wanted, in the order of the file.
    pub tests: Vec<Outcome>,
}

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its name; those that have none are called by their place.
    pub name: String,
    /// What is not as expected; empty where all is.
    pub failures: Vec<String>,
}

/// Runs the tests of a file whose name is `wanted`.
///
/// # Errors
/// A file that cannot be read or is none of unit tests, rule files that are not valid: the reasons.
pub fn run(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Report, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let tests = UnitTests::read(&text)?;
    let mut report = Report::default();
    let rules = rule_files(path, &tests.rule_files, tests.tests.is_empty(), &mut report.warnings)?;
    for (place, test) in tests.tests.iter().enumerate() {
        // Those without a name are wanted where the empty name is, as promtool matches them.
        if !wanted(&test.name) {
            continue;
        }
        let name = if test.name.is_empty() { format!("unnamed#{place}") } else { test.name.clone() };
        let runner = Runner { file: &tests, test };
        let failures = runner.run(&rules).unwrap_or_else(|reason| vec![reason]);
        report.tests.push(Outcome { name, failures });
    }
    Ok(report)
}

/// The rule files, which are not read where there is nothing to test, as promtool reads none then.
fn rule_files(
    path: &Path,
    patterns: &[String],
    is_idle: bool,
    warnings: &mut Vec<String>,
) -> Result<Vec<streamflow_prometheus_yml::RuleFile>, String> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut found: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        let files: Vec<PathBuf> = matching(&directory.join(pattern))?;
        if files.is_empty() {
            warnings.push(format!("no file matches the pattern {pattern}"));
        }
        found.extend(files);
    }
    if is_idle {
        return Ok(Vec::new());
    }
    super::loading::read(found).map_err(|error| error.to_string())
}

/// A test with the file around it.
struct Runner<'a> {
    file: &'a UnitTests,
    test: &'a UnitTest,
}

impl Runner<'_> {
    /// What is not as expected.
    fn run(&self, rules: &[streamflow_prometheus_yml::RuleFile]) -> Result<Vec<String>, String> {
        let step_ms = self.file.evaluation_interval_ms;
        let mut groups = self.groups(rules);
        let context = Context {
            db: Db::in_memory(Options::default()),
            engine: Arc::new(Engine::new(EngineOptions {
                subquery_step_ms: step_ms,
                ..EngineOptions::default()
            })),
            external_labels: Arc::new(self.test.external_labels.clone()),
            external_url: self.test.external_url.clone(),
        };
        let mut input = Input::new(self.test, step_ms)?;
        if let Some(test) = self.test.alert_rule_test.iter().find(|test| test.alertname.is_empty()) {
            let time = format_duration_ms(test.eval_time_ms);
            return Err(format!("an item under alert_rule_test has no alertname at eval_time {time}"));
        }
        let alert_times = self.test.alert_rule_test.iter().map(|test| test.eval_time_ms);
        let times = alert_times.chain(self.test.promql_expr_test.iter().map(|test| test.eval_time_ms));
        let end_ms = times.max().unwrap_or(0);
        if end_ms / step_ms > STEPS_MAX {
            return Err(format!(
                "the last eval_time is {} evaluations after the start, expected at most {STEPS_MAX}; use a longer \
                 evaluation_interval",
                end_ms / step_ms
            ));
        }
        let (mut failures, mut errors, mut at_ms) = (Vec::new(), Vec::new(), 0);
        while at_ms <= end_ms {
            input.write_until(at_ms, &context.db)?;
            for group in &mut groups {
                group.evaluate(at_ms, &context, &|| None);
                errors.extend(rule_errors(group, at_ms));
            }
            let is_due = |time_ms: i64| (at_ms..at_ms + step_ms).contains(&time_ms);
            let due = self.test.alert_rule_test.iter().filter(|test| is_due(test.eval_time_ms));
            failures.extend(due.filter_map(|expected| alerts(expected, &groups)));
            at_ms += step_ms;
        }
        failures.extend(errors);
        let expressions = self.test.promql_expr_test.iter();
        failures.extend(
            expressions.filter_map(|expected| expression(expected, &context, self.file.fuzzy_compare).err()),
        );
        Ok(failures)
    }

    /// The groups in the order of `group_eval_order`; those that it leaves out come with the first.
    fn groups(&self, rules: &[streamflow_prometheus_yml::RuleFile]) -> Vec<Group> {
        let order: BTreeMap<&str, usize> = self
            .file
            .group_eval_order
            .iter()
            .enumerate()
            .map(|(place, name)| (name.as_str(), place))
            .collect();
        let defaults = Defaults { interval_ms: self.file.evaluation_interval_ms, query_offset_ms: 0 };
        let mut groups: Vec<(usize, Group)> = Vec::new();
        for file in rules {
            let name = file.path.display().to_string();
            groups.extend(file.groups.iter().map(|group| {
                let place = order.get(group.name.as_str()).copied().unwrap_or_default();
                (place, Group::new(name.clone(), group.clone(), defaults, true))
            }));
        }
        groups.sort_by_key(|(place, _)| *place);
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

/// Why rules of a group failed.
fn rule_errors(group: &Group, at_ms: i64) -> Vec<String> {
    let errors = group.status().rules.into_iter().filter_map(|rule| {
        let (RuleStatus::Alerting { name, last_error, .. } | RuleStatus::Recording { name, last_error, .. }) =
            rule;
        (!last_error.is_empty())
            .then(|| format!("rule: {name}, time: {}, error: {last_error}", format_duration_ms(at_ms)))
    });
    errors.collect()
}

/// The samples of all series, in the order of time.
struct Input {
    samples: Vec<(i64, Labels, Value)>,
    next: usize,
}

impl Input {
    fn new(test: &UnitTest, evaluation_interval_ms: i64) -> Result<Self, String> {
        let interval_ms =
            Some(test.interval_ms).filter(|interval| *interval > 0).unwrap_or(evaluation_interval_ms);
        let mut samples = Vec::new();
        for series in &test.input_series {
            let fault = |reason| format!("input_series {:?}: {reason}", series.series);
            let labels = script::metric(&series.series).map_err(fault)?;
            let mut at_ms = 0_i64;
            for value in script::values(&series.values).map_err(fault)? {
                samples.extend(value.map(|value| (at_ms, labels.clone(), value)));
                at_ms = at_ms.saturating_add(interval_ms);
            }
        }
        samples.sort_by_key(|(at_ms, ..)| *at_ms);
        Ok(Self { samples, next: 0 })
    }

    fn write_until(&mut self, end_ms: i64, db: &Db) -> Result<(), String> {
        let mut batch = db.batch();
        while let Some((at_ms, labels, value)) =
            self.samples.get(self.next).filter(|(at_ms, ..)| *at_ms <= end_ms)
        {
            let added = match value {
                Value::Float(value) => batch.add(labels, *at_ms, *value),
                Value::Histogram(histogram) => batch.add_histogram(labels, *at_ms, Arc::clone(histogram)),
            };
            added.map_err(|error| format!("input_series {labels}: {error}"))?;
            self.next += 1;
        }
        batch.commit().map(drop).map_err(|error| error.to_string())
    }
}
