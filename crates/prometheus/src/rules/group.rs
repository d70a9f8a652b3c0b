//! One group of rules at work: evaluates its rules in their order and writes what they give.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use streamflow_prometheus_yml::{AlertRule, Rule, RuleGroup};
use streamflow_promql::{Engine, Query, Stop, Value, VectorSample};
use streamflow_template::{Environment, LabelMap, Sample};
use streamflow_tsdb::{
    Db, Labels, METRIC_NAME, MatchOp, Matcher, STALE_NAN, Samples, Value as Stored, is_stale,
};

use super::alert::{ALERT_NAME, Alert, Alerts, Expansion, Written};
use super::status::{AlertState, GroupStatus, Health, RuleStatus, label_map};
use crate::go_json::rfc3339;

/// How far back a state of before a restart is looked for.
const OUTAGE_TOLERANCE_MS: i64 = 3_600_000;
/// What an alert that is set back has at least before it fires.
const GRACE_MS: i64 = 600_000;
/// Between two deliveries of an alert that goes on.
pub const RESEND_DELAY_MS: i64 = 60_000;

/// What all groups share.
#[derive(Debug, Clone)]
pub struct Context {
    /// Read and written.
    pub db: Db,
    /// Evaluates.
    pub engine: Arc<Engine>,
    /// The value of `$externalLabels` in templates.
    pub external_labels: Arc<LabelMap>,
    /// Where people reach the server: `$externalURL` in templates, and the start of links.
    pub external_url: String,
}

/// The times of groups that name none.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Time between evaluations.
    pub interval_ms: i64,
    /// How far in the past the expressions are evaluated.
    pub query_offset_ms: i64,
}

/// A group at work.
#[derive(Debug, Clone)]
pub struct Group {
    file: String,
    pub(super) definition: RuleGroup,
    pub(super) interval_ms: i64,
    query_offset_ms: i64,
    rules: Vec<RuleState>,
    evaluations: u64,
    /// Evaluations that could not take place in time.
    pub missed: u64,
    last_evaluation_ms: Option<i64>,
    evaluation_s: f64,
}

/// What a rule keeps from one evaluation to the next.
#[derive(Debug, Clone)]
struct RuleState {
    alerts: Alerts,
    /// The series that the last evaluation wrote.
    written: BTreeSet<Labels>,
    health: Health,
    last_error: String,
    last_evaluation_ms: Option<i64>,
    evaluation_s: f64,
    failures: u64,
}

impl RuleState {
    fn new(restored: bool) -> Self {
        Self {
            alerts: Alerts::new(restored),
            written: BTreeSet::new(),
            health: Health::Unknown,
            last_error: String::new(),
            last_evaluation_ms: None,
            evaluation_s: 0.0,
            failures: 0,
        }
    }
}

impl Group {
    /// A group that was not evaluated yet; with `restored` there is no state of before a start to look for.
    pub fn new(file: String, definition: RuleGroup, defaults: Defaults, restored: bool) -> Self {
        Self {
            file,
            interval_ms: definition.interval_ms.unwrap_or(defaults.interval_ms).max(1),
            query_offset_ms: definition.query_offset_ms.unwrap_or(defaults.query_offset_ms),
            rules: definition.rules.iter().map(|_| RuleState::new(restored)).collect(),
            definition,
            evaluations: 0,
            missed: 0,
            last_evaluation_ms: None,
            evaluation_s: 0.0,
        }
    }

    /// Its identity: the file and the name.
    pub fn key(&self) -> (String, String) {
        (self.file.clone(), self.definition.name.clone())
    }

