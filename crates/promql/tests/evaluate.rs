//! Answers, errors and limits of the engine.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use streamflow_promql::{
    Answer, Engine, EngineOptions, Error, FUNCTIONS, Query, Stop, StopReason, Value, script,
};
use streamflow_tsdb::{Db, Labels, Options, Sample, Value as Held};

fn never() -> Option<StopReason> {
    None
}

fn instant(engine: &Engine, db: &Db, text: &str, time_ms: i64) -> Result<Answer, Error> {
    Query::parse(engine, text)?.instant(engine, db, time_ms, &never)
}

fn range(
    engine: &Engine,
    db: &Db,
    text: &str,
    (start_ms, end_ms, step_ms): (i64, i64, i64),
    stop: &Stop,
) -> Result<Answer, Error> {
    let grid = engine.grid(start_ms, end_ms, step_ms as f64)?;
    Query::parse(engine, text)?.range(engine, db, grid, stop)
}

/// `series` counters `m` of ten jobs, a sample every 15 s for an hour.
fn store(series: usize) -> Db {
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    for index in 0..series {
        let (job, instance) = (format!("job-{}", index % 10), format!("host-{index:05}"));
        let labels = Labels::new([("__name__", "m_total"), ("job", &job), ("instance", &instance)]);
        for step in 0..=240_u32 {
            let value = f64::from(step) * (0.1 + (index % 7) as f64) + index as f64;
            batch.add(&labels, i64::from(step) * 15_000, value).unwrap();
        }
    }
    batch.commit().unwrap();
    db
}

#[test]
fn cases() {
    let report = script::run(include_str!("cases.test"));
    assert!(report.failed.is_empty(), "{:#?}", report.failed);
    assert!(report.passed > 60, "{} cases", report.passed);
}

#[test]
fn start_timestamps_are_looked_at_where_they_are_switched_on() {
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    let labels = Labels::new([("__name__", "m_total")]);
    for minute in 1..=5 {
        let sample =
            Sample { timestamp: minute * 60_000, start: minute * 60_000 - 1, value: Held::Float(7.0) };
        batch.add_sample(&labels, sample).unwrap();
    }
    batch.commit().unwrap();
    for (start_timestamps, query, expected) in [
        (false, "increase(m_total[4m])", 0.0),
        (true, "increase(m_total[4m])", 28.0),
        (false, "resets(m_total[4m])", 0.0),
        (true, "resets(m_total[4m])", 3.0),
        (false, "start_timestamp(m_total)", 0.0),
        (true, "start_timestamp(m_total)", 299.999),
    ] {
        let engine =
            Engine::new(EngineOptions { experimental: true, start_timestamps, ..EngineOptions::default() });
        let answer = instant(&engine, &db, query, 300_000).unwrap();
        let Value::Vector(found) = answer.value else { panic!("{query}") };
        assert!((found[0].value - expected).abs() < 1e-9, "{query}: {}", found[0].value);
    }
}

#[test]
fn errors_are_prometheus_s() {
    let db = store(2);
    let engine = Engine::default();
    let check = |query: &str, expected: &str| {
        let found = instant(&engine, &db, query, 600_000).unwrap_err();
        assert_eq!(found.to_string(), expected, "{query}");
    };
    check("", "1:1: parse error: no expression found in input");
    check("(1", "1:3: parse error: unclosed left parenthesis");
    check(
        "label_replace(m_total, \"x\", \"\", \"y\", \"(\")",
        "invalid regular expression in label_replace(): (",
    );
    check(
        "label_replace(label_replace(m_total, \"instance\", \"\", \"\", \"\"), \"job\", \"\", \"\", \"\")",
        "vector cannot contain metrics with the same labelset",
    );
    check(
        "m_total * on () m_total",
        "found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"m_total\", instance=\"host-00000\", job=\"job-0\"}, {__name__=\"m_total\", instance=\"host-00001\", job=\"job-1\"}];many-to-many matching not allowed: matching labels must be unique on one side",
    );
    check(
        "m_total * on () sum(m_total)",
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
    );
    check(
        "double_exponential_smoothing(m_total[5m], 1, 0.5)",
        "1:1: parse error: function \"double_exponential_smoothing\" is not enabled",
    );
    check(
        "holt_winters(m_total[5m], 1, 0.5)",
        "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000",
    );
    check("topk(NaN, m_total)", "Parameter value is NaN");
}

