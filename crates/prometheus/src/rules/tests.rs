//! Groups over restarts, reloads, failures and limits; times are arguments.

use std::path::Path;

use streamflow_histogram::{Buckets, Histogram};
use streamflow_promql::{EngineOptions, Query, StopReason, Value};
use streamflow_tsdb::{METRIC_NAME, Options};

use streamflow_prometheus_yml::parse_rules;

use super::status::{AlertState, Health};
use super::*;

const MINUTE: i64 = 60_000;

const DEFAULTS: Defaults = Defaults { interval_ms: MINUTE, query_offset_ms: 0 };

fn context() -> Context {
    Context {
        db: Db::in_memory(Options::default()),
        engine: Arc::new(Engine::new(EngineOptions::default())),
        external_labels: Arc::default(),
        external_url: "http://prom.example".to_owned(),
    }
}

fn group(rules: &str, restored: bool) -> Group {
    let lines: Vec<String> = rules.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("groups:\n- name: g\n  rules:\n{}", lines.concat());
    let mut file = parse_rules(&text, Path::new("rules.yml")).unwrap();
    Group::new("rules.yml".to_owned(), file.groups.remove(0), DEFAULTS, restored)
}

fn write(context: &Context, series: &[(&str, &str)], at_ms: i64, value: f64) {
    let mut batch = context.db.batch();
    batch.add(&Labels::new(series.iter().copied()), at_ms, value).unwrap();
    batch.commit().unwrap();
}

