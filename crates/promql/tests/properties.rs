//! Properties that hold for any data.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use streamflow_promql::{Engine, EngineOptions, Query, StopReason, Value};
use streamflow_tsdb::{Db, Labels, Options, STALE_NAN};

/// Every kind of evaluation: selectors, ranges, subqueries, aggregations, operators, functions of whole vectors.
const QUERIES: &[&str] = &[
    "m",
    "m offset 20s",
    "m @ 60",
    "-m + 1",
    "m > 3",
    "3 < bool m",
    "rate(m[1m])",
    "irate(m[50s])",
    "delta(m[45s] offset 10s)",
    "deriv(m[1m])",
    "predict_linear(m[1m], 30)",
    "resets(m[2m]) + changes(m[2m])",
    "avg_over_time(m[35s])",
    "quantile_over_time(0.3, m[1m])",
    "stddev_over_time(m[1m])",
    "sum_over_time(m[1m:10s])",
    "max_over_time(rate(m[30s])[1m:15s] offset 5s)",
    "sum(m)",
    "sum by (a) (rate(m[1m]))",
    "avg without (b) (m)",
    "stddev(m)",
    "quantile(0.7, m)",
    "topk(2, m)",
    "bottomk by (a) (1, m)",
    "count_values(\"v\", m)",
    "m * on (a, b) m",
    "m / on (a) group_left max by (a) (m)",
    "m and on (b) (m > 4)",
    "(m > 4) or m * 0",
    "m unless m > 2",
    "absent(m > 8)",
    "absent_over_time(m[20s])",
    "scalar(m{a=\"0\", b=\"0\"}) + m",
    "timestamp(m)",
    "label_replace(m, \"c\", \"$1\", \"a\", \"(.*)\")",
    "histogram_quantile(0.5, label_replace(m, \"le\", \"$1\", \"b\", \"(.*)\"))",
    "clamp(m, 1, 5)",
    "hour(m) + minute()",
    "time() - 5",
];

fn never() -> Option<StopReason> {
    None
}

/// Values every 15 s: counters that are reset, gaps, stale markers, numbers that are none.
fn samples() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        6 => (0..10_i32).prop_map(|value| Some(f64::from(value))),
        1 => Just(None),
        1 => prop_oneof![Just(Some(STALE_NAN)), Just(Some(f64::NAN)), Just(Some(f64::INFINITY))],
    ];
    prop::collection::vec(value, 12)
}

fn store(series: &[Vec<Option<f64>>]) -> Db {
    let db = Db::in_memory(Options::default());
    let mut batch = db.batch();
    for (index, values) in series.iter().enumerate() {
        let (a, b) = ((index % 2).to_string(), (index / 2).to_string());
        let labels = Labels::new([("__name__", "m"), ("a", &a), ("b", &b)]);
        for (step, value) in (0_i64..).zip(values) {
            if let Some(value) = value {
                batch.add(&labels, step * 15_000, *value).unwrap();
            }
        }
    }
    batch.commit().unwrap();
    db
}

/// The samples at one time, sorted by labels.
fn at(value: Value, time: i64) -> Vec<(Labels, f64)> {
    let mut found: Vec<(Labels, f64)> = match value {
        Value::Matrix(matrix) => matrix
            .into_iter()
            .filter_map(|series| {
                let place = series.samples.timestamps.binary_search(&time).ok()?;
                Some((series.labels, series.samples.values[place]))
            })
            .collect(),
        Value::Vector(vector) => vector.into_iter().map(|sample| (sample.labels, sample.value)).collect(),
        Value::Scalar(value) => vec![(Labels::default(), value)],
        Value::String(text) => panic!("{text:?}"),
    };
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_range_query_is_its_instant_queries(
        series in prop::collection::vec(samples(), 1..6),
        start in 0..60_i64,
        step in 1..40_i64,
        delayed_name_removal: bool,
    ) {
        let db = store(&series);
        let engine = Engine::new(EngineOptions { delayed_name_removal, ..EngineOptions::default() });
        let (start, step) = (start * 1_000, step * 1_000);
        let end = start + 4 * step;
        for query in QUERIES {
            let parsed = Query::parse(&engine, query).unwrap();
            let grid = engine.grid(start, end, step as f64).unwrap();
            let Ok(range) = parsed.range(&engine, &db, grid, &never) else { continue };
            for time in (start..=end).step_by(usize::try_from(step).unwrap()) {
                let instant = at(parsed.instant(&engine, &db, time, &never).unwrap().value, time);
                let from_range = at(range.value.clone(), time);
                let equal = instant.len() == from_range.len()
                    && instant.iter().zip(&from_range).all(|(a, b)| a.0 == b.0 && same(a.1, b.1));
                prop_assert!(equal, "{query} at {time}: {instant:?} but in the range {from_range:?}");
            }
        }
    }

    #[test]
    fn symmetric_aggregations_do_not_mind_the_order_of_series(
        series in prop::collection::vec(samples(), 2..8),
        turn in 1..7_usize,
    ) {
        let mut turned = series.clone();
        turned.rotate_left(turn % series.len());
        let (db, other) = (store(&series), store(&turned));
        let engine = Engine::default();
        for aggregation in ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"] {
            let text = format!("{aggregation}(m)");
            let query = Query::parse(&engine, &text).unwrap();
            for time in [0, 40_000, 165_000] {
                let a = at(query.instant(&engine, &db, time, &never).unwrap().value, time);
                let b = at(query.instant(&engine, &other, time, &never).unwrap().value, time);
                prop_assert_eq!(a.len(), b.len());
                for (a, b) in a.iter().zip(&b) {
                    let close = same(a.1, b.1) || (a.1 - b.1).abs() <= 1e-12 * a.1.abs().max(1.0);
                    prop_assert!(close, "{} at {}: {:?} and {:?}", text, time, a, b);
                }
            }
        }
    }
}