#[test]
fn range_queries_check_their_parameters() {
    let db = store(1);
    let engine = Engine::default();
    let check = |query: &str, (start, end, step): (i64, i64, i64), expected: &str| {
        let found = range(&engine, &db, query, (start, end, step), &never).unwrap_err();
        assert_eq!(found, Error::BadData(expected.into()), "{query}");
    };
    check("m_total", (1, 0, 1), "invalid parameter \"end\": end timestamp must not be before start time");
    check(
        "m_total",
        (0, 1, 0),
        "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
    );
    check(
        "m_total",
        (0, 11_000, 1),
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    );
    let wrong = |kind: &str| {
        format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector")
    };
    check("m_total[5m]", (0, 1, 1), &wrong("range vector"));
    check("\"text\"", (0, 1, 1), &wrong("string"));
    assert!(range(&engine, &db, "1", (0, 10_999, 1), &never).is_ok());
    assert!(range(&engine, &db, "1", (i64::MIN, i64::MAX, i64::MAX), &never).is_ok());
}

#[test]
fn a_query_may_hold_so_many_samples() {
    let db = store(10);
    let engine = Engine::new(EngineOptions { max_samples: 1_000, ..EngineOptions::default() });
    let error = Error::Execution(
        "query processing would load too many samples into memory in query execution".into(),
    );
    let run = |query: &str| range(&engine, &db, query, (0, 3_600_000, 15_000), &never);
    assert_eq!(run("m_total").unwrap_err(), error);
    // The aggregation holds a row and its groups, not all of its input.
    let answer = run("sum(rate(m_total[5m]))").unwrap();
    assert!(answer.stats.peak_samples < 1_000, "{:?}", answer.stats);
    assert_eq!(answer.stats.samples_read, 2_410);
    assert_eq!(instant(&engine, &db, "m_total[1h]", 3_600_000).unwrap_err(), error);
    assert_eq!(instant(&engine, &db, "max_over_time(vector(1)[200y:1s])", 0).unwrap_err(), error);
}

#[test]
fn a_subquery_over_no_series_is_empty_however_many_steps_it_has() {
    let db = store(1);
    let engine = Engine::new(EngineOptions { max_samples: 1_000, ..EngineOptions::default() });
    let ask = |query: &str| instant(&engine, &db, query, 3_600_000).map(|answer| answer.value);
    for nothing in [
        "nosuch",
        "-(nosuch)",
        "1 + nosuch > 0",
        "nosuch and m_total",
        "sum by (job) (rate(nosuch[5m]))",
        "topk(3, nosuch offset 1h)",
        "quantile_over_time(0.5, nosuch[1d:1ms])",
        "m_total @ 9000000",
    ] {
        let query = format!("count_over_time(({nothing})[1d:1ms])");
        assert_eq!(ask(&query), Ok(Value::Vector(Vec::new())), "{query}");
    }
    let Ok(Value::Vector(absent)) = ask("absent_over_time(nosuch[1d:1ms])") else { panic!("no vector") };
    assert_eq!(absent.len(), 1);
    // What has rows, or may have some, is held to the bound.
    for something in ["m_total", "nosuch or m_total", "absent(nosuch)", "vector(scalar(nosuch))"] {
        let query = format!("count_over_time(({something})[1d:1ms])");
        assert!(matches!(ask(&query), Err(Error::Execution(_))), "{query}");
    }
}