    /// Whether it is the same as it would be if it were made anew.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.definition, self.interval_ms, self.query_offset_ms)
            == (&other.definition, other.interval_ms, other.query_offset_ms)
    }

    /// Whether an alert waits to be set back to its state of before the start.
    pub fn waits_for_restore(&self) -> bool {
        let mut rules = self.definition.rules.iter().zip(&self.rules);
        rules.any(|(rule, state)| rule.alert.is_some() && !state.alerts.restored)
    }

    /// Evaluates the rules one after another for a time; gives the alerts to send, with the query of each
    /// rule.
    pub fn evaluate(&mut self, now_ms: i64, context: &Context, stop: &Stop<'_>) -> Vec<(String, Vec<Alert>)> {
        let started = Instant::now();
        let evaluation = Evaluation {
            now_ms,
            at_ms: now_ms - self.query_offset_ms,
            limit: self.definition.limit,
            context,
            stop,
        };
        let mut to_send = Vec::new();
        for (rule, state) in self.definition.rules.iter().zip(&mut self.rules) {
            if stop().is_some() {
                break;
            }
            let started = Instant::now();
            let series = evaluation.of(rule, state);
            match series.and_then(|series| write(state, series, evaluation.at_ms, &context.db)) {
                Ok(()) => (state.health, state.last_error) = (Health::Ok, String::new()),
                Err(error) => {
                    tracing::warn!(
                        file = self.file,
                        group = self.definition.name,
                        rule = rule.name,
                        error,
                        "rule failed"
                    );
                    (state.health, state.last_error) = (Health::Err, error);
                    state.failures += 1;
                }
            }
            let alerts = state.alerts.due(now_ms, RESEND_DELAY_MS, self.interval_ms);
            if !alerts.is_empty() {
                to_send.push((rule.query.clone(), alerts));
            }
            state.last_evaluation_ms = Some(now_ms);
            state.evaluation_s = started.elapsed().as_secs_f64();
        }
        self.evaluations += 1;
        self.last_evaluation_ms = Some(now_ms);
        self.evaluation_s = started.elapsed().as_secs_f64();
        to_send
    }

    /// Looks for the state of the alerts before a start, after an evaluation.
    pub fn restore(&mut self, now_ms: i64, db: &Db) {
        for (rule, state) in self.definition.rules.iter().zip(&mut self.rules) {
            let Some(alert_rule) = &rule.alert else { continue };
            match states_before(rule, alert_rule, now_ms, db) {
                Ok(before) => {
                    state.alerts.restore(alert_rule, now_ms, GRACE_MS, |labels| before.get(labels).copied())
                }
                Err(error) => {
                    tracing::warn!(group = self.definition.name, rule = rule.name, %error, "alert state not restored");
                    state.alerts.restored = true;
                }
            }
        }
    }

    /// Takes over what an earlier version of the group knew; gives the series that nobody writes any more.
    pub fn take_over(&mut self, earlier: Self) -> Vec<Labels> {
        let mut orphans = Vec::new();
        let mut earlier: Vec<Option<_>> =
            earlier.definition.rules.into_iter().zip(earlier.rules).map(Some).collect();
        for (rule, state) in self.definition.rules.iter().zip(&mut self.rules) {
            let same = |known: &&mut Option<(Rule, RuleState)>| {
                known
                    .as_ref()
                    .is_some_and(|(known, _)| known.name == rule.name && known.labels == rule.labels)
            };
            if let Some((_, known)) = earlier.iter_mut().find(same).and_then(Option::take) {
                *state = known;
            }
        }
        for (_, state) in earlier.into_iter().flatten() {
            orphans.extend(state.written);
        }
        orphans
    }

    /// The series that the last evaluation wrote.
    pub fn written(&self) -> impl Iterator<Item = &Labels> {
        self.rules.iter().flat_map(|rule| &rule.written)
    }

    /// The group as `/api/v1/rules` shows it.
    pub fn status(&self) -> GroupStatus {
        let rules = self.definition.rules.iter().zip(&self.rules);
        GroupStatus {
            name: self.definition.name.clone(),
            file: self.file.clone(),
            rules: rules.map(|(rule, state)| rule_status(rule, state)).collect(),
            interval: seconds(self.interval_ms),
            limit: self.definition.limit,
            evaluation_time: self.evaluation_s,
            last_evaluation: rfc3339(self.last_evaluation_ms),
            missed: self.missed,
            evaluations: self.evaluations,
        }
    }
}

/// One evaluation of a group.
struct Evaluation<'a> {
    /// The time that alerts are judged for.
    now_ms: i64,
    /// The time that expressions are evaluated at and series are written at: the other less the query offset.
    at_ms: i64,
    /// Most series or alerts of a rule; no limit below 1.
    limit: i64,
    context: &'a Context,
    stop: &'a Stop<'a>,
}

impl Evaluation<'_> {
    /// The series that a rule writes.
    fn of(&self, rule: &Rule, state: &mut RuleState) -> Result<Vec<Written>, String> {
        let Context { db, engine, external_labels, external_url } = self.context;
        let answer = rule.expr.instant(engine, db, self.at_ms, self.stop);
        let result = vector(answer.map_err(|error| error.to_string())?.value)?;
        let Some(alert_rule) = &rule.alert else { return record(rule, result, self.limit) };
        let query = |text: &str| {
            let query = Query::parse(engine, text).map_err(|error| error.to_string())?;
            let answer = query.instant(engine, db, self.at_ms, self.stop);
            let samples = vector(answer.map_err(|error| error.to_string())?.value)?.into_iter();
            let number = |value| match value {
                Stored::Float(value) => value,
                Stored::Histogram(_) => 0.0,
            };
            let sample = |(labels, value)| Sample { labels: label_map(&labels), value: number(value) };
            Ok(samples.map(sample).collect())
        };
        let environment = Environment { query: &query, external_url, now_ms: self.now_ms };
        let expansion = Expansion { external_labels, environment };
        state.alerts.evaluate(rule, alert_rule, result, self.now_ms, self.limit, &expansion)
    }
}