/// Values of an instant query, with the labels' text.
fn query(context: &Context, text: &str, at_ms: i64) -> Vec<(String, f64)> {
    let query = Query::parse(&context.engine, text).unwrap();
    match query.instant(&context.engine, &context.db, at_ms, &|| None).unwrap().value {
        Value::Vector(samples) => {
            samples.iter().map(|sample| (sample.labels.to_string(), sample.value)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn rule_of(group: &Group, place: usize) -> (Health, String) {
    match group.status().rules.remove(place) {
        RuleStatus::Alerting { health, last_error, .. }
        | RuleStatus::Recording { health, last_error, .. } => (health, last_error),
    }
}

fn state_of(group: &Group) -> AlertState {
    match group.status().rules.remove(0) {
        RuleStatus::Alerting { state, .. } => state,
        RuleStatus::Recording { .. } => panic!("a recording rule"),
    }
}

/// An alert of 30 minutes holds from minute 0; the server is away from minute `down` to minute `up`. Gives the minute
/// in which it fires.
fn fires_after_restart(down: i64, up: i64) -> i64 {
    let context = context();
    let rules = "- alert: A\n  expr: x == 0\n  for: 30m";
    let mut first = group(rules, true);
    let x = [(METRIC_NAME, "x")];
    for minute in 0..=down {
        write(&context, &x, minute * MINUTE, 0.0);
        first.evaluate(minute * MINUTE, &context, &|| None);
    }
    let mut second = group(rules, false);
    for minute in up..up + 200 {
        write(&context, &x, minute * MINUTE, 0.0);
        second.evaluate(minute * MINUTE, &context, &|| None);
        if minute == up + 1 {
            assert!(second.waits_for_restore());
            second.restore(minute * MINUTE, &context.db);
        }
        if state_of(&second) == AlertState::Firing {
            return minute;
        }
    }
    panic!("it never fires");
}

#[test]
fn alerts_go_on_after_a_restart() {
    for (down, up, fires, why) in [
        (35, 40, 42, "it fired before, and does in the evaluation after the restore"),
        (5, 15, 41, "25 minutes remained: they go on when the state is restored in minute 16"),
        (25, 30, 41, "5 minutes remained: it is given 10"),
        (5, 70, 100, "after an hour nothing is remembered: 30 minutes from the first evaluation"),
    ] {
        assert_eq!(fires_after_restart(down, up), fires, "{why}");
    }
}

#[test]
fn a_short_alert_is_not_restored() {
    let mut group = group("- alert: A\n  expr: vector(1)\n  for: 5m", false);
    let context = context();
    group.evaluate(0, &context, &|| None);
    assert!(query(&context, "ALERTS", 0).is_empty(), "written before the state is restored");
    group.restore(0, &context.db);
    assert!(!group.waits_for_restore());
    group.evaluate(MINUTE, &context, &|| None);
    assert_eq!(
        query(&context, "ALERTS_FOR_STATE", MINUTE),
        [("ALERTS_FOR_STATE{alertname=\"A\"}".to_owned(), 0.0)]
    );
}

#[test]
fn failures_are_seen_and_pass() {
    let context = context();
    let mut group = group(
        "- record: twice\n  expr: label_replace(x, 'a', '', '', '')\n- record: after\n  expr: 1\n- alert: Same\n  expr: x\n  labels: {a: ''}",
        true,
    );
    for a in ["1", "2"] {
        write(&context, &[(METRIC_NAME, "x"), ("a", a)], 0, 1.0);
    }
    group.evaluate(0, &context, &|| None);
    let (health, error) = rule_of(&group, 0);
    assert_eq!(health, Health::Err);
    assert!(error.contains("same labelset"), "{error}");
    assert_eq!(rule_of(&group, 1), (Health::Ok, String::new()));
    assert_eq!(
        rule_of(&group, 2),
        (
            Health::Err,
            "vector contains metrics with the same labelset after applying alert labels".to_owned()
        )
    );
    // The series end; so does the failure.
    for a in ["1", "2"] {
        write(&context, &[(METRIC_NAME, "x"), ("a", a)], MINUTE, STALE_NAN);
    }
    group.evaluate(MINUTE, &context, &|| None);
    assert_eq!(rule_of(&group, 0), (Health::Ok, String::new()));
}

#[test]
fn limits() {
    let context = context();
    let mut group = group("- alert: A\n  expr: x\n- record: y\n  expr: x", true);
    group.definition.limit = 2;
    for (minute, a) in [(0, "1"), (0, "2"), (1, "1"), (1, "2"), (1, "3")] {
        write(&context, &[(METRIC_NAME, "x"), ("a", a)], minute * MINUTE, 1.0);
    }
    group.evaluate(0, &context, &|| None);
    assert_eq!((rule_of(&group, 0).0, rule_of(&group, 1).0), (Health::Ok, Health::Ok));
    group.evaluate(MINUTE, &context, &|| None);
    assert_eq!(rule_of(&group, 0).1, "exceeded limit of 2 with 3 alerts");
    assert_eq!(rule_of(&group, 1).1, "exceeded limit of 2 with 3 series");
    assert_eq!(state_of(&group), AlertState::Inactive);
}

#[test]
fn a_stop_ends_an_evaluation() {
    let context = context();
    let mut group = group("- record: y\n  expr: 1", true);
    group.evaluate(0, &context, &|| Some(StopReason::Canceled));
    assert!(query(&context, "y", 0).is_empty());
    assert_eq!(rule_of(&group, 0).0, Health::Unknown);
}

#[test]
fn a_query_offset_looks_back() {
    let context = context();
    let mut group = group("- record: y\n  expr: x", true);
    group.definition.query_offset_ms = Some(MINUTE);
    let mut group = Group::new("f".to_owned(), group.definition.clone(), DEFAULTS, true);
    for minute in 0..3 {
        write(&context, &[(METRIC_NAME, "x")], minute * MINUTE, minute as f64);
    }
    group.evaluate(2 * MINUTE, &context, &|| None);
    assert_eq!(query(&context, "timestamp(y)", 2 * MINUTE)[0].1, 60.0);
    assert_eq!(query(&context, "y", 2 * MINUTE)[0].1, 1.0);
}

#[test]
fn a_reload_keeps_what_stays() {
    let context = context();
    let mut first = group("- alert: A\n  expr: vector(1)\n  for: 5m\n- record: gone\n  expr: 1", true);
    first.evaluate(0, &context, &|| None);
    let mut second = group("- record: new\n  expr: 2\n- alert: A\n  expr: vector(1) > 0\n  for: 5m", true);
    assert!(!second.is_same(&first));
    let orphans = second.take_over(first);
    assert_eq!(orphans, [Labels::new([(METRIC_NAME, "gone")])]);
    second.evaluate(5 * MINUTE, &context, &|| None);
    let RuleStatus::Alerting { state, alerts, .. } = second.status().rules.remove(1) else {
        panic!("not the alert")
    };
    assert_eq!((state, alerts[0].active_at.as_str()), (AlertState::Firing, "1970-01-01T00:00:00Z"));
}

/// The whole thing with its clock: a recording rule writes, a reload ends it, the shutdown ends all.
#[tokio::test(flavor = "multi_thread")]
async fn rules_run() {
    let context = context();
    let rules = Rules::new(context.db.clone(), context.engine.clone(), Arc::default());
    let handle = rules.handle();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(rules.run(stopped));
    let settings = |text: &str| Settings {
        files: vec![parse_rules(text, Path::new("rules.yml")).unwrap()],
        ..Settings::default()
    };
    let wait = async |what: &str, done: &dyn Fn() -> bool| {
        let started = Instant::now();
        while !done() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}: {:?}", handle.groups());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    handle.apply(settings("groups:\n- name: g\n  interval: 50ms\n  rules: [{record: y, expr: 1}]\n"));
    wait("y is recorded", &|| !query(&context, "y", now_ms()).is_empty()).await;
    wait("the state is shown", &|| handle.groups().first().is_some_and(|group| group.evaluations > 0)).await;
    let shown = serde_json::to_value(handle.groups()).unwrap();
    assert_eq!(shown[0]["interval"], 0.05);
    assert_eq!(shown[0]["rules"][0]["type"], "recording");
    assert_eq!(shown[0]["rules"][0]["health"], "ok");

    handle.apply(settings("groups:\n- name: g\n  interval: 50ms\n  rules: [{alert: A, expr: vector(1)}]\n"));
    wait("y ends", &|| query(&context, "y", now_ms()).is_empty()).await;
    wait("the alert is shown", &|| !handle.alerts().is_empty()).await;
    let alerts = serde_json::to_value(handle.alerts()).unwrap();
    assert_eq!(alerts[0]["labels"], serde_json::json!({ "alertname": "A" }));
    assert_eq!(alerts[0]["value"], "1e+00");
    let shown = serde_json::to_value(handle.groups()).unwrap();
    assert_eq!(shown[0]["rules"][0]["type"], "alerting");
    assert_eq!(shown[0]["rules"][0]["keepFiringFor"], 0.0);

    handle.apply(Settings::default());
    wait("no group is left", &|| handle.groups().is_empty() && handle.alerts().is_empty()).await;
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[test]
fn histograms_are_recorded_and_alerted_on() {
    let context = context();
    let histogram = Histogram {
        count: 4.0,
        sum: 5.0,
        positive: Buckets { indices: vec![0, 2], counts: vec![1.0, 3.0] },
        ..Histogram::default()
    };
    let mut batch = context.db.batch();
    for job in ["a", "b"] {
        let labels = Labels::new([(METRIC_NAME, "h"), ("job", job)]);
        batch.add_histogram(&labels, 0, Arc::new(histogram.clone())).unwrap();
    }
    batch.commit().unwrap();
    let rules = "- record: total\n  expr: sum(h)\n- alert: A\n  expr: sum(h)\n  annotations: {text: 'is {{ $value }}'}";
    let mut group = group(rules, true);
    group.evaluate(0, &context, &|| None);
    assert_eq!(rule_of(&group, 0), (Health::Ok, String::new()));
    let text = query(&context, r#"count_values("is", total)"#, 0);
    assert_eq!(text, [(r#"{is="{count:8, sum:10, (0.5,1]:2, (2,4]:6}"}"#.to_owned(), 1.0)]);
    let RuleStatus::Alerting { alerts, .. } = group.status().rules.remove(1) else { panic!("no alert") };
    assert_eq!(alerts[0].annotations["text"], "is {count:8, sum:10, (0.5,1]:2, (2,4]:6}");
    assert_eq!(alerts[0].value, "0e+00");
    assert_eq!(query(&context, "ALERTS", 0).len(), 1);
}