#[test]
fn a_query_ends_when_it_is_told_to() {
    let db = store(50);
    let asked = AtomicUsize::new(0);
    let stop = |reason| {
        asked.store(0, Ordering::Relaxed);
        let asked = &asked;
        move || (asked.fetch_add(1, Ordering::Relaxed) >= 20).then_some(reason)
    };
    let engine = Engine::default();
    let run = |stop: &(dyn Fn() -> Option<StopReason> + Sync)| {
        range(&engine, &db, "sum(rate(m_total[5m]))", (0, 3_600_000, 15_000), stop).unwrap_err()
    };
    assert_eq!(run(&stop(StopReason::Timeout)), Error::Timeout("expression evaluation"));
    assert_eq!(run(&stop(StopReason::Canceled)), Error::Canceled("expression evaluation"));
}

#[test]
fn deep_and_long_expressions_are_evaluated() {
    let db = store(1);
    let engine = Engine::default();
    let deep = format!("{}m_total{}", "-(".repeat(200), ")".repeat(200));
    let long = format!("m_total{}", " + m_total".repeat(400));
    let powers = format!("1{}", "^1".repeat(400));
    for query in [&deep, &long, &powers] {
        assert!(instant(&engine, &db, query, 60_000).is_ok(), "{query}");
    }
    let Value::Vector(sum) = instant(&engine, &db, &long, 15_000).unwrap().value else { panic!("no vector") };
    assert!((sum[0].value - 401.0 * 0.1).abs() < 1e-9);
}

#[test]
fn one_thread_or_many_sum_to_the_last_bit() {
    let db = store(1_000);
    let engine = Engine::default();
    let matrix = |query: &str| match range(&engine, &db, query, (0, 3_600_000, 15_000), &never).unwrap().value
    {
        Value::Matrix(matrix) => matrix,
        other => panic!("{other:?}"),
    };
    let streamed = matrix("sum by (job) (rate(m_total[5m]))");
    assert_eq!(streamed.len(), 10);
    for group in &streamed {
        let job = group.labels.get("job").unwrap();
        // Hundred series: below the size at which threads are used.
        let alone = format!("sum(rate(m_total{{job=\"{job}\"}}[5m]))");
        let alone = range(&engine, &db, &alone, (3_000_000, 3_600_000, 15_000), &never).unwrap();
        let Value::Matrix(alone) = alone.value else { panic!("no matrix") };
        let tail = group.samples.values.len() - alone[0].samples.values.len();
        assert_eq!(group.samples.values[tail..], alone[0].samples.values, "{job}");
    }
}

#[test]
fn remarks_name_their_place() {
    let db = store(1);
    let engine = Engine::default();
    let answer = instant(&engine, &db, "1 +\n quantile(2, m_total)", 60_000).unwrap();
    assert_eq!(answer.warnings, ["PromQL warning: quantile value should be between 0 and 1, got 2 (2:11)"]);
    let answer = instant(&engine, &db, "rate({__name__=\"m_total\"}[5m])", 60_000).unwrap();
    assert!(answer.warnings.is_empty() && answer.infos.is_empty());
    let renamed = "rate(label_replace(m_total, \"__name__\", \"gauge\", \"\", \"\")[5m:15s])";
    let answer = instant(&engine, &db, renamed, 60_000).unwrap();
    assert_eq!(
        answer.infos,
        [
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"gauge\" (1:1)"
        ]
    );
}

#[test]
fn every_function_is_documented() {
    let page = include_str!("../../../docs/promql.md");
    for function in FUNCTIONS {
        assert!(page.contains(&format!("`{}`", function.name)), "{} is not in docs/promql.md", function.name);
    }
}

#[test]
fn no_time_is_too_far() {
    let db = store(1);
    let engine = Engine::new(EngineOptions { experimental: true, ..EngineOptions::default() });
    for time in [i64::MIN, i64::MIN + 1, -1, i64::MAX - 1, i64::MAX] {
        for query in [
            "m_total",
            "m_total smoothed",
            "rate(m_total[5m])",
            "rate(m_total[5m] anchored)",
            "m_total offset 100y",
            "m_total offset -100y",
            "max_over_time(m_total[5m:1m])",
            "timestamp(m_total)",
            "predict_linear(m_total[5m], 1e300)",
            "hour() + time()",
            "m_total[5m]",
            "info(m_total)",
        ] {
            assert!(instant(&engine, &db, query, time).is_ok(), "{query} at {time}");
        }
    }
}