fn vector(value: Value) -> Result<Vec<Written>, String> {
    match value {
        Value::Vector(samples) => {
            let value = |sample: &VectorSample| match &sample.histogram {
                Some(histogram) => Stored::Histogram(Arc::clone(histogram)),
                None => Stored::Float(sample.value),
            };
            Ok(samples.into_iter().map(|sample| (sample.labels.clone(), value(&sample))).collect())
        }
        Value::Scalar(value) => Ok(vec![(Labels::default(), Stored::Float(value))]),
        Value::String(_) | Value::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
    }
}

fn record(rule: &Rule, result: Vec<Written>, limit: i64) -> Result<Vec<Written>, String> {
    let mut seen = BTreeSet::new();
    let mut series = Vec::with_capacity(result.len());
    for (labels, value) in result {
        let labels = rule.labels.iter().fold(labels, |labels, (name, value)| labels.with(name, value));
        let labels = labels.with(METRIC_NAME, &rule.name);
        if !seen.insert(labels.clone()) {
            return Err(
                "vector contains metrics with the same labelset after applying rule labels".to_owned()
            );
        }
        series.push((labels, value));
    }
    let count = i64::try_from(series.len()).unwrap_or(i64::MAX);
    if limit > 0 && count > limit {
        return Err(format!("exceeded limit of {limit} with {count} series"));
    }
    Ok(series)
}

/// Writes the series, and marks as stale those of the evaluation before that are gone.
fn write(state: &mut RuleState, series: Vec<Written>, at_ms: i64, db: &Db) -> Result<(), String> {
    let mut batch = db.batch();
    let mut refused = None;
    let mut written = BTreeSet::new();
    for (labels, value) in series {
        let added = match value {
            Stored::Float(value) => batch.add(&labels, at_ms, value),
            Stored::Histogram(histogram) => batch.add_histogram(&labels, at_ms, histogram),
        };
        if let Err(error) = added {
            refused = Some(error.to_string());
        }
        written.insert(labels);
    }
    for gone in state.written.difference(&written) {
        // Where something newer is there already, nothing needs an end.
        let _ = batch.add(gone, at_ms, STALE_NAN);
    }
    batch.commit().map_err(|error| error.to_string())?;
    state.written = written;
    refused.map_or(Ok(()), Err)
}

/// The last sample of each `ALERTS_FOR_STATE` series of a rule, under the alert's labels.
fn states_before(
    rule: &Rule,
    alert_rule: &AlertRule,
    now_ms: i64,
    db: &Db,
) -> Result<BTreeMap<Labels, (i64, f64)>, streamflow_tsdb::Error> {
    if alert_rule.for_ms < GRACE_MS {
        return Ok(BTreeMap::new());
    }
    let equal = |name: &str, value: &str| Matcher::new(name, MatchOp::Equal, value);
    let matchers: Vec<Matcher> = [equal(METRIC_NAME, "ALERTS_FOR_STATE"), equal(ALERT_NAME, &rule.name)]
        .into_iter()
        .flatten()
        .collect();
    let mut samples = Samples::default();
    let mut states = BTreeMap::new();
    for series in db.select(&matchers, now_ms - OUTAGE_TOLERANCE_MS, now_ms)? {
        series.read(&mut samples)?;
        if let (Some(at_ms), Some(value)) = (samples.timestamps.last(), samples.values.last())
            && !is_stale(*value)
            && samples.histogram(*value).is_none()
        {
            states.insert(series.labels().without(&[METRIC_NAME]), (*at_ms, *value));
        }
    }
    Ok(states)
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn rule_status(rule: &Rule, state: &RuleState) -> RuleStatus {
    let (name, query, labels) = (rule.name.clone(), rule.query.clone(), rule.labels.clone());
    let (health, last_error) = (state.health, state.last_error.clone());
    let (evaluation_time, last_evaluation) = (state.evaluation_s, rfc3339(state.last_evaluation_ms));
    let failures = state.failures;
    let Some(alert_rule) = &rule.alert else {
        return RuleStatus::Recording {
            name,
            query,
            labels,
            health,
            last_error,
            evaluation_time,
            last_evaluation,
            failures,
        };
    };
    let alerts = state.alerts.status();
    RuleStatus::Alerting {
        state: alerts.iter().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive),
        name,
        query,
        duration: seconds(alert_rule.for_ms),
        keep_firing_for: seconds(alert_rule.keep_firing_for_ms),
        labels,
        annotations: alert_rule.annotations.clone(),
        alerts,
        health,
        last_error,
        evaluation_time,
        last_evaluation,
        failures,
    }
}
