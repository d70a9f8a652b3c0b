//! What both servers hold when the scenarios are run.

use std::collections::BTreeMap;
use std::sync::Arc;

use streamflow::console::prometheus::status::{Health, MetricMetadata, Runtime, Sources, Target};
use streamflow::rules::status::{self, AlertState, GroupStatus, RuleStatus, rfc3339};
use streamflow_tsdb::Labels;

use crate::servers::Series;

/// 2023-11-14T22:13:20Z.
const START_MS: i64 = 1_700_000_000_000;

/// Nothing that scrapes itself: the one target does not answer.
pub const CONFIG: &str = "\
global: {scrape_interval: 1h, scrape_timeout: 1s, evaluation_interval: 1h}
rule_files: [rules.yml]
alerting:
  alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]
scrape_configs:
- job_name: silent
  static_configs: [{targets: ['127.0.0.1:1'], labels: {zone: here}}]
";

pub const RULES: &str = "\
groups:
- name: service
  interval: 1h
  rules:
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations: {summary: 'it is down'}
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
    labels: {team: core}
";

/// Ten minutes at 15 s, the last of them at 600 s.
pub fn series() -> Vec<Series> {
    let steps = || (0..=40_u32).map(|step| (START_MS + i64::from(step) * 15_000, f64::from(step)));
    let every = |value: f64| steps().map(move |(time, _)| (time, value));
    let times = |factor: f64| steps().map(move |(time, step)| (time, step * factor));
    let once = |value: f64| [(START_MS, value)];
    let mut series = vec![
        Series::new(&[("__name__", "up"), ("job", "api"), ("instance", "a:1")], every(1.0)),
        Series::new(
            &[("__name__", "up"), ("job", "api"), ("instance", "b:1")],
            steps().map(|(time, step)| (time, if step > 20.0 { 0.0 } else { 1.0 })),
        ),
        Series::new(&[("__name__", "temperature"), ("room", "kitchen")], every(21.5)),
    ];
    for (code, instance, factor) in [("200", "a:1", 15.0), ("200", "b:1", 30.0), ("500", "a:1", 1.0)] {
        let labels = [("__name__", "requests_total"), ("job", "api"), ("instance", instance), ("code", code)];
        series.push(Series::new(&labels, times(factor)));
    }
    for (le, factor) in [("0.1", 1.0), ("0.5", 3.0), ("+Inf", 4.0)] {
        let labels = [("__name__", "latency_seconds_bucket"), ("job", "api"), ("le", le)];
        series.push(Series::new(&labels, times(factor)));
    }
    for (kind, value) in [
        ("nan", f64::NAN),
        ("positive", f64::INFINITY),
        ("negative", f64::NEG_INFINITY),
        ("small", 1e-7),
        ("large", 1e21),
        ("third", 1.0 / 3.0),
    ] {
        series.push(Series::new(&[("__name__", "special"), ("kind", kind)], once(value)));
    }
    series.push(Series::new(&[("__name__", "texts"), ("note", "a\"b\\c<d>&é\nf")], once(1.0)));
    series
}

/// The same target and rules as in [`CONFIG`] and [`RULES`].
pub fn sources() -> Sources {
    let labels = Labels::new([("instance", "127.0.0.1:1"), ("job", "silent"), ("zone", "here")]);
    let discovered = [
        ("__address__", "127.0.0.1:1"),
        ("__metrics_path__", "/metrics"),
        ("__scheme__", "http"),
        ("__scrape_interval__", "1h"),
        ("__scrape_timeout__", "1s"),
        ("job", "silent"),
        ("zone", "here"),
    ];
    let target = Target {
        discovered_labels: Labels::new(discovered),
        labels: labels.clone(),
        scrape_pool: "silent".to_owned(),
        scrape_url: "http://127.0.0.1:1/metrics".to_owned(),
        global_url: "http://127.0.0.1:1/metrics".to_owned(),
        last_error: String::new(),
        last_scrape_ms: None,
        last_scrape_duration_s: 0.0,
        health: Health::Unknown,
        scrape_interval: "1h".to_owned(),
        scrape_timeout: "1s".to_owned(),
    };
    let metadata = ["counter", "gauge"].map(|kind| MetricMetadata {
        target: labels.clone(),
        metric: format!("a_{kind}"),
        kind: kind.to_owned(),
        help: "Of a target.".to_owned(),
        unit: String::new(),
    });
    let flags = [("query.lookback-delta", "5m"), ("query.max-concurrency", "20")];
    let flags: BTreeMap<String, String> =
        flags.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let runtime = Runtime {
        start_ms: START_MS,
        working_directory: "/".to_owned(),
        reload_succeeded: true,
        last_reload_ms: START_MS,
        retention: "100y".to_owned(),
    };
    Sources {
        targets: Arc::new(move || vec![target.clone()]),
        metadata: Arc::new(move || metadata.to_vec()),
        rule_groups: Arc::new(|| vec![rule_group()]),
        alertmanagers: Arc::new(|| vec!["http://127.0.0.1:1/api/v2/alerts".to_owned()]),
        config_yaml: Arc::new(|| CONFIG.to_owned()),
        flags: Arc::new(move || flags.clone()),
        runtime: Arc::new(move || runtime.clone()),
        reload: Some(Arc::new(|| Box::pin(async { Ok(()) }))),
        ..Sources::default()
    }
}

fn rule_group() -> GroupStatus {
    let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let down = RuleStatus::Alerting {
        state: AlertState::Inactive,
        name: "Down".to_owned(),
        query: "up == 0".to_owned(),
        duration: 300.0,
        keep_firing_for: 0.0,
        labels: map("severity", "page"),
        annotations: map("summary", "it is down"),
        alerts: Vec::new(),
        health: status::Health::Unknown,
        last_error: String::new(),
        evaluation_time: 0.0,
        last_evaluation: rfc3339(None),
        failures: 0,
    };
    let recording = RuleStatus::Recording {
        name: "job:requests:rate5m".to_owned(),
        query: "sum by (job) (rate(requests_total[5m]))".to_owned(),
        labels: map("team", "core"),
        health: status::Health::Unknown,
        last_error: String::new(),
        evaluation_time: 0.0,
        last_evaluation: rfc3339(None),
        failures: 0,
    };
    GroupStatus {
        name: "service".to_owned(),
        file: "rules.yml".to_owned(),
        rules: vec![down, recording],
        interval: 3600.0,
        limit: 0,
        evaluation_time: 0.0,
        last_evaluation: rfc3339(None),
        missed: 0,
        evaluations: 0,
    }
}
